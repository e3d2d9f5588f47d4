import { KEY_SCOPES, type KeyScope } from '@postern/schemas';
import { requireCount, requireOneOf, requireOrigin, requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import { fromJsonColumn, textListParser, toJsonColumn } from '../json-column.ts';
import type { AgentKeyRecord, AgentsPort, NewAgentKey } from '../ports/agents.ts';
import type { AgentKeyRow, AgentRow } from '../tables.ts';
import { pointsOf, writesOf } from '../transaction.ts';
import { toAgentRecord } from './agents.ts';
import type { RepositoryOptions } from './repository-options.ts';

type AgentKeysPort = Pick<AgentsPort, 'createKey' | 'listKeys' | 'revokeKey' | 'findKey' | 'touch'>;

export function createAgentKeys(dbClient: DbClient, { now }: RepositoryOptions): AgentKeysPort {
  return {
    async createKey(key, context) {
      const row = toRow(key, now());
      const inserting = writesOf(dbClient, context).insertInto('agent_keys').values(row).execute();
      await withReference('agent_keys.agent_id', inserting);
      return toKeyRecord(row);
    },

    async listKeys(tenant, agentId, context) {
      const rows = await pointsOf(dbClient, context)
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
      const result = await writesOf(dbClient, context)
        .updateTable('agent_keys')
        .set({ revoked_at: at })
        .where('tenant', '=', tenant)
        .where('id', '=', keyId)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    async findKey(keyId) {
      const row = await selectKeyWithAgent(dbClient).where('agent_keys.id', '=', keyId).executeTakeFirst();
      return row && { key: toKeyRecord(keyPart(row)), agent: toAgentRecord(row) };
    },

    async touch(uses) {
      if (uses.length === 0) return;
      await dbClient.writeTogether(uses.flatMap((use) => touchQueries(dbClient, use)));
    },
  };
}

/** The columns of the agent under their own names, those of the key that both have under `key_…`. */
function selectKeyWithAgent(dbClient: DbClient) {
  return dbClient.points
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

/** Never backwards: two nodes may report out of order. */
function touchQueries(dbClient: DbClient, use: { tenant: string; keyId: string; agentId: string; at: number }) {
  requireCount('agent_keys.last_used_at', use.at);
  const touchTable = (table: 'agent_keys' | 'agents', id: string) =>
    dbClient.writes
      .updateTable(table)
      .set({ last_used_at: use.at })
      .where('tenant', '=', use.tenant)
      .where('id', '=', id)
      .where((expression) =>
        expression.or([expression('last_used_at', 'is', null), expression('last_used_at', '<', use.at)]),
      )
      .compile();
  return [touchTable('agent_keys', use.keyId), touchTable('agents', use.agentId)];
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
