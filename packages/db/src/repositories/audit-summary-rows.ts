import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { AuditBlockRow, AuditEraTermsRow, AuditSpanRow, AuditSpanTermsRow } from '../audit-tables.ts';
import { BUCKETS, FIRST_BUCKET, SPAN_BLOCKS } from '../audit-terms.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { Tables } from '../tables.ts';

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
  /** How many blocks are summarised behind the newest span. */
  readonly blocks: number;
  readonly newestSpan: number | null;
  readonly newestEra: number | null;
}

/** Of the logs behind `after` up to `to`, in the order of their numbers; each costs a few looks at the end of an index. */
export function readProgress(
  dbClient: DbClient,
  { after, to, limit }: { readonly after: number; readonly to: number; readonly limit: number },
): Promise<readonly LogProgress[]> {
  return dbClient
    .points(INSTANCE_SCOPE)
    .selectFrom('audit_logs')
    .select([
      'log',
      endOf('min').as('oldest'),
      endOf('max').as('newest'),
      sql<number>`(select count(*) from audit_blocks b where b.log = audit_logs.log
        and b.block >= ${sql.lit(SPAN_BLOCKS)} * (coalesce(${NEWEST_SPAN}, -1) + 1))`.as('blocks'),
      NEWEST_SPAN.as('newestSpan'),
      // An era is there when its last bucket is.
      sql<
        number | null
      >`(select max(e.era) from audit_era_terms e where e.log = audit_logs.log and e.bucket = ${sql.lit(FIRST_BUCKET + BUCKETS - 1)})`.as(
        'newestEra',
      ),
    ])
    .where('log', '>', after)
    .where('log', '<=', to)
    .orderBy('log')
    .limit(limit)
    .execute();
}

const NEWEST_SPAN = sql<number | null>`(select max(s.span) from audit_spans s where s.log = audit_logs.log)`;

function endOf(end: 'min' | 'max'): RawBuilder<number | null> {
  return sql`(select ${sql.raw(end)}(e.seq) from audit_entries e where e.log = audit_logs.log)`;
}

/** Summaries of one log, as whoever reads sees them. All ranges with both their ends; rows in no order. */
export interface SummaryRows {
  /** The terms of one bucket. */
  eraTerms(bucket: number, first: number, last: number): Promise<readonly EraTermsRow[]>;
  spans(spans: readonly number[]): Promise<readonly AuditSpanRow[]>;
  /** How far up the spans lie that may hold entries from before a time. */
  spansBefore(time: number): Promise<SpansBefore>;
  spanTerms(bucket: number, spans: readonly number[]): Promise<readonly SpanTermsRow[]>;
  blocks(first: number, last: number): Promise<readonly AuditBlockRow[]>;
  blockTerms(blocks: readonly number[], fields: readonly number[]): Promise<readonly BlockTermsRow[]>;
}

export interface SpansBefore {
  /** The newest that may; null: none does. */
  readonly last: number | null;
  /** The newest of all, and how many there are behind `last`. */
  readonly newest: number | null;
  readonly later: number;
}

export type EraTermsRow = Pick<AuditEraTermsRow, 'era' | 'untold' | 'terms'>;
export type SpanTermsRow = Pick<AuditSpanTermsRow, 'span' | 'untold' | 'terms'>;
export type BlockTermsRow = Pick<Tables['audit_block_terms'], 'block' | 'field' | 'terms'>;

export function summaryRows(reads: Kysely<Tables>, log: number): SummaryRows {
  return {
    eraTerms: (bucket, first, last) =>
      reads
        .selectFrom('audit_era_terms')
        .select(['era', 'untold', 'terms'])
        .where('log', '=', log)
        .where('bucket', '=', bucket)
        .where('era', '>=', first)
        .where('era', '<=', last)
        .execute(),
    spans: (spans) =>
      reads.selectFrom('audit_spans').selectAll().where('log', '=', log).where('span', 'in', spans).execute(),
    spansBefore: (time) => readSpansBefore(reads, log, time),
    spanTerms: (bucket, spans) =>
      reads
        .selectFrom('audit_span_terms')
        .select(['span', 'untold', 'terms'])
        .where('log', '=', log)
        .where('bucket', '=', bucket)
        .where('span', 'in', spans)
        .execute(),
    blocks: (first, last) =>
      reads
        .selectFrom('audit_blocks')
        .selectAll()
        .where('log', '=', log)
        .where('block', '>=', first)
        .where('block', '<=', last)
        .execute(),
    blockTerms: (blocks, fields) =>
      reads
        .selectFrom('audit_block_terms')
        .select(['block', 'field', 'terms'])
        .where('log', '=', log)
        .where('block', 'in', blocks)
        .where('field', 'in', fields)
        .execute(),
  };
}

async function readSpansBefore(reads: Kysely<Tables>, log: number, time: number): Promise<SpansBefore> {
  // From the newest down to the first that may: so written, an engine reads no others.
  const found = reads
    .selectFrom('audit_spans')
    .select('span')
    .where('log', '=', log)
    .where((where) => where.or([where('at_min', 'is', null), where('at_min', '<', time)]))
    .orderBy('span', 'desc')
    .limit(1);
  const row = await reads
    .with('found', () => found)
    .selectFrom('audit_spans')
    .select((select) => [
      select.selectFrom('found').select('span').as('last'),
      select.fn.max('span').as('newest'),
      sql<number>`count(*)`.as('later'),
    ])
    .where('log', '=', log)
    .where('span', '>', sql<number>`coalesce((select span from found), -1)`)
    .executeTakeFirstOrThrow();
  return { last: row.last, newest: row.newest, later: Number(row.later) };
}

/** A list of one of few lengths, the last number again and again: each length is a statement that the engine prepares. */
export function padded(numbers: readonly number[], lengths: readonly number[]): readonly number[] {
  const length = lengths.find((each) => each >= numbers.length) ?? numbers.length;
  return [...numbers, ...Array<number>(length - numbers.length).fill(numbers.at(-1) as number)];
}
