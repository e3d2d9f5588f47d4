import { type Kysely, type Selectable, sql } from 'kysely';
import { requireCount, requireOneOf, requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { decodeNumberCursor, rowsToRead, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import {
  type NewOutboxMessage,
  OUTBOX_STATES,
  type OutboxMessage,
  type OutboxOutcome,
  type OutboxPort,
} from '../ports/outbox.ts';
import type { OutboxRow, Tables } from '../tables.ts';
import { inOneTransaction, pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'outbox';

export function createOutbox(dbClient: DbClient, options: RepositoryOptions): OutboxPort {
  return { ...createDelivery(dbClient, options), ...createEndpoints(dbClient), ...createReads(dbClient) };
}

type DeliveryPort = Pick<OutboxPort, 'add' | 'take' | 'finish' | 'replay' | 'sweep'>;

function createDelivery(dbClient: DbClient, { newId }: RepositoryOptions): DeliveryPort {
  return {
    async add(messages, nowMs, context) {
      for (const message of messages) requireMessage(message);
      return inOneTransaction(dbClient, context, async (scope) => {
        const added: OutboxMessage[] = [];
        for (const message of messages)
          added.push(await insertMessage(scope.kysely(message.tenant), { message, id: newId(), nowMs }));
        return added;
      });
    },

    take: (nowMs, terms) => takeDue(dbClient, nowMs, terms),

    async finish({ tenant, id, attempts }, outcome) {
      const { numUpdatedRows } = await dbClient
        .writes(tenant)
        .updateTable('outbox')
        .set(changeOf(outcome))
        .where('id', '=', id)
        .where('tenant', '=', tenant)
        .where('attempts', '=', attempts)
        .where('state', '=', 'pending')
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async replay(tenant, id, nowMs, context) {
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const row = await selectMessages(kysely, tenant).where('id', '=', id).executeTakeFirst();
        if (row === undefined) throw new DbError('not_found', 'no such message in that tenant');
        if (row.state === 'pending' || (await isDisabled(kysely, tenant, row.endpoint))) return false;
        const { numUpdatedRows } = await kysely
          .updateTable('outbox')
          .set({ state: 'pending', attempts: 0, next_attempt_at: nowMs, last_error: null, finished_at: null })
          .where('place', '=', row.place)
          .where('state', '=', row.state)
          .executeTakeFirst();
        return numUpdatedRows === 1n;
      });
    },

    async sweep(finishedBefore, limit) {
      const { numDeletedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('outbox')
        .where('place', 'in', (select) =>
          select.selectFrom('outbox').select('place').where('finished_at', '<', finishedBefore).limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

/** In a transaction, so that of several that ask at once each finds what those before it have left. */
async function takeDue(
  dbClient: DbClient,
  nowMs: number,
  { leaseMs, limit, busyEndpoints = [], busyTenants = [] }: Parameters<OutboxPort['take']>[1],
): ReturnType<OutboxPort['take']> {
  const rows = await inOneTransaction(dbClient, undefined, (scope) =>
    scope
      .kysely(INSTANCE_SCOPE)
      .updateTable('outbox')
      .set({ attempts: sql`attempts + 1`, next_attempt_at: nowMs + leaseMs })
      .where('place', 'in', (select) => {
        let due = select
          .selectFrom('outbox')
          .select('place')
          .where('state', '=', sql.lit('pending'))
          .where('next_attempt_at', '<=', nowMs);
        if (busyEndpoints.length > 0) due = due.where(sql<string>`tenant || ' ' || endpoint`, 'not in', busyEndpoints);
        if (busyTenants.length > 0) due = due.where('tenant', 'not in', busyTenants);
        return due.orderBy('next_attempt_at').orderBy('place').limit(limit);
      })
      .returningAll()
      .execute(),
  );
  return rows
    .sort((one, other) => one.place - other.place)
    .map((row) => ({ ...toMessage(row), leaseUntil: row.next_attempt_at }));
}

type EndpointsPort = Pick<OutboxPort, 'disableEndpoint' | 'enableEndpoint' | 'listDisabledEndpoints'>;

function createEndpoints(dbClient: DbClient): EndpointsPort {
  return {
    async disableEndpoint(tenant, endpoint, at, context) {
      requireText('disabled_endpoints.tenant', tenant);
      requireText('disabled_endpoints.endpoint', endpoint);
      requireCount('disabled_endpoints.disabled_at', at);
      return inOneTransaction(dbClient, context, ({ kysely }) =>
        disableEndpoint(kysely(tenant), { tenant, endpoint, at }),
      );
    },

    async enableEndpoint(tenant, endpoint, context) {
      const { numDeletedRows } = await writesOf(dbClient, context, tenant)
        .deleteFrom('disabled_endpoints')
        .where('tenant', '=', tenant)
        .where('endpoint', '=', endpoint)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },

    async listDisabledEndpoints(tenant) {
      const rows = await dbClient
        .points(tenant)
        .selectFrom('disabled_endpoints')
        .select(['endpoint', 'disabled_at'])
        .where('tenant', '=', tenant)
        .orderBy('endpoint')
        .execute();
      return rows.map((row) => ({ endpoint: row.endpoint, disabledAt: row.disabled_at }));
    },
  };
}

/** False when it was so already. */
export async function disableEndpoint(
  kysely: Kysely<Tables>,
  { tenant, endpoint, at }: { tenant: string; endpoint: string; at: number },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await kysely
    .insertInto('disabled_endpoints')
    .values({ tenant, endpoint, disabled_at: at })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  await kysely
    .updateTable('outbox')
    .set({ state: 'disabled', finished_at: at })
    .where('tenant', '=', tenant)
    .where('endpoint', '=', endpoint)
    .where('state', '=', 'pending')
    .execute();
  return numInsertedOrUpdatedRows === 1n;
}

function createReads(dbClient: DbClient): Pick<OutboxPort, 'getById' | 'list' | 'countPending' | 'nextDueAt'> {
  return {
    async getById(tenant, id) {
      const row = await selectMessages(pointsOf(dbClient, undefined, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toMessage(row);
    },

    async list(tenant, { state }, page) {
      if (state !== undefined) requireOneOf('outbox.state', state, OUTBOX_STATES);
      const before = decodeNumberCursor(LIST, page.cursor);
      let query = selectMessages(dbClient.lists(tenant), tenant);
      if (state !== undefined) query = query.where('state', '=', state);
      if (before !== undefined) query = query.where('place', '<', before);
      const rows = await query.orderBy('place', 'desc').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toMessage, position: (row) => row.place });
    },

    async countPending() {
      const row = await dbClient
        .points(INSTANCE_SCOPE)
        .selectFrom('outbox')
        .select((expression) => expression.fn.countAll<number>().as('count'))
        .where('state', '=', sql.lit('pending'))
        .executeTakeFirst();
      return Number(row?.count ?? 0);
    },

    async nextDueAt() {
      const row = await dbClient
        .points(INSTANCE_SCOPE)
        .selectFrom('outbox')
        .select('next_attempt_at')
        .where('state', '=', sql.lit('pending'))
        .orderBy('next_attempt_at')
        .limit(1)
        .executeTakeFirst();
      return row?.next_attempt_at;
    },
  };
}

function selectMessages(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('outbox').selectAll().where('tenant', '=', tenant);
}

function requireMessage(message: NewOutboxMessage): void {
  requireText('outbox.tenant', message.tenant);
  requireText('outbox.endpoint', message.endpoint);
  requireText('outbox.type', message.type);
  if (message.nextAttemptAt !== undefined) requireCount('outbox.next_attempt_at', message.nextAttemptAt);
}

export async function insertMessage(
  kysely: Kysely<Tables>,
  { message, id, nowMs }: { message: NewOutboxMessage; id: string; nowMs: number },
): Promise<OutboxMessage> {
  const { tenant, endpoint, type, body, nextAttemptAt = nowMs } = message;
  const over = await isDisabled(kysely, tenant, endpoint);
  const state = over
    ? { state: 'disabled' as const, finished_at: nowMs }
    : { state: 'pending' as const, finished_at: null };
  const place = { tenant, id, endpoint, type, body, created_at: nowMs };
  const tries = { attempts: 0, next_attempt_at: nextAttemptAt, last_error: null };
  const row = await kysely
    .insertInto('outbox')
    .values({ ...place, ...tries, ...state })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toMessage(row);
}

async function isDisabled(kysely: Kysely<Tables>, tenant: string, endpoint: string): Promise<boolean> {
  const row = await kysely
    .selectFrom('disabled_endpoints')
    .select('endpoint')
    .where('tenant', '=', tenant)
    .where('endpoint', '=', endpoint)
    .executeTakeFirst();
  return row !== undefined;
}

function changeOf(outcome: OutboxOutcome): Partial<Omit<OutboxRow, 'place'>> {
  switch (outcome.to) {
    case 'delivered':
      return { state: 'delivered', finished_at: outcome.at, last_error: null };
    case 'retry':
      return { next_attempt_at: outcome.nextAttemptAt, last_error: outcome.error };
    case 'dead':
      return { state: 'dead', finished_at: outcome.at, last_error: outcome.error };
  }
}

function toMessage(row: Selectable<OutboxRow>): OutboxMessage {
  return {
    tenant: row.tenant,
    id: row.id,
    endpoint: row.endpoint,
    type: row.type,
    body: row.body,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at,
    createdAt: row.created_at,
    ...(row.last_error === null ? {} : { lastError: row.last_error }),
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at }),
  };
}
