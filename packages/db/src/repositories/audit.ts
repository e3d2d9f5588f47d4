import { decodeEntry } from '@postern/audit';
import type { Entry } from '@postern/schemas';
import { requireCount, requireText } from '../check.ts';
import type { DbClient } from '../client.ts';
import { seqOfEntryId } from '../entry-id.ts';
import { encodeCursor, rowsToRead, toPage } from '../page.ts';
import type { AuditPort, AuditQuery } from '../ports/audit.ts';
import type { Page } from '../ports/context.ts';
import { DbError } from '../ports/db-error.ts';
import { requireScope } from '../transaction.ts';
import { AUDIT_LIST, logOf, selectMatching } from './audit-conditions.ts';
import { createAuditDecisions } from './audit-decisions.ts';
import { type SearchResult, searchEntries } from './audit-search.ts';
import { createSummariser } from './audit-summarise.ts';

export function createAudit(dbClient: DbClient): AuditPort {
  return {
    ...createAuditDecisions(dbClient),
    summarise: createSummariser(dbClient),

    async append(draft, context) {
      requireText('audit_entries.tenant', draft.tenant);
      return requireScope(dbClient, context, 'appending to the audit log').appendEntry(draft);
    },

    async query(tenant, query) {
      const result = isSearch(query)
        ? await searchEntries(dbClient, tenant, query)
        : { rows: await selectMatching(dbClient, tenant, query).execute() };
      return pageOf(result, query.limit);
    },

    async getById(tenant, id) {
      const seq = seqOfEntryId(id);
      if (seq === undefined) return undefined;
      const row = await dbClient
        .points(tenant)
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
      const rows = await dbClient
        .lists(tenant)
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
      const row = await dbClient
        .points(tenant)
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

/** A page that ended because it may cost no more goes on where it ended, however few it has found. */
function pageOf({ rows, searchedTo }: SearchResult, limit: number): Page<Entry> {
  const page = toPage(rows, limit, AUDIT_LIST, { item: (row) => toEntry(row.entry), position: (row) => row.seq });
  if (searchedTo === undefined || page.nextCursor !== undefined) return page;
  return { ...page, nextCursor: encodeCursor(AUDIT_LIST, searchedTo) };
}

/** Whether a page may have to read far: a request id leads to few entries, and all entries match none of the others. */
function isSearch({ requestId, limit: _limit, cursor: _cursor, ...filters }: AuditQuery): boolean {
  return requestId === undefined && Object.values(filters).some((value) => value !== undefined);
}

function toEntry(text: string): Entry {
  try {
    return decodeEntry(text);
  } catch (error) {
    throw new DbError('invalid', 'the stored value of audit_entries.entry is not an audit entry', error);
  }
}
