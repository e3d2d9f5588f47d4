import type { AuditSpanRow } from '../audit-tables.ts';
import {
  blockOf,
  bucketOf,
  ERA_SPANS,
  eraOf,
  SPAN_BLOCKS,
  SPAN_ENTRIES,
  spanOf,
  TERM_FIELDS,
  termOf,
} from '../audit-terms.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { blocksOf, findTerm, type TermInSpan } from './audit-span-terms.ts';
import { padded, type SummaryRows } from './audit-summary-rows.ts';

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

/** Spans that are asked at once: few at first, for most of what is asked for is found soon. */
const SPANS_AT_ONCE = [24, 64, 128];
const ERAS_AT_ONCE = 64;
/** All 32 bits. */
const ALL = 0xffff_ffff;

/** Where matches may be, from the newest down: wherever no summary tells the contrary. */
export async function* candidatesOf(log: WalkedLog, query: AuditQuery): AsyncGenerator<Candidate> {
  const terms = termsOf(query);
  for await (const spans of batchesOf(spansDown(log, query), SPANS_AT_ONCE)) {
    const asked = await askSpans(log.summaries, { spans, terms, query });
    for (const span of spans) {
      if (!overlaps(asked.times.get(span), query)) continue;
      const told = tellSpan(asked.terms.get(span) ?? []);
      if (told !== undefined && 'places' in told) {
        yield* placesOfSpan(log, span, told.places);
      } else if (told !== undefined && !isTimed(query)) {
        yield* blocksDown(log, span, told.blocks).map((block) => ({ block, hasTerms: true }));
      } else {
        // Its blocks tell of themselves when the span is not summarised, and when it tells only some of what is asked for.
        yield* await blocksOfSpan(log, query, { span, bits: told?.blocks ?? ALL });
      }
    }
  }
}

/** Batches of growing length, the last length again and again. `isFull` says when a batch has its length. */
export async function* batchesOf<Item>(
  items: AsyncIterable<Item>,
  lengths: readonly number[],
  isFull: (batch: readonly Item[], length: number) => boolean = (batch, length) => batch.length >= length,
): AsyncGenerator<readonly Item[]> {
  let batch: Item[] = [];
  let batches = 0;
  for await (const item of items) {
    batch.push(item);
    if (!isFull(batch, lengths[batches] ?? (lengths.at(-1) as number))) continue;
    yield batch;
    batch = [];
    batches += 1;
  }
  if (batch.length > 0) yield batch;
}

/** The spans in which all the terms stand, as far as eras tell, and none that lie behind the time that is asked for. */
async function* spansDown(log: WalkedLog, query: AuditQuery): AsyncGenerator<number> {
  const { summaries, end, oldest } = log;
  const terms = termsOf(query);
  const [newestSpan, oldestSpan] = [spanOf(blockOf(end - 1)), spanOf(blockOf(oldest))];
  const isLater = query.to === undefined ? () => false : await tellLater(log, query.to);
  for (let last = eraOf(newestSpan); last >= eraOf(oldestSpan); last -= ERAS_AT_ONCE) {
    const first = Math.max(eraOf(oldestSpan), last + 1 - ERAS_AT_ONCE);
    const told = await Promise.all(terms.map(({ term }) => tellEras(summaries, term, first, last)));
    for (let era = last; era >= first; era--) {
      const bits = told.reduce((all, byEra) => all & (byEra.get(era) ?? ALL), ALL);
      yield* bitsDown(bits)
        .map((bit) => era * ERA_SPANS + bit)
        .filter((span) => span <= newestSpan && span >= oldestSpan && !isLater(span));
    }
  }
}

/** Tells of a span whether all its entries are of `to` and later; where a row is missing above the last that may not be, of none. */
async function tellLater({ summaries, oldest }: WalkedLog, to: number): Promise<(span: number) => boolean> {
  const { last, newest, later } = await summaries.spansBefore(to);
  const edge = last ?? spanOf(blockOf(oldest)) - 1;
  if (newest === null || later !== newest - edge) return () => false;
  return (span) => span > edge && span <= newest;
}

/** By era: a bit for each span in which the term may stand. */
async function tellEras(
  summaries: SummaryRows,
  term: number,
  first: number,
  last: number,
): Promise<Map<number, number>> {
  const rows = await summaries.eraTerms(bucketOf(term), first, last);
  return new Map(
    rows.map(({ era, untold, terms }) => {
      const found = findTerm(terms, term);
      return [era, untold | (found !== undefined && 'blocks' in found ? found.blocks : 0)];
    }),
  );
}

interface AskedSpans {
  readonly times: ReadonlyMap<number, AuditSpanRow>;
  /** What each span was asked for; undefined: it does not know. */
  readonly terms: ReadonlyMap<number, readonly (ToldTerm | undefined)[]>;
}

interface ToldTerm {
  readonly untold: number;
  readonly found: TermInSpan;
}

interface SpanQuestion {
  /** From the newest down. */
  readonly spans: readonly number[];
  readonly terms: readonly AskedTerm[];
  readonly query: AuditQuery;
}

/** So few places are looked at rather than compared with where the other terms stand. */
const FEW_PLACES = 8;

async function askSpans(summaries: SummaryRows, { spans, terms, query }: SpanQuestion): Promise<AskedSpans> {
  const times = isTimed(query) ? await summaries.spans(padded(spans, SPANS_AT_ONCE)) : [];
  const told = new Map<number, (ToldTerm | undefined)[]>(spans.map((span) => [span, []]));
  let open = spans;
  for (const { term } of terms) {
    if (open.length === 0) break;
    const rows = await summaries.spanTerms(bucketOf(term), padded(open, SPANS_AT_ONCE));
    const bySpan = new Map(rows.map((row) => [row.span, row]));
    for (const span of open) {
      const row = bySpan.get(span);
      told.get(span)?.push(row && { untold: row.untold, found: findTerm(row.terms, term) ?? NOWHERE });
    }
    open = open.filter((span) => !hasFewPlaces(told.get(span)?.at(-1)));
  }
  return { times: new Map(times.map((row) => [row.span, row])), terms: told };
}

function hasFewPlaces(told: ToldTerm | undefined): boolean {
  return told !== undefined && told.untold === 0 && 'places' in told.found && told.found.places.length <= FEW_PLACES;
}

const NOWHERE: TermInSpan = { places: [] };

/** Where all terms stand; undefined when nothing is known of one of them, or none is asked for. */
function tellSpan(told: readonly (ToldTerm | undefined)[]): TermInSpan | undefined {
  if (told.length === 0 || !told.every((each) => each !== undefined)) return undefined;
  const untold = told.reduce((bits, each) => bits | each.untold, 0);
  const found = told.map((each) => each.found);
  const blocks = found.reduce((bits, each) => bits & ('blocks' in each ? each.blocks : blocksOf(each.places)), ALL);
  const [places, ...others] = found.filter((each) => 'places' in each).map((each) => each.places);
  if (untold !== 0 || places === undefined) return { blocks: blocks | untold };
  const isIn = (place: number) => ((blocks >>> blockOf(place)) & 1) === 1;
  return { places: places.filter((place) => isIn(place) && others.every((other) => other.includes(place))) };
}

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
  return bitsDown(bits)
    .map((bit) => span * SPAN_BLOCKS + bit)
    .filter((block) => block <= blockOf(end - 1) && block >= blockOf(oldest));
}

/** The numbers of the bits that are set, the highest first. */
function bitsDown(bits: number): number[] {
  return Array.from({ length: 32 }, (_, index) => 31 - index).filter((bit) => ((bits >>> bit) & 1) === 1);
}
