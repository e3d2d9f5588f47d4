import { type Kysely, type Selectable, sql } from 'kysely';
import { requireCount } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { type QueuedCallsPort, RUNNING_CALLS_PER_INTEGRATION_MAX, type TakenCall } from '../ports/calls.ts';
import type { QueuedCallRow, Tables } from '../tables.ts';
import { inOneTransaction } from '../transaction.ts';
import { toQueuedCallRecord } from './queued-call-rows.ts';

/** As the port's `take` says. */
export async function takeQueuedCalls(
  dbClient: DbClient,
  nowMs: number,
  terms: Parameters<QueuedCallsPort['take']>[1],
): Promise<readonly TakenCall[]> {
  const { leaseMs, limit, perIntegration = RUNNING_CALLS_PER_INTEGRATION_MAX } = terms;
  requireCount('queued_calls.due_at', nowMs + leaseMs);
  if (!(await isAnyDue(dbClient, nowMs))) return [];
  const candidates = await selectCandidates(dbClient, { nowMs, limit, perIntegration });
  if (candidates.length === 0) return [];
  return inOneTransaction(dbClient, undefined, async (scope) => {
    const kysely = scope.kysely(INSTANCE_SCOPE);
    const taken: TakenCall[] = [];
    for (const { place } of candidates) {
      const row = await takeOne(kysely, { place, nowMs, leaseMs, perIntegration });
      if (row !== undefined) taken.push({ ...toQueuedCallRecord(row, null), leaseUntil: nowMs + leaseMs });
    }
    return taken;
  });
}

async function isAnyDue(dbClient: DbClient, nowMs: number): Promise<boolean> {
  const due = await dbClient
    .points(INSTANCE_SCOPE)
    .selectFrom('queued_calls')
    .select('place')
    .where('due_at', '<=', nowMs)
    .limit(1)
    .executeTakeFirst();
  return due !== undefined;
}

interface Taking {
  readonly nowMs: number;
  readonly perIntegration: number;
}

/**
 * The oldest that are due, a tenant's in turn with every other's, so many of each integration as could run if none did. Read beside the path of calls, and from one integration
 * to the next along the index: what a long queue costs does not grow with it.
 */
async function selectCandidates(
  dbClient: DbClient,
  { nowMs, limit, perIntegration }: Taking & { limit: number },
): Promise<readonly { place: number }[]> {
  const { rows } = await sql<{ place: number }>`
    with recursive owners (tenant) as (
      select min(tenant) from queued_calls where due_at is not null
      union all
      select (select min(n.tenant) from queued_calls n where n.due_at is not null and n.tenant > owners.tenant)
        from owners where tenant is not null
    ), open (tenant, integration) as (
      select tenant, (select min(n.integration) from queued_calls n
          where n.due_at is not null and n.tenant = owners.tenant)
        from owners where tenant is not null
      union all
      select tenant, (select min(n.integration) from queued_calls n
          where n.due_at is not null and n.tenant = open.tenant and n.integration > open.integration)
        from open where integration is not null
    )
    select q.place from open join queued_calls q on q.place in (
      select place from (select place from queued_calls c
        where c.tenant = open.tenant and c.integration = open.integration and c.state = 'queued' and c.due_at <= ${nowMs}
        order by c.place limit ${perIntegration}) oldest
      union all
      select place from queued_calls l
        where l.tenant = open.tenant and l.integration = open.integration and l.state = 'running' and l.due_at <= ${nowMs}
    )
    where ${hasRoom('open', { nowMs, perIntegration })}
    order by row_number() over (partition by q.tenant order by q.place), q.place limit ${limit}`.execute(
    dbClient.lists(INSTANCE_SCOPE),
  );
  return rows;
}

/** Conditional on all that makes it takeable: that it is due, and that fewer than allowed run. */
function takeOne(
  kysely: Kysely<Tables>,
  { place, nowMs, leaseMs, perIntegration }: Taking & { place: number; leaseMs: number },
): Promise<Selectable<QueuedCallRow> | undefined> {
  return kysely
    .updateTable('queued_calls')
    .set({ state: 'running', attempts: sql`attempts + 1`, due_at: nowMs + leaseMs, started_at: nowMs })
    .where('place', '=', place)
    .where('due_at', '<=', nowMs)
    .where(hasRoom('queued_calls', { nowMs, perIntegration }))
    .returningAll()
    .executeTakeFirst();
}

function hasRoom(table: string, { nowMs, perIntegration }: Taking) {
  const outer = sql.table(table);
  return sql<boolean>`(select count(*) from queued_calls r where r.tenant = ${outer}.tenant
    and r.integration = ${outer}.integration and r.state = 'running' and r.due_at > ${nowMs}) < ${perIntegration}
    and not exists (select 1 from tenant_limits b where b.tenant = ${outer}.tenant
      and b.running_queued_calls <= (select count(*) from queued_calls t where t.tenant = ${outer}.tenant
        and t.state = 'running' and t.due_at > ${nowMs}))
    and not exists (select 1 from tenants d where d.name = ${outer}.tenant and d.disabled_at is not null)`;
}
