import type { Entry } from '@postern/schemas';
import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { TERM_FIELDS } from '../audit-terms.ts';
import type { DbClient } from '../client.ts';
import { decodeNumberCursor, rowsToRead } from '../page.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { requestKey } from '../request-key.ts';
import type { Tables } from '../tables.ts';

export const AUDIT_LIST = 'audit_entries';

export type FoundEntry = Pick<Tables['audit_entries'], 'seq' | 'entry'>;
export type EntriesSelect = SelectQueryBuilder<Tables, 'audit_entries', { seq: number; entry: string }>;

/**
 * The first page of what matches, in one statement. Only the request id has an index; the other filters are tried on each entry from the
 * newest down, so where few match the whole log is read: `audit-search.ts` finds the same by reading less.
 */
export function selectMatching(dbClient: DbClient, tenant: string, query: AuditQuery): EntriesSelect {
  const before = decodeNumberCursor(AUDIT_LIST, query.cursor);
  const entries = selectEntries(dbClient, tenant);
  // The sign keeps engines from reading the whole log in its order when the request id leads to a few entries at once.
  let select =
    query.requestId === undefined
      ? entries.where('log', '=', logOf(tenant))
      : entries.where('request_key', '=', requestKey(query.requestId)).where(sql`+log`, '=', logOf(tenant));
  if (before !== undefined) select = select.where('seq', '<', before);
  return whereMatching(dbClient, select, query).orderBy('seq', 'desc').limit(rowsToRead(query));
}

export function selectEntries(dbClient: DbClient, tenant: string): EntriesSelect {
  return dbClient.lists(tenant).selectFrom('audit_entries').select(['seq', 'entry']);
}

/** All that a query asks for but where its page begins, tried on the text of each entry. */
export function whereMatching(
  { capabilities }: DbClient,
  given: EntriesSelect,
  query: Omit<AuditQuery, 'limit' | 'cursor'>,
): EntriesSelect {
  const { isJson, jsonText, textMember, placeOfText } = capabilities;
  const text = jsonText('entry');
  // An entry that is none any more matches every filter, so that it is found to be none.
  const where = (condition: RawBuilder<boolean>) =>
    sql<boolean>`case when ${sql.raw(isJson(text))} then ${condition} else true end`;
  let select = given;
  for (const name of ['requestId', ...TERM_FIELDS] as const) {
    const value = query[name];
    if (value === undefined) continue;
    // Most entries are told by their text alone, at a third of the cost; what has it elsewhere, within a value of another member, is taken apart.
    const holds = sql<boolean>`${sql.raw(placeOfText)}(entry, ${memberText(name, value)}) > 0`;
    const isValue = sql<boolean>`${sql.raw(textMember(text, name, 'text'))} = ${value}`;
    select = select.where(where(sql`${holds} and ${isValue}`));
  }
  const time = sql.raw(textMember(text, 'at', 'integer'));
  if (query.from !== undefined) select = select.where(where(sql`${time} >= ${query.from}`));
  if (query.to !== undefined) select = select.where(where(sql`${time} < ${query.to}`));
  return select;
}

/** The member as `encodeEntry` writes it: entries are stored in the form of RFC 8785, which is one for each value. */
function memberText(name: keyof Entry, value: string): string {
  return `"${name}":${JSON.stringify(value.toWellFormed())}`;
}

export function logOf(tenant: string) {
  return sql<number>`(select log from audit_logs where tenant = ${tenant})`;
}
