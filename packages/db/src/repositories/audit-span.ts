import { setImmediate } from 'node:timers/promises';
import type { AuditBlockRow, AuditSpanRow } from '../audit-tables.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { type SummaryRows, summaryRows } from './audit-summary-rows.ts';
import { BUCKETS, bucketOf, NO_TERM, packWords, SPAN_BLOCKS, TERM_FIELDS, unpackWords } from './audit-terms.ts';

/** Rows of one statement. */
const ROWS_AT_ONCE = 32;

/** Makes the rows of a span from those of its blocks. The span's own row comes last: from there on it counts. */
export async function summariseSpan(dbClient: DbClient, log: number, span: number): Promise<void> {
  const rows = summaryRows(dbClient, INSTANCE_SCOPE, log);
  const first = span * SPAN_BLOCKS;
  const blocks = await rows.blocks(first, first + SPAN_BLOCKS - 1);
  const { blocksOfTerm, untold } = await gatherTerms(rows, first);
  await setImmediate();
  const buckets = packBuckets(blocksOfTerm).map((terms, bucket) => ({ log, bucket, span, terms }));
  const writes = dbClient.writes(INSTANCE_SCOPE);
  for (let index = 0; index < BUCKETS; index += ROWS_AT_ONCE) {
    await writes
      .insertInto('audit_span_terms')
      .values(buckets.slice(index, index + ROWS_AT_ONCE))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  await writes
    .insertInto('audit_spans')
    .values({ log, span, ...timesOf(blocks), untold })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

interface SpanTerms {
  /** A bit for each block in which the term stands. */
  readonly blocksOfTerm: ReadonlyMap<number, number>;
  /** A bit for each block whose terms are not known. */
  readonly untold: number;
}

/** Block by block: a span has so many terms that the event loop would be held up by all at once. */
async function gatherTerms(rows: SummaryRows, first: number): Promise<SpanTerms> {
  const blocksOfTerm = new Map<number, number>();
  const fields = TERM_FIELDS.map((_name, field) => field);
  let untold = 0;
  for (let index = 0; index < SPAN_BLOCKS; index++) {
    const bit = (1 << index) >>> 0;
    const columns = await rows.blockTerms([first + index], fields);
    if (columns.length < fields.length) untold += bit;
    for (const { terms } of columns) {
      for (const term of unpackWords(terms)) {
        if (term !== NO_TERM) blocksOfTerm.set(term, ((blocksOfTerm.get(term) ?? 0) | bit) >>> 0);
      }
    }
  }
  return { blocksOfTerm, untold };
}

/** All of them, also those in which nothing lies: a row that is missing must not look like one of these. */
function packBuckets(blocksOfTerm: ReadonlyMap<number, number>): readonly Uint8Array[] {
  const terms = Array.from({ length: BUCKETS }, (): number[] => []);
  for (const term of blocksOfTerm.keys()) terms[bucketOf(term)]?.push(term);
  return terms.map((bucket) => {
    bucket.sort((left, right) => left - right);
    return packWords(bucket.flatMap((term) => [term, blocksOfTerm.get(term) ?? 0]));
  });
}

/** Not known where those of a block are not. */
function timesOf(blocks: readonly AuditBlockRow[]): Pick<AuditSpanRow, 'at_min' | 'at_max'> {
  const times = blocks.flatMap(({ at_min, at_max }) => (at_min === null || at_max === null ? [] : [at_min, at_max]));
  if (times.length < 2 * SPAN_BLOCKS) return { at_min: null, at_max: null };
  return { at_min: Math.min(...times), at_max: Math.max(...times) };
}
