import type { AuditSpanRow } from '../audit-tables.ts';
import type { AuditQuery } from '../ports/audit.ts';
import type { SummaryRows } from './audit-summary-rows.ts';
import { BLOCK_ENTRIES, blocksOf, bucketOf, SPAN_BLOCKS, TERM_FIELDS, termOf } from './audit-terms.ts';

/** A value that is asked for. */
export interface AskedTerm {
  /** The number of the field. */
  readonly field: number;
  readonly term: number;
}

export function termsOf(query: AuditQuery): readonly AskedTerm[] {
  return TERM_FIELDS.flatMap((name, field) => {
    const value = query[name];
    return value === undefined ? [] : [{ field, term: termOf(name, value) }];
  });
}

/** A block that may hold a match. */
export interface CandidateBlock {
  readonly block: number;
  /** Its terms may tell which entries; false: each is to be read. */
  readonly hasTerms: boolean;
}

export interface WalkedLog {
  readonly summaries: SummaryRows;
  /** The place behind the newest entry of interest. */
  readonly end: number;
  readonly oldest: number;
}

/** Spans whose rows are read at once: few at first, for most of what is asked for is found soon. */
const SPANS_AT_FIRST = 16;
const SPANS_AT_ONCE = 256;

/** All 32 bits. */
const ALL_BLOCKS = -1;

export const blockOf = (seq: number) => Math.floor(seq / BLOCK_ENTRIES);
export const spanOf = (block: number) => Math.floor(block / SPAN_BLOCKS);

/** The blocks that may hold a match, from the newest down: all of which no summary tells the contrary. */
export async function* candidateBlocks(log: WalkedLog, query: AuditQuery): AsyncGenerator<CandidateBlock> {
  const terms = termsOf(query);
  const [newest, oldest] = [blockOf(log.end - 1), blockOf(log.oldest)];
  const within = ({ block }: CandidateBlock) => block <= newest && block >= oldest;
  let asked: AskedSpans = { lowest: Number.POSITIVE_INFINITY, spans: new Map() };
  let atOnce = SPANS_AT_FIRST;
  for (let span = spanOf(newest); span >= spanOf(oldest); span--) {
    if (span < asked.lowest) {
      asked = await askSpans(log.summaries, { span, limit: atOnce, terms, query });
      atOnce = SPANS_AT_ONCE;
    }
    const blocks = asked.spans.get(span);
    // Those of a span that is not summarised yet tell of themselves; so do those of any span when only a time is asked for.
    if (blocks === undefined || (blocks !== 0 && terms.length === 0)) {
      yield* (await blocksOfSpan(log.summaries, span, query)).filter(within);
    } else {
      yield* bitsDown(blocks)
        .map((bit) => ({ block: span * SPAN_BLOCKS + bit, hasTerms: true }))
        .filter(within);
    }
  }
}

interface AskedSpans {
  /** From this one up all that there are of are in `spans`. */
  readonly lowest: number;
  /** A bit for each block that may hold a match. */
  readonly spans: ReadonlyMap<number, number>;
}

interface SpanQuestion {
  readonly span: number;
  readonly limit: number;
  readonly terms: readonly AskedTerm[];
  readonly query: AuditQuery;
}

async function askSpans(summaries: SummaryRows, { span, limit, terms, query }: SpanQuestion): Promise<AskedSpans> {
  const rows = await summaries.spansDown(span, limit);
  const lowest = rows.length < limit ? Number.NEGATIVE_INFINITY : (rows.at(-1) as AuditSpanRow).span;
  const inTime = rows.filter((row) => overlaps(row, query));
  const spans = new Map(rows.map((row) => [row.span, 0]));
  const [first, last] = [inTime.at(-1), inTime[0]];
  if (first === undefined || last === undefined) return { lowest, spans };
  const told = await Promise.all(terms.map(({ term }) => tellTerm(summaries, term, first.span, last.span)));
  for (const { span: number, untold } of inTime) {
    const blocks = told.reduce((all, bySpan) => all & (bySpan.get(number) ?? ALL_BLOCKS), ALL_BLOCKS);
    spans.set(number, blocks | untold);
  }
  return { lowest, spans };
}

/** By span: a bit for each block in which the term stands. */
async function tellTerm(summaries: SummaryRows, term: number, first: number, last: number) {
  const rows = await summaries.spanTerms(bucketOf(term), first, last);
  return new Map(rows.map(({ span, terms }) => [span, blocksOf(terms, term)]));
}

async function blocksOfSpan(summaries: SummaryRows, span: number, query: AuditQuery): Promise<CandidateBlock[]> {
  const first = span * SPAN_BLOCKS;
  const rows = new Map((await summaries.blocks(first, first + SPAN_BLOCKS - 1)).map((row) => [row.block, row]));
  const isTermless = termsOf(query).length === 0;
  return bitsDown(ALL_BLOCKS)
    .map((bit) => first + bit)
    .filter((block) => overlaps(rows.get(block), query))
    .map((block) => ({ block, hasTerms: rows.has(block) && !isTermless }));
}

/** Whether entries of the time asked for may be there; of what is not known they may. */
function overlaps(row: Pick<AuditSpanRow, 'at_min' | 'at_max'> | undefined, { from, to }: AuditQuery): boolean {
  if (row === undefined || row.at_min === null || row.at_max === null) return true;
  return (to === undefined || row.at_min < to) && (from === undefined || row.at_max >= from);
}

/** The numbers of the bits that are set, the highest first. */
function bitsDown(bits: number): number[] {
  return Array.from({ length: SPAN_BLOCKS }, (_, index) => SPAN_BLOCKS - 1 - index).filter(
    (bit) => ((bits >>> bit) & 1) === 1,
  );
}
