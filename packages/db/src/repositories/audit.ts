import { decodeEntry } from '@postern/audit';
import type { Entry } from '@postern/schemas';
import { requireCount, requireText } from '../check.ts';
import type { DbClient } from '../client.ts';
import { seqOfEntryId } from '../entry-id.ts';
import { decodeNumberCursor, rowsToRead, toPage } from '../page.ts';
import type { AuditPort, AuditQuery } from '../ports/audit.ts';
import { DbError } from '../ports/db-error.ts';
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
        .where('tenant', '=', tenant)
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
        .where('tenant', '=', tenant)
        .where('seq', '>=', fromSeq)
        .orderBy('seq')
        .limit(rowsToRead({ limit }) - 1)
        .execute();
      const encoder = new TextEncoder();
      return rows.map((row) => ({ seq: row.seq, bytes: encoder.encode(row.entry) }));
    },

    async size(tenant) {
      const row = await dbClient.points
        .selectFrom('audit_logs')
        .select('size')
        .where('tenant', '=', tenant)
        .executeTakeFirst();
      return row?.size ?? 0;
    },
  };
}

/** Only the request id has an index; the other filters are tried on each entry from the newest down. */
function selectMatching(dbClient: DbClient, tenant: string, query: AuditQuery) {
  const before = decodeNumberCursor(LIST, query.cursor);
  let select = dbClient.lists.selectFrom('audit_entries').select(['seq', 'entry']).where('tenant', '=', tenant);
  if (before !== undefined) select = select.where('seq', '<', before);
  if (query.requestId !== undefined) select = select.where('request_id', '=', query.requestId);
  if (query.agent !== undefined) select = select.where('agent', '=', query.agent);
  if (query.integration !== undefined) select = select.where('integration', '=', query.integration);
  if (query.action !== undefined) select = select.where('action', '=', query.action);
  if (query.decision !== undefined) select = select.where('decision', '=', query.decision);
  if (query.type !== undefined) select = select.where('type', '=', query.type);
  if (query.from !== undefined) select = select.where('at', '>=', query.from);
  if (query.to !== undefined) select = select.where('at', '<', query.to);
  return select.orderBy('seq', 'desc').limit(rowsToRead(query));
}

function toEntry(text: string): Entry {
  try {
    return decodeEntry(text);
  } catch (error) {
    throw new DbError('invalid', 'the stored value of audit_entries.entry is not an audit entry', error);
  }
}
