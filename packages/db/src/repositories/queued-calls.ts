import { type Kysely, sql } from 'kysely';
import { requireCount, requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { toJsonColumn } from '../json-column.ts';
import { ownBytes } from '../own-bytes.ts';
import {
  type NewQueuedCallResult,
  QUEUED_CALLS_PER_TENANT_MAX,
  type QueuedCallsPort,
  type TakenCall,
} from '../ports/calls.ts';
import type { QueuedCallRow, Tables } from '../tables.ts';
import { inOneTransaction, pointsOf, writesOf } from '../transaction.ts';
import { toQueuedCallRecord } from './queued-call-rows.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { takeQueuedCalls } from './take-queued-calls.ts';

export function createQueuedCalls(dbClient: DbClient, options: RepositoryOptions): QueuedCallsPort {
  return { ...createQueue(dbClient, options), ...createRuns(dbClient), ...createReads(dbClient) };
}

function createQueue(
  dbClient: DbClient,
  { newId }: RepositoryOptions,
): Pick<QueuedCallsPort, 'enqueue' | 'cancel' | 'sweep'> {
  return {
    async enqueue(call, nowMs, context) {
      requireCall(call);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(call.tenant);
        const open = await kysely
          .selectFrom('queued_calls')
          .select((expression) => expression.fn.countAll<number>().as('count'))
          .where('tenant', '=', call.tenant)
          .where('due_at', 'is not', null)
          .executeTakeFirst();
        if (Number(open?.count ?? 0) >= QUEUED_CALLS_PER_TENANT_MAX) return undefined;
        const row = await kysely
          .insertInto('queued_calls')
          .values({
            tenant: call.tenant,
            id: newId(),
            agent: call.agent,
            integration: call.integration,
            state: 'queued',
            sealed_request: call.sealedRequest,
            bytes: bytesOfRequest(call),
            claim_key: call.claimKey,
            request_id: call.requestId,
            attempts: 0,
            due_at: nowMs,
            created_at: nowMs,
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        return toQueuedCallRecord(row, null);
      });
    },

    async cancel(tenant, id, { agent, at, keepUntil }, context) {
      requireCount('queued_calls.finished_at', at);
      requireCount('queued_calls.keep_until', keepUntil);
      let query = writesOf(dbClient, context, tenant)
        .updateTable('queued_calls')
        .set({ state: 'cancelled', due_at: null, finished_at: at, keep_until: keepUntil })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('state', '=', 'queued');
      if (agent !== undefined) query = query.where('agent', '=', agent);
      return (await query.executeTakeFirst()).numUpdatedRows === 1n;
    },

    async sweep(nowMs, limit) {
      return inOneTransaction(dbClient, undefined, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        const removed = await kysely
          .deleteFrom('queued_calls')
          .where('place', 'in', (select) =>
            select.selectFrom('queued_calls').select('place').where('keep_until', '<=', nowMs).limit(limit),
          )
          .returning('answer')
          .execute();
        const answers = removed.map(({ answer }) => answer).filter((answer) => answer !== null);
        if (answers.length > 0) await kysely.deleteFrom('stored_answers').where('answer', 'in', answers).execute();
        return removed.length;
      });
    },
  };
}

function createRuns(dbClient: DbClient): Pick<QueuedCallsPort, 'take' | 'renew' | 'putBack' | 'finish'> {
  return {
    take: (nowMs, terms) => takeQueuedCalls(dbClient, nowMs, terms),

    async renew(call, leaseUntil) {
      requireCount('queued_calls.due_at', leaseUntil);
      return changeTaken(dbClient.writes(call.tenant), call, { due_at: leaseUntil });
    },

    async putBack(call, notBefore) {
      requireCount('queued_calls.due_at', notBefore);
      return changeTaken(dbClient.writes(call.tenant), call, { state: 'queued', due_at: notBefore, started_at: null });
    },

    async finish(call, { result, at, keepUntil }) {
      requireCount('queued_calls.finished_at', at);
      requireCount('queued_calls.keep_until', keepUntil);
      return inOneTransaction(dbClient, undefined, async (scope) => {
        const kysely = scope.kysely(call.tenant);
        const done = { state: 'done', due_at: null, finished_at: at, keep_until: keepUntil } as const;
        if (!(await changeTaken(kysely, call, done))) return false;
        await storeResult(kysely, call, result);
        return true;
      });
    },
  };
}

