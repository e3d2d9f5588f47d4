import { type NotificationEndpoint, type NotificationEvent, notificationEndpointSchema } from '@postern/schemas';
import { type Kysely, sql } from 'kysely';
import { requireCount, requireOrigin, requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import { fromJsonColumn, toJsonColumn } from '../json-column.ts';
import { DbError } from '../ports/db-error.ts';
import type { NotificationEndpointRecord, NotificationEndpointsPort } from '../ports/notification-endpoints.ts';
import type { NotificationEndpointRow, Tables } from '../tables.ts';
import { inOneTransaction, pointsOf, writesOf } from '../transaction.ts';
import { disableEndpoint } from './outbox.ts';
import type { RepositoryOptions } from './repository-options.ts';

const NONE = 'no such notification endpoint in that tenant';

export function createNotificationEndpoints(dbClient: DbClient, options: RepositoryOptions): NotificationEndpointsPort {
  return { ...createWrites(dbClient, options), ...createReads(dbClient), ...createNotes(dbClient) };
}

type WritesPort = Pick<NotificationEndpointsPort, 'create' | 'update' | 'remove'>;

function createWrites(dbClient: DbClient, { now, newId }: RepositoryOptions): WritesPort {
  return {
    async create(tenant, spec, origin, context) {
      requireText('notification_endpoints.tenant', tenant);
      requireText('notification_endpoints.url', spec.url);
      requireOrigin('notification_endpoints.origin', origin);
      const at = now();
      const inserting = writesOf(dbClient, context, tenant)
        .insertInto('notification_endpoints')
        .values({
          tenant,
          id: newId(),
          url: spec.url,
          spec: toJsonColumn(spec),
          origin,
          created_at: at,
          updated_at: at,
          delivered_at: null,
          failed_at: null,
          last_error: null,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return toRecord(await withReference('notification_endpoints.tenant', inserting));
    },

    async update({ tenant, id }, spec, origin, context) {
      requireOrigin('notification_endpoints.origin', origin);
      const row = await writesOf(dbClient, context, tenant)
        .updateTable('notification_endpoints')
        .set({ spec: toJsonColumn(spec), origin, updated_at: now() })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('url', '=', spec.url)
        .returningAll()
        .executeTakeFirst();
      if (row !== undefined) return toRecord(row);
      const current = await selectEndpoints(writesOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      if (current === undefined) throw new DbError('not_found', NONE);
      throw new DbError('invalid', 'notification_endpoints.url is immutable');
    },

    async remove(tenant, id, at, context) {
      requireCount('notification_endpoints.removed_at', at);
      await inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const { numDeletedRows } = await kysely
          .deleteFrom('notification_endpoints')
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .executeTakeFirst();
        if (numDeletedRows !== 1n) throw new DbError('not_found', NONE);
        await disableEndpoint(kysely, { tenant, endpoint: id, at });
      });
    },
  };
}

function createReads(dbClient: DbClient): Pick<NotificationEndpointsPort, 'getById' | 'listByTenant'> {
  return {
    async getById(tenant, id, context) {
      const row = await selectEndpoints(pointsOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toRecord(row);
    },

    async listByTenant(tenant, context) {
      const rows = await selectEndpoints(pointsOf(dbClient, context, tenant), tenant)
        .orderBy('url')
        .execute();
      return rows.map(toRecord);
    },
  };
}

function createNotes(dbClient: DbClient): Pick<NotificationEndpointsPort, 'noteTry' | 'takeNotice'> {
  return {
    async noteTry(tenant, id, { at, error }) {
      const changed =
        error === undefined
          ? { delivered_at: at, failed_at: null, last_error: null }
          : { failed_at: at, last_error: error };
      await dbClient
        .writes(tenant)
        .updateTable('notification_endpoints')
        .set(changed)
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
    },

    async takeNotice(tenant, subject, { at, everyMs }, context) {
      requireText('notices.tenant', tenant);
      requireText('notices.subject', subject);
      requireCount('notices.told_at', at);
      const { numInsertedOrUpdatedRows } = await writesOf(dbClient, context, tenant)
        .insertInto('notices')
        .values({ tenant, subject, told_at: at })
        .onConflict((conflict) =>
          conflict
            .columns(['tenant', 'subject'])
            .doUpdateSet({ told_at: at })
            // A time in the future was told under a clock that has gone back since.
            .where(sql<boolean>`(notices.told_at <= ${at - everyMs} or notices.told_at > ${at})`),
        )
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
  };
}

/** Those of a tenant that want to know of an event. */
export async function selectSubscribed(
  kysely: Kysely<Tables>,
  tenant: string,
  event: NotificationEvent,
): Promise<readonly NotificationEndpointRecord[]> {
  const rows = await selectEndpoints(kysely, tenant).orderBy('url').execute();
  return rows.map(toRecord).filter(({ spec }) => spec.events.includes(event));
}

function selectEndpoints(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('notification_endpoints').selectAll().where('tenant', '=', tenant);
}

function toRecord(row: NotificationEndpointRow): NotificationEndpointRecord {
  const { failed_at: failedAt, last_error: error } = row;
  const spec: NotificationEndpoint = fromJsonColumn(
    'notification_endpoints.spec',
    row.spec,
    notificationEndpointSchema,
  );
  return {
    tenant: row.tenant,
    id: row.id,
    spec,
    origin: row.origin,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(row.delivered_at === null ? {} : { deliveredAt: row.delivered_at }),
    ...(failedAt === null || error === null ? {} : { failed: { at: failedAt, error } }),
  };
}
