import { KEY_SCOPES, type KeyScope } from '@postern/schemas';
import type { CompiledQuery } from 'kysely';
import { requireCount, requireOneOf, requireOrigin, requireText, withReference } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { fromJsonColumn, textListParser, toJsonColumn } from '../json-column.ts';
import type { AgentKeyRecord, AgentsPort, NewAgentKey } from '../ports/agents.ts';
import type { AgentKeyRow, AgentRow } from '../tables.ts';
import { pointsOf, writesOf } from '../transaction.ts';
import { toAgentRecord } from './agents.ts';
import type { RepositoryOptions } from './repository-options.ts';

type AgentKeysPort = Pick<AgentsPort, 'createKey' | 'listKeys' | 'revokeKey' | 'findKey' | 'touch'>;

export function createAgentKeys(dbClient: DbClient, { now }: RepositoryOptions): AgentKeysPort {
  // On the path of a call: compiled once, its one parameter put in.
  const keyQuery = selectKeyWithAgent(dbClient).where('agent_keys.id', '=', '').compile();
  return {
    async createKey(key, context) {
      const row = toRow(key, now());
      const inserting = writesOf(dbClient, context, key.tenant).insertInto('agent_keys').values(row).execute();
      await withReference('agent_keys.agent_id', inserting);
      return toKeyRecord(row);
    },

    async listKeys(tenant, agentId, context) {
      const rows = await pointsOf(dbClient, context, tenant)
        .selectFrom('agent_keys')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('agent_id', '=', agentId)
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map(toKeyRecord);
    },

    async revokeKey(tenant, keyId, at, context) {
      requireCount('agent_keys.revoked_at', at);
      const result = await writesOf(dbClient, context, tenant)
        .updateTable('agent_keys')
        .set({ revoked_at: at })
        .where('tenant', '=', tenant)
        .where('id', '=', keyId)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    async findKey(keyId) {
      const { rows } = await dbClient
        .points(INSTANCE_SCOPE)
        .executeQuery<KeyWithAgentRow>({ ...keyQuery, parameters: [keyId] });
      const [row] = rows;
      return row && { key: toKeyRecord(keyPart(row)), agent: toAgentRecord(row) };
    },

    async touch(uses) {
      const queries = [
        ...touchQueries(
          dbClient,
          'agent_keys',
          uses.map(({ tenant, keyId, at }) => ({ tenant, id: keyId, at })),
        ),
        ...touchQueries(
          dbClient,
          'agents',
          uses.map(({ tenant, agentId, at }) => ({ tenant, id: agentId, at })),
        ),
      ];
      if (queries.length > 0) await dbClient.writeTogether(INSTANCE_SCOPE, queries);
    },
  };
}

/** The columns of the agent under their own names, those of the key that both have under `key_…`. */
function selectKeyWithAgent(dbClient: DbClient) {
  return dbClient
    .points(INSTANCE_SCOPE)
    .selectFrom('agent_keys')
    .innerJoin('agents', (join) =>
      join.onRef('agents.tenant', '=', 'agent_keys.tenant').onRef('agents.id', '=', 'agent_keys.agent_id'),
    )
    .selectAll('agents')
    .select([
      'agent_keys.id as key_id',
      'agent_keys.digest',
      'agent_keys.digest_key_id',
      'agent_keys.scopes',
      'agent_keys.expires_at',
      'agent_keys.revoked_at',
      'agent_keys.created_at as key_created_at',
      'agent_keys.last_used_at as key_last_used_at',
      'agent_keys.origin as key_origin',
    ]);
}

interface KeyWithAgentRow
  extends AgentRow,
    Pick<AgentKeyRow, 'digest' | 'digest_key_id' | 'scopes' | 'expires_at' | 'revoked_at'> {
  key_id: string;
  key_created_at: number;
  key_last_used_at: number | null;
  key_origin: AgentKeyRow['origin'];
}

function keyPart(row: KeyWithAgentRow): AgentKeyRow {
  return {
    tenant: row.tenant,
    id: row.key_id,
    agent_id: row.id,
    digest: row.digest,
    digest_key_id: row.digest_key_id,
    scopes: row.scopes,
    expires_at: row.expires_at,
    revoked_at: row.revoked_at,
    created_at: row.key_created_at,
    last_used_at: row.key_last_used_at,
    origin: row.key_origin,
  };
}

interface Use {
  readonly tenant: string;
  readonly id: string;
  readonly at: number;
}

/** Ids in one statement; far below the number of parameters that an engine takes. */
const IDS_MAX = 500;

/** Never backwards: two nodes may report out of order. Uses of one second are written as one, with the second's beginning. */
function touchQueries(dbClient: DbClient, table: 'agent_keys' | 'agents', uses: readonly Use[]): CompiledQuery[] {
  const bySecond = Map.groupBy(uses, ({ tenant, at }) => `${secondOf(at)} ${tenant}`);
  return [...bySecond.values()].flatMap((group) => {
    const { tenant, at } = group[0] as Use;
    const ids = [...new Set(group.map(({ id }) => id))];
    return chunks(ids).map((some) => touchQuery(dbClient, table, { tenant, at: secondOf(at), ids: some }));
  });
}

function secondOf(at: number): number {
  requireCount('agent_keys.last_used_at', at);
  return at - (at % 1_000);
}

function chunks(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / IDS_MAX) }, (_, index) =>
    ids.slice(index * IDS_MAX, (index + 1) * IDS_MAX),
  );
}

function touchQuery(
  dbClient: DbClient,
  table: 'agent_keys' | 'agents',
  { tenant, at, ids }: { tenant: string; at: number; ids: readonly string[] },
): CompiledQuery {
  return dbClient
    .writes(tenant)
    .updateTable(table)
    .set({ last_used_at: at })
    .where('tenant', '=', tenant)
    .where('id', 'in', ids)
    .where((expression) => expression.or([expression('last_used_at', 'is', null), expression('last_used_at', '<', at)]))
    .compile();
}

function toRow(key: NewAgentKey, at: number): AgentKeyRow {
  requireText('agent_keys.tenant', key.tenant);
  requireText('agent_keys.id', key.id);
  requireText('agent_keys.agent_id', key.agentId);
  requireText('agent_keys.digest', key.digest);
  requireText('agent_keys.digest_key_id', key.digestKeyId);
  requireOrigin('agent_keys.origin', key.origin);
  if (key.expiresAt !== undefined) requireCount('agent_keys.expires_at', key.expiresAt);
  for (const scope of key.scopes) requireOneOf('agent_keys.scopes', scope, KEY_SCOPES);
  return {
    tenant: key.tenant,
    id: key.id,
    agent_id: key.agentId,
    digest: key.digest,
    digest_key_id: key.digestKeyId,
    scopes: toJsonColumn(key.scopes),
    expires_at: key.expiresAt ?? null,
    revoked_at: null,
    created_at: at,
    last_used_at: null,
    origin: key.origin,
  };
}

const scopesParser = textListParser<KeyScope>((text): text is KeyScope =>
  (KEY_SCOPES as readonly string[]).includes(text),
);

function toKeyRecord(row: AgentKeyRow): AgentKeyRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    agentId: row.agent_id,
    digest: row.digest,
    digestKeyId: row.digest_key_id,
    scopes: fromJsonColumn('agent_keys.scopes', row.scopes, scopesParser),
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    createdAt: row.created_at,
    ...(row.last_used_at === null ? {} : { lastUsedAt: row.last_used_at }),
    origin: row.origin,
  };
}
