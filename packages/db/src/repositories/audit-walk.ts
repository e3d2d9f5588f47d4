import type { AuditSpanRow } from '../audit-tables.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { blocksOf, findTerm, type TermInSpan } from './audit-span-terms.ts';
import type { SummaryRows } from './audit-summary-rows.ts';
import { BLOCK_ENTRIES, SPAN_BLOCKS, SPAN_ENTRIES, TERM_FIELDS, termOf } from './audit-terms.ts';

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

/** Where a match may be. */
export type Candidate =
  /** In a block; `hasTerms`: its terms may tell at which places, else each entry is read. */
  | { readonly block: number; readonly hasTerms: boolean }
  /** At some places, the newest first. */
  | { readonly places: readonly number[] };

export interface WalkedLog {
  readonly summaries: SummaryRows;
  /** The place behind the newest entry of interest. */
  readonly end: number;
  readonly oldest: number;
}

/** Spans of which is read at once: few at first, for most of what is asked for is found soon. */
const SPANS_AT_FIRST = 16;
const SPANS_AT_ONCE = 256;
/** All 32 bits. */
const ALL_BLOCKS = 0xffff_ffff;

export const blockOf = (seq: number) => Math.floor(seq / BLOCK_ENTRIES);
export const spanOf = (block: number) => Math.floor(block / SPAN_BLOCKS);

/** Where matches may be, from the newest down: wherever no summary tells the contrary. */
export async function* candidatesOf(log: WalkedLog, query: AuditQuery): AsyncGenerator<Candidate> {
  const terms = termsOf(query);
  const oldest = spanOf(blockOf(log.oldest));
  let asked: AskedSpans | undefined;
  for (let span = spanOf(blockOf(log.end - 1)); span >= oldest; span--) {
    if (asked === undefined || span < asked.first) {
      const first = Math.max(oldest, span + 1 - (asked === undefined ? SPANS_AT_FIRST : SPANS_AT_ONCE));
      asked = await askSpans(log.summaries, { first, last: span, terms, query });
    }
    if (!overlaps(asked.times.get(span), query)) continue;
    const told = tellSpan(asked.terms.map((bySpan) => bySpan.get(span)));
    if (told !== undefined && 'places' in told) {
      yield* placesOfSpan(log, span, told.places);
    } else if (told !== undefined && !isTimed(query)) {
      yield* blocksDown(log, span, told.blocks).map((block) => ({ block, hasTerms: true }));
    } else {
      // Its blocks tell of themselves when the span is not summarised, and when it tells only some of what is asked for.
      yield* await blocksOfSpan(log, query, { span, bits: told?.blocks ?? ALL_BLOCKS });
    }
  }
}

interface AskedSpans {
  readonly first: number;
  readonly times: ReadonlyMap<number, AuditSpanRow>;
  /** For each term that is asked for. */
  readonly terms: readonly ReadonlyMap<number, ToldTerm>[];
}

interface ToldTerm {
  readonly untold: number;
  /** Undefined: it stands nowhere in the span. */
  readonly found: TermInSpan | undefined;
}

interface SpanQuestion {
  readonly first: number;
  readonly last: number;
  readonly terms: readonly AskedTerm[];
  readonly query: AuditQuery;
}

async function askSpans(summaries: SummaryRows, question: SpanQuestion): Promise<AskedSpans> {
  const { first, last, terms, query } = question;
  const [times, ...told] = await Promise.all([
    isTimed(query) ? summaries.spans(first, last) : [],
    ...terms.map(async ({ term }) => {
      const rows = await summaries.spanTerms(term, first, last);
      return rows.map(({ span, untold, terms: bytes }) => {
        return [span, { untold, found: bytes === null ? undefined : findTerm(bytes, term) }] as const;
      });
    }),
  ]);
  return { first, times: new Map(times.map((row) => [row.span, row])), terms: told.map((rows) => new Map(rows)) };
}

/** Where all terms stand; undefined when nothing is known of one of them, or none is asked for. */
function tellSpan(told: readonly (ToldTerm | undefined)[]): TermInSpan | undefined {
  if (told.length === 0 || !told.every((each) => each !== undefined)) return undefined;
  const untold = told.reduce((bits, each) => bits | each.untold, 0);
  const found = told.map((each) => each.found ?? NOWHERE);
  const blocks = found.reduce(
    (bits, each) => bits & ('blocks' in each ? each.blocks : blocksOf(each.places)),
    ALL_BLOCKS,
  );
  const lists = found.filter((each) => 'places' in each).map(({ places }) => places);
  const [places, ...others] = lists;
  if (untold !== 0 || places === undefined) return { blocks: blocks | untold };
  const isIn = (place: number) => ((blocks >>> blockOf(place)) & 1) === 1;
  return { places: places.filter((place) => isIn(place) && others.every((other) => other.includes(place))) };
}

const NOWHERE: TermInSpan = { places: [] };

function placesOfSpan({ end, oldest }: WalkedLog, span: number, told: readonly number[]): Candidate[] {
  const places = told.map((place) => span * SPAN_ENTRIES + place).filter((place) => place < end && place >= oldest);
  return places.length === 0 ? [] : [{ places }];
}

async function blocksOfSpan(
  log: WalkedLog,
  query: AuditQuery,
  { span, bits }: { readonly span: number; readonly bits: number },
): Promise<Candidate[]> {
  const blocks = blocksDown(log, span, bits);
  const [last, first] = [blocks[0], blocks.at(-1)];
  if (first === undefined || last === undefined) return [];
  const rows = new Map((await log.summaries.blocks(first, last)).map((row) => [row.block, row]));
  const isAskedFor = termsOf(query).length > 0;
  return blocks
    .filter((block) => overlaps(rows.get(block), query))
    .map((block) => ({ block, hasTerms: isAskedFor && rows.has(block) }));
}

function isTimed({ from, to }: AuditQuery): boolean {
  return from !== undefined || to !== undefined;
}

/** Whether entries of the time asked for may be there; of what is not known they may. */
function overlaps(row: Pick<AuditSpanRow, 'at_min' | 'at_max'> | undefined, { from, to }: AuditQuery): boolean {
  if (row === undefined || row.at_min === null || row.at_max === null) return true;
  return (to === undefined || row.at_min < to) && (from === undefined || row.at_max >= from);
}

/** Those of a span's blocks whose bits are set, the newest first, as far as they are of interest. */
function blocksDown({ end, oldest }: WalkedLog, span: number, bits: number): number[] {
  return Array.from({ length: SPAN_BLOCKS }, (_, index) => SPAN_BLOCKS - 1 - index)
    .filter((bit) => ((bits >>> bit) & 1) === 1)
    .map((bit) => span * SPAN_BLOCKS + bit)
    .filter((block) => block <= blockOf(end - 1) && block >= blockOf(oldest));
}
