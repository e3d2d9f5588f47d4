import type { Kysely } from 'kysely';
import { requireCount } from '../check.ts';
import { requireIntegerBetween } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { TemplateInvalidationRow } from '../key-tables.ts';
import type {
  TemplateInvalidation,
  TemplateInvalidationOutcome,
  TemplateInvalidationsPort,
} from '../ports/template-invalidations.ts';
import { storedNothing, storedValue } from '../stored.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction, listsOf } from '../transaction.ts';

const LIMIT_MAX = 1_000;
const ERROR_LENGTH_MAX = 500;

export function createTemplateInvalidations(dbClient: DbClient): TemplateInvalidationsPort {
  return {
    async take(nowMs, { leaseMs, limit }) {
      requireCount('template_invalidations.next_attempt_at', nowMs + leaseMs);
      requireIntegerBetween('the limit', limit, 1, LIMIT_MAX);
      return inOneTransaction(dbClient, undefined, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        const taken: TemplateInvalidation[] = [];
        for (const row of await selectDue(kysely, nowMs, limit).execute()) {
          const mine = await takeOne(kysely, row, nowMs + leaseMs);
          if (mine !== undefined) taken.push(toInvalidation(mine));
        }
        return taken;
      });
    },

    async finish({ tenant, id, attempts }, outcome) {
      const { numUpdatedRows } = await dbClient
        .writes(tenant)
        .updateTable('template_invalidations')
        .set(changeOf(outcome))
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('attempts', '=', attempts)
        .where('delivered_at', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async listPending(tenant, limit, context) {
      requireIntegerBetween('the limit', limit, 1, LIMIT_MAX);
      const rows = await listsOf(dbClient, context, tenant)
        .selectFrom('template_invalidations')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('delivered_at', 'is', null)
        .orderBy('created_at')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(toInvalidation);
    },

    async nextDueAt() {
      const row = await dbClient
        .points(INSTANCE_SCOPE)
        .selectFrom('template_invalidations')
        .select('next_attempt_at')
        .where('delivered_at', 'is', null)
        .orderBy('next_attempt_at')
        .limit(1)
        .executeTakeFirst();
      return row?.next_attempt_at ?? undefined;
    },

    sweep: (deliveredBefore, limit) => sweep(dbClient, deliveredBefore, limit),
  };
}

async function sweep(dbClient: DbClient, deliveredBefore: number, limit: number): Promise<number> {
  requireCount('template_invalidations.delivered_at', deliveredBefore);
  const { numDeletedRows } = await dbClient
    .writes(INSTANCE_SCOPE)
    .deleteFrom('template_invalidations')
    .where(({ eb, refTuple, selectFrom }) =>
      eb(
        refTuple('tenant', 'id'),
        'in',
        selectFrom('template_invalidations')
          .select(['tenant', 'id'])
          .where('delivered_at', '<', deliveredBefore)
          .orderBy('delivered_at')
          .limit(limit)
          .$asTuple('tenant', 'id'),
      ),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

function selectDue(kysely: Kysely<Tables>, nowMs: number, limit: number) {
  return kysely
    .selectFrom('template_invalidations')
    .select(['tenant', 'id', 'attempts'])
    .where('delivered_at', 'is', null)
    .where('next_attempt_at', '<=', nowMs)
    .orderBy('next_attempt_at')
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit);
}

/** Conditional on what was read: whoever was quicker has it. */
function takeOne(
  kysely: Kysely<Tables>,
  { tenant, id, attempts }: Pick<TemplateInvalidationRow, 'tenant' | 'id' | 'attempts'>,
  leaseUntil: number,
): Promise<TemplateInvalidationRow | undefined> {
  return kysely
    .updateTable('template_invalidations')
    .set({ attempts: attempts + 1, next_attempt_at: leaseUntil })
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('attempts', '=', attempts)
    .where('delivered_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
}

/** In the transaction of the change that it tells of. */
export async function insertInvalidation(
  kysely: Kysely<Tables>,
  { tenant, name, version }: { readonly tenant: string; readonly name: string; readonly version: number },
  { id, at }: { readonly id: string; readonly at: number },
): Promise<void> {
  const due = { attempts: 0, next_attempt_at: at, delivered_at: null, last_error: null };
  await kysely
    .insertInto('template_invalidations')
    .values({ tenant, id, name, version, created_at: at, ...due })
    .execute();
}

function changeOf(outcome: TemplateInvalidationOutcome): Partial<TemplateInvalidationRow> {
  switch (outcome.to) {
    case 'delivered':
      requireCount('template_invalidations.delivered_at', outcome.at);
      return { delivered_at: outcome.at, next_attempt_at: null, last_error: null };
    case 'retry':
      requireCount('template_invalidations.next_attempt_at', outcome.nextAttemptAt);
      return {
        next_attempt_at: outcome.nextAttemptAt,
        last_error: outcome.error.toWellFormed().replaceAll('\0', '').slice(0, ERROR_LENGTH_MAX),
      };
  }
}

export function toInvalidation(row: TemplateInvalidationRow): TemplateInvalidation {
  const invalidation = {
    tenant: row.tenant,
    id: row.id,
    name: row.name,
    version: row.version,
    createdAt: row.created_at,
    attempts: row.attempts,
    ...(row.last_error === null ? {} : { lastError: row.last_error }),
  };
  if (row.delivered_at === null) {
    const nextAttemptAt = storedValue('template_invalidations.next_attempt_at', row.next_attempt_at, 'pending');
    return { ...invalidation, state: 'pending', nextAttemptAt };
  }
  storedNothing('template_invalidations.next_attempt_at', row.next_attempt_at, 'delivered');
  return { ...invalidation, state: 'delivered', deliveredAt: row.delivered_at };
}
