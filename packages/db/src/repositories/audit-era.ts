import { BUCKETS, ERA_SPANS, FIRST_BUCKET } from '../audit-terms.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { packEraTerms, termsOfSpan } from './audit-span-terms.ts';
import { type SpanTermsRow, type SummaryRows, summaryRows } from './audit-summary-rows.ts';

/** Rows of one statement. */
const ROWS_AT_ONCE = 16;

/** Makes the rows of an era from those of its spans. Each bucket tells for itself; by the last one sees that all are there. */
export async function summariseEra(dbClient: DbClient, log: number, era: number): Promise<void> {
  const rows = summaryRows(dbClient.points(INSTANCE_SCOPE), log);
  for (let bucket = 0; bucket < BUCKETS; bucket += ROWS_AT_ONCE) {
    const some: Awaited<ReturnType<typeof readBucket>>[] = [];
    for (let index = 0; index < ROWS_AT_ONCE; index++)
      some.push(await readBucket(rows, era, FIRST_BUCKET + bucket + index));
    await dbClient
      .writes(INSTANCE_SCOPE)
      .insertInto('audit_era_terms')
      .values(some.map((row) => ({ log, ...row })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

async function readBucket(rows: SummaryRows, era: number, bucket: number) {
  const first = era * ERA_SPANS;
  const spans = Array.from({ length: ERA_SPANS }, (_, index) => first + index);
  return { bucket, era, ...gather(await rows.spanTerms(bucket, spans), first) };
}

function gather(rows: readonly SpanTermsRow[], first: number): { untold: number; terms: Uint8Array } {
  const spansOfTerms = new Map<number, number>();
  let told = 0;
  for (const { span, untold, terms } of rows) {
    const bit = 2 ** (span - first);
    // Of a span of which not all is told any term may stand anywhere.
    if (untold === 0) told += bit;
    for (const term of termsOfSpan(terms)) spansOfTerms.set(term, ((spansOfTerms.get(term) ?? 0) | bit) >>> 0);
  }
  return { untold: ~told >>> 0, terms: packEraTerms(spansOfTerms) };
}
