import { type RawBuilder, sql } from 'kysely';
import { requireCount, requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { fromJsonColumn, namesParser, toJsonColumn } from '../json-column.ts';
import type { LeaseOwner } from '../ports/background-leases.ts';
import { DbError } from '../ports/db-error.ts';
import type { JoinedNode, KnownNodes, NewNode, NodeRecord, NodeSign, NodesPort } from '../ports/nodes.ts';
import type { NodeRow } from '../tables.ts';

export function createNodes(dbClient: DbClient): NodesPort {
  const clock = sql.raw<number>(dbClient.capabilities.clockMs);
  const list = () => listNodes(dbClient, clock);
  return {
    join: (node, terms) => join(dbClient, clock, { node, terms }),

    async beat({ node, boot }, sign) {
      requireSign(sign);
      const row = await dbClient
        .writes(INSTANCE_SCOPE)
        .updateTable('nodes')
        .set({ seen_at: clock, alive_until: aliveUntil(clock, sign), clock_ahead_ms: sign.clockAheadMs })
        .where('node', '=', node)
        .where('boot', '=', boot)
        .returning('seen_at')
        .executeTakeFirst();
      return row?.seen_at;
    },

    async leave({ node, boot }: LeaseOwner) {
      await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('nodes')
        .where('node', '=', node)
        .where('boot', '=', boot)
        .execute();
    },

    list,

    async sweep(keptMs) {
      requireCount('nodes.seen_at', keptMs);
      const { numDeletedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('nodes')
        .where('alive_until', '<=', clock)
        .where('seen_at', '<', sql<number>`${clock} - ${sql.lit(keptMs)}`)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

type Clock = RawBuilder<number>;

function aliveUntil(clock: Clock, { leaseMs }: NodeSign): RawBuilder<number> {
  return sql<number>`${clock} + ${sql.lit(leaseMs)}`;
}

async function listNodes(dbClient: DbClient, clock: Clock): Promise<KnownNodes> {
  const { rows } = await sql<NodeRow & { now: number }>`
    select ${clock} as now, nodes.* from (select 1 as one) alone left join nodes on true order by node`.execute(
    dbClient.points(INSTANCE_SCOPE),
  );
  const nodes = rows.filter((row) => row.node !== null).map(toNodeRecord);
  return { now: rows[0]?.now ?? 0, nodes };
}

type Joining = { readonly node: NewNode; readonly terms: Parameters<NodesPort['join']>[1] };

async function join(dbClient: DbClient, clock: Clock, { node, terms }: Joining): Promise<JoinedNode> {
  requireNode(node, terms);
  const row = {
    boot: node.boot,
    version: node.version,
    key_ids: toJsonColumn(node.keyIds),
    has_redis: node.hasRedis ? 1 : 0,
    started_at: clock,
    seen_at: clock,
    alive_until: aliveUntil(clock, terms),
    clock_ahead_ms: terms.clockAheadMs,
  };
  const entered = await dbClient
    .writes(INSTANCE_SCOPE)
    .insertInto('nodes')
    .values({ node: node.node, ...row })
    .onConflict((conflict) =>
      conflict
        .column('node')
        .doUpdateSet(row)
        .where(({ or, eb }) =>
          or([eb('nodes.alive_until', '<=', clock), eb('nodes.boot', '=', terms.formerBoot ?? node.boot)]),
        ),
    )
    .returning('seen_at')
    .executeTakeFirst();
  if (entered !== undefined) return { kind: 'joined', now: entered.seen_at };
  const by = (await listNodes(dbClient, clock)).nodes.find((other) => other.node === node.node);
  // It has left in between.
  if (by === undefined) throw new DbError('stale', 'nodes.node was taken and is free again');
  return { kind: 'taken', by };
}

function toNodeRecord(row: NodeRow): NodeRecord {
  const [first, ...others] = fromJsonColumn('nodes.key_ids', row.key_ids, namesParser);
  if (first === undefined) throw new DbError('invalid', 'nodes.key_ids is empty');
  return {
    node: row.node,
    boot: row.boot,
    version: row.version,
    keyIds: [first, ...others],
    hasRedis: row.has_redis === 1,
    startedAt: row.started_at,
    seenAt: row.seen_at,
    aliveUntil: row.alive_until,
    clockAheadMs: row.clock_ahead_ms,
  };
}

function requireNode({ node, boot, keyIds }: NewNode, sign: NodeSign): void {
  requireText('nodes.node', node);
  requireText('nodes.boot', boot);
  for (const keyId of keyIds) requireText('nodes.key_ids', keyId);
  requireSign(sign);
}

function requireSign({ leaseMs, clockAheadMs }: NodeSign): void {
  requireCount('nodes.alive_until', leaseMs);
  if (!Number.isSafeInteger(clockAheadMs)) throw new DbError('invalid', 'nodes.clock_ahead_ms must be an integer');
}
