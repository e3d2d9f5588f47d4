import type { AuditBlockRow, AuditSpanRow } from '../audit-tables.ts';
import {
  BLOCK_ENTRIES,
  BUCKETS,
  blockOf,
  bucketOf,
  FIRST_BUCKET,
  NO_TERM,
  SPAN_BLOCKS,
  TERM_FIELDS,
  unpackWords,
} from '../audit-terms.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { PLACES_MAX, packSpanTerms, type SpanBucket, toStanding } from './audit-span-terms.ts';
import { type SummaryRows, summaryRows } from './audit-summary-rows.ts';

/** Rows of one statement. */
const ROWS_AT_ONCE = 32;

/** Makes the rows of a span from those of its blocks. The span's own row comes last: by it one sees what is done. */
export async function summariseSpan(dbClient: DbClient, log: number, span: number): Promise<void> {
  const rows = summaryRows(dbClient.points(INSTANCE_SCOPE), log);
  const first = span * SPAN_BLOCKS;
  const blocks = await rows.blocks(first, first + SPAN_BLOCKS - 1);
  const { columns, untold } = await readColumns(rows, first);
  const buckets = bucketsOf(columns);
  const writes = dbClient.writes(INSTANCE_SCOPE);
  for (let bucket = 0; bucket < BUCKETS; bucket += ROWS_AT_ONCE) {
    // All of them, also those in which nothing lies: a row that is missing must not look like one of these.
    const some = buckets.slice(bucket, bucket + ROWS_AT_ONCE).map(packSpanTerms);
    await writes
      .insertInto('audit_span_terms')
      .values(some.map((terms, index) => ({ log, bucket: FIRST_BUCKET + bucket + index, span, untold, terms })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  await writes
    .insertInto('audit_spans')
    .values({ log, span, ...timesOf(blocks) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** Terms of consecutive entries. */
interface Column {
  readonly firstPlace: number;
  readonly terms: Uint32Array;
}

/** Block by block: so the event loop has its turn between them. `untold` has a bit for each block whose terms are not known. */
async function readColumns(
  rows: SummaryRows,
  first: number,
): Promise<{ readonly columns: readonly Column[]; readonly untold: number }> {
  const columns: Column[] = [];
  let untold = 0;
  for (let index = 0; index < SPAN_BLOCKS; index++) {
    const found = await rows.blockTerms([first + index], FIELDS);
    if (found.length < FIELDS.length) untold += 2 ** index;
    else columns.push(...found.map((row) => ({ firstPlace: index * BLOCK_ENTRIES, terms: unpackWords(row.terms) })));
  }
  return { columns, untold };
}

const FIELDS = TERM_FIELDS.map((_name, field) => field);

/** What stands where, by bucket, not sorted yet: that is done with a few at a time. */
function bucketsOf(columns: readonly Column[]): readonly SpanBucket[] {
  const counts = new Map<number, number>();
  eachStanding(columns, (term) => counts.set(term, (counts.get(term) ?? 0) + 1));
  const left = new Uint32Array(BUCKETS);
  for (const [term, count] of counts) {
    const bucket = indexOf(term);
    if (count <= PLACES_MAX) left[bucket] = (left[bucket] as number) + count;
  }
  const buckets = Array.from(left, (count) => ({ many: new Map<number, number>(), few: new Float64Array(count) }));
  eachStanding(columns, (term, place) => {
    const bucket = indexOf(term);
    const { many, few } = buckets[bucket] as (typeof buckets)[0];
    if ((counts.get(term) as number) > PLACES_MAX) {
      many.set(term, ((many.get(term) ?? 0) | (1 << blockOf(place))) >>> 0);
    } else {
      left[bucket] = (left[bucket] as number) - 1;
      few[left[bucket] as number] = toStanding(term, place);
    }
  });
  return buckets;
}

const indexOf = (term: number) => bucketOf(term) - FIRST_BUCKET;

function eachStanding(columns: readonly Column[], visit: (term: number, place: number) => void): void {
  for (const { firstPlace, terms } of columns) {
    for (let index = 0; index < terms.length; index++) {
      const term = terms[index] as number;
      if (term !== NO_TERM) visit(term, firstPlace + index);
    }
  }
}

/** Not known where those of a block are not. */
function timesOf(blocks: readonly AuditBlockRow[]): Pick<AuditSpanRow, 'at_min' | 'at_max'> {
  const times = blocks.flatMap(({ at_min, at_max }) => (at_min === null || at_max === null ? [] : [at_min, at_max]));
  if (times.length < 2 * SPAN_BLOCKS) return { at_min: null, at_max: null };
  return { at_min: Math.min(...times), at_max: Math.max(...times) };
}
