import { type RawBuilder, sql } from 'kysely';
import type { AuditBlockRow, AuditSpanRow, AuditSpanTermsRow } from '../audit-tables.ts';
import { type DbClient, INSTANCE_SCOPE, type TenantScope } from '../client.ts';
import type { Tables } from '../tables.ts';
import { bucketOf, packWords } from './audit-terms.ts';

/** The places that a log holds, from and to; both are held. */
export interface LogEnds {
  readonly log: number;
  readonly oldest: number;
  readonly newest: number;
}

/** Undefined for a tenant whose log holds nothing. */
export async function readEnds(dbClient: DbClient, tenant: string): Promise<LogEnds | undefined> {
  const row = await dbClient
    .lists(tenant)
    .selectFrom('audit_logs')
    .select(['log', endOf('min').as('oldest'), endOf('max').as('newest')])
    .where('tenant', '=', tenant)
    .executeTakeFirst();
  if (row === undefined || row.oldest === null || row.newest === null) return undefined;
  return { log: row.log, oldest: row.oldest, newest: row.newest };
}

/** How far a log is summarised. */
export interface LogProgress {
  readonly log: number;
  readonly oldest: number | null;
  readonly newest: number | null;
  readonly newestBlock: number | null;
  readonly newestSpan: number | null;
}

/** Of the logs behind `after` up to `to`, in the order of their numbers; each costs four looks at the end of an index. */
export function readProgress(
  dbClient: DbClient,
  { after, to, limit }: { readonly after: number; readonly to: number; readonly limit: number },
): Promise<readonly LogProgress[]> {
  return dbClient
    .lists(INSTANCE_SCOPE)
    .selectFrom('audit_logs')
    .select([
      'log',
      endOf('min').as('oldest'),
      endOf('max').as('newest'),
      sql<number | null>`(select max(b.block) from audit_blocks b where b.log = audit_logs.log)`.as('newestBlock'),
      sql<number | null>`(select max(s.span) from audit_spans s where s.log = audit_logs.log)`.as('newestSpan'),
    ])
    .where('log', '>', after)
    .where('log', '<=', to)
    .orderBy('log')
    .limit(limit)
    .execute();
}

function endOf(end: 'min' | 'max'): RawBuilder<number | null> {
  return sql`(select ${sql.raw(end)}(e.seq) from audit_entries e where e.log = audit_logs.log)`;
}

/** Summaries of one log, as a tenant or the whole instance sees them. All ranges with both their ends, in no order. */
export interface SummaryRows {
  spans(first: number, last: number): Promise<readonly AuditSpanRow[]>;
  /** What the spans tell of a term; `terms` is null where it stands nowhere in the span. */
  spanTerms(term: number, first: number, last: number): Promise<readonly SpanTermsRow[]>;
  blocks(first: number, last: number): Promise<readonly AuditBlockRow[]>;
  blockTerms(blocks: readonly number[], fields: readonly number[]): Promise<readonly BlockTermsRow[]>;
}

export type SpanTermsRow = Pick<AuditSpanTermsRow, 'span' | 'untold'> & { readonly terms: Uint8Array | null };
export type BlockTermsRow = Pick<Tables['audit_block_terms'], 'block' | 'field' | 'terms'>;

export function summaryRows(dbClient: DbClient, scope: TenantScope, log: number): SummaryRows {
  const lists = dbClient.lists(scope);
  const contains = sql.raw<boolean>(dbClient.capabilities.bytesContain('t.terms', 'sought.term'));
  return {
    spans: (first, last) =>
      lists
        .selectFrom('audit_spans')
        .selectAll()
        .where('log', '=', log)
        .where('span', '>=', first)
        .where('span', '<=', last)
        .execute(),
    async spanTerms(term, first, last) {
      const { bytesType } = dbClient.capabilities;
      // Most spans hold most terms not: their bytes need not come.
      const { rows } = await sql<SpanTermsRow>`
        with sought (term) as (select cast(${packWords([term])} as ${sql.raw(bytesType)}))
        select t.span, t.untold, case when ${contains} then t.terms end as terms from audit_span_terms t, sought
        where t.log = ${log} and t.bucket = ${bucketOf(term)} and t.span >= ${first} and t.span <= ${last}`.execute(
        lists,
      );
      return rows;
    },
    blocks: (first, last) =>
      lists
        .selectFrom('audit_blocks')
        .selectAll()
        .where('log', '=', log)
        .where('block', '>=', first)
        .where('block', '<=', last)
        .execute(),
    blockTerms: (blocks, fields) =>
      lists
        .selectFrom('audit_block_terms')
        .select(['block', 'field', 'terms'])
        .where('log', '=', log)
        .where('block', 'in', blocks)
        .where('field', 'in', fields)
        .execute(),
  };
}

/** A list of one of few lengths, the last number again and again: each length is a statement that the engine prepares. */
export function padded(numbers: readonly number[], lengths: readonly number[]): readonly number[] {
  const length = lengths.find((each) => each >= numbers.length) ?? numbers.length;
  return [...numbers, ...Array<number>(length - numbers.length).fill(numbers.at(-1) as number)];
}
