import { decodeEntry } from '@postern/audit';
import type { Entry } from '@postern/schemas';
import { sql } from 'kysely';
import { requireCount, requireText } from '../check.ts';
import type { DbClient } from '../client.ts';
import { seqOfEntryId } from '../entry-id.ts';
import { decodeNumberCursor, rowsToRead, toPage } from '../page.ts';
import type { AuditPort, AuditQuery } from '../ports/audit.ts';
import { DbError } from '../ports/db-error.ts';
import { requestKey } from '../request-key.ts';
import { requireScope } from '../transaction.ts';

const LIST = 'audit_entries';

export function createAudit(dbClient: DbClient): AuditPort {
  return {
    async append(draft, context) {
      requireText('audit_entries.tenant', draft.tenant);
      return requireScope(dbClient, context, 'appending to the audit log').appendEntry(draft);
    },

    async query(tenant, query) {
      const rows = await selectMatching(dbClient, tenant, query).execute();
      return toPage(rows, query.limit, LIST, { item: (row) => toEntry(row.entry), position: (row) => row.seq });
    },

    async getById(tenant, id) {
      const seq = seqOfEntryId(id);
      if (seq === undefined) return undefined;
      const row = await dbClient.points
        .selectFrom('audit_entries')
        .select('entry')
        .where('log', '=', logOf(tenant))
        .where('seq', '=', seq)
        .executeTakeFirst();
      const entry = row && toEntry(row.entry);
      return entry?.id === id ? entry : undefined;
    },

    async readLeaves(tenant, fromSeq, limit) {
      requireCount('audit_entries.seq', fromSeq);
      const rows = await dbClient.lists
        .selectFrom('audit_entries')
        .select(['seq', 'entry'])
        .where('log', '=', logOf(tenant))
        .where('seq', '>=', fromSeq)
        .orderBy('seq')
        .limit(rowsToRead({ limit }) - 1)
        .execute();
      const encoder = new TextEncoder();
      return rows.map((row) => ({ seq: row.seq, bytes: encoder.encode(row.entry) }));
    },

    async size(tenant) {
      const row = await dbClient.points
        .selectFrom('audit_entries')
        .select('seq')
        .where('log', '=', logOf(tenant))
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row === undefined ? 0 : row.seq + 1;
    },
  };
}

/** Only the request id has an index; the other filters are tried on each entry from the newest down. */
export function selectMatching(dbClient: DbClient, tenant: string, query: AuditQuery) {
  const before = decodeNumberCursor(LIST, query.cursor);
  const { isJson, jsonMember } = dbClient.capabilities;
  // An entry that is none any more matches every filter, so that it is found to be none.
  const member = (name: keyof Entry, operator: '=' | '>=' | '<', value: string | number) =>
    sql<boolean>`case when ${sql.raw(isJson('entry'))} then ${sql.raw(jsonMember('entry', name))} ${sql.raw(operator)} ${value} else true end`;
  const entries = dbClient.lists.selectFrom('audit_entries').select(['seq', 'entry']);
  // The sign keeps engines from reading the whole log in its order when the request id leads to a few entries at once.
  let select =
    query.requestId === undefined
      ? entries.where('log', '=', logOf(tenant))
      : entries
          .where('request_key', '=', requestKey(query.requestId))
          .where(member('requestId', '=', query.requestId))
          .where(sql`+log`, '=', logOf(tenant));
  if (before !== undefined) select = select.where('seq', '<', before);
  for (const name of ['agent', 'integration', 'action', 'decision', 'type'] as const) {
    const value = query[name];
    if (value !== undefined) select = select.where(member(name, '=', value));
  }
  if (query.from !== undefined) select = select.where(member('at', '>=', query.from));
  if (query.to !== undefined) select = select.where(member('at', '<', query.to));
  return select.orderBy('seq', 'desc').limit(rowsToRead(query));
}

function logOf(tenant: string) {
  return sql<number>`(select log from audit_logs where tenant = ${tenant})`;
}

function toEntry(text: string): Entry {
  try {
    return decodeEntry(text);
  } catch (error) {
    throw new DbError('invalid', 'the stored value of audit_entries.entry is not an audit entry', error);
  }
}