function createReads(dbClient: DbClient): Pick<QueuedCallsPort, 'getById' | 'findOpen' | 'readResult' | 'nextDueAt'> {
  return {
    async getById(tenant, id, context) {
      const row = await pointsOf(dbClient, context, tenant)
        .selectFrom('queued_calls as q')
        .leftJoin('stored_answers as a', 'a.answer', 'q.answer')
        .selectAll('q')
        .select('a.bytes')
        .where('q.tenant', '=', tenant)
        .where('q.id', '=', id)
        .executeTakeFirst();
      return row && toQueuedCallRecord(row, row.bytes);
    },

    async findOpen({ tenant, agent, integration, key }, context) {
      const row = await pointsOf(dbClient, context, tenant)
        .selectFrom('queued_calls')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('agent', '=', agent)
        .where('integration', '=', integration)
        .where('claim_key', '=', key)
        .where('due_at', 'is not', null)
        .orderBy('place', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && toQueuedCallRecord(row, null);
    },

    async readResult(tenant, id) {
      const row = await dbClient
        .lists(tenant)
        .selectFrom('queued_calls as q')
        .innerJoin('stored_answers as a', 'a.answer', 'q.answer')
        .select('a.sealed')
        .where('q.tenant', '=', tenant)
        .where('q.id', '=', id)
        .executeTakeFirst();
      return row?.sealed;
    },

    async nextDueAt() {
      const row = await dbClient
        .points(INSTANCE_SCOPE)
        .selectFrom('queued_calls')
        .select('due_at')
        .where('due_at', 'is not', null)
        .orderBy('due_at')
        .limit(1)
        .executeTakeFirst();
      return row?.due_at ?? undefined;
    },
  };
}

type Try = Pick<TakenCall, 'tenant' | 'id' | 'attempts'>;

/** While it is this try's. */
async function changeTaken(
  kysely: Kysely<Tables>,
  { tenant, id, attempts }: Try,
  changed: Partial<Omit<QueuedCallRow, 'place' | 'bytes'>>,
): Promise<boolean> {
  const { numUpdatedRows } = await kysely
    .updateTable('queued_calls')
    .set(changed)
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('attempts', '=', attempts)
    .where('state', '=', 'running')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function storeResult(kysely: Kysely<Tables>, { tenant, id }: Try, result: NewQueuedCallResult): Promise<void> {
  const changing = kysely.updateTable('queued_calls').where('tenant', '=', tenant).where('id', '=', id);
  if (result.kind === 'problem') {
    const { code, status, detail } = result;
    await changing.set({ problem: toJsonColumn({ code, status, detail }) }).execute();
    return;
  }
  const sealed = ownBytes(result.sealed);
  const { answer } = await kysely
    .insertInto('stored_answers')
    .values({ tenant, bytes: sealed.byteLength, sealed })
    .returning('answer')
    .executeTakeFirstOrThrow();
  await changing.set({ answer }).execute();
}

/** None where nothing is stored under that id: such a call ends as soon as it is taken. */
function bytesOfRequest({ tenant, sealedRequest }: NewCall) {
  return sql<number>`coalesce((select s.bytes from sealed_requests s where s.tenant = ${tenant} and s.id = ${sealedRequest}), 0)`;
}

type NewCall = Parameters<QueuedCallsPort['enqueue']>[0];

function requireCall(call: NewCall): void {
  requireText('queued_calls.tenant', call.tenant);
  requireText('queued_calls.agent', call.agent);
  requireText('queued_calls.integration', call.integration);
  requireText('queued_calls.sealed_request', call.sealedRequest);
  requireText('queued_calls.claim_key', call.claimKey);
  requireText('queued_calls.request_id', call.requestId);
}
