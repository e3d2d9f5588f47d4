import type { DbClient } from '../client.ts';
import { decodeNumberCursor, rowsToRead } from '../page.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { AUDIT_LIST, type EntriesSelect, type FoundEntry, selectEntries, whereMatching } from './audit-conditions.ts';
import { padded, readEnds, type SummaryRows, summaryRows } from './audit-summary-rows.ts';
import { BLOCK_ENTRIES, TERM_FIELDS, unpackWords } from './audit-terms.ts';
import { type AskedTerm, type CandidateBlock, candidateBlocks, termsOf, type WalkedLog } from './audit-walk.ts';

/** What one page may cost at most, beside what the spans tell. */
export interface SearchBounds {
  /** Entries that are read because no summary tells of them. */
  readonly entriesMax: number;
  /** Blocks whose terms are read. */
  readonly blocksMax: number;
}

export const SEARCH_BOUNDS: SearchBounds = { entriesMax: 32 * BLOCK_ENTRIES, blocksMax: 1_024 };

export interface SearchResult {
  /** The newest first; one more than the page takes where there are so many. */
  readonly rows: readonly FoundEntry[];
  /** Only from here up the log was searched: the page may cost no more. */
  readonly searchedTo?: number;
}

/** The newest entries are read as they are, so many for each that is wanted: common values need no summary. */
const FIRST_LOOK = 4;
/** Blocks whose terms are read at once. */
const BLOCKS_AT_ONCE_MAX = 32;
const BLOCKS_AT_ONCE = [2, 8, BLOCKS_AT_ONCE_MAX];
const PLACES_AT_ONCE_MAX = 256;
const PLACES_AT_ONCE = [8, 64, PLACES_AT_ONCE_MAX];

/**
 * Finds what `selectMatching` finds, from the newest entry down, and leaves out what the log's summaries tell to hold no match. A block of
 * which they do not tell is read entry by entry. What they lead to is tried on the entry itself: so they can spare work, and add nothing.
 */
export async function searchEntries(
  dbClient: DbClient,
  tenant: string,
  query: AuditQuery,
  bounds: SearchBounds = SEARCH_BOUNDS,
): Promise<SearchResult> {
  const wanted = rowsToRead(query);
  const before = decodeNumberCursor(AUDIT_LIST, query.cursor) ?? Number.POSITIVE_INFINITY;
  const ends = await readEnds(dbClient, tenant);
  if (ends === undefined || before <= ends.oldest) return { rows: [] };
  const log = { summaries: summaryRows(dbClient, tenant, ends.log), ...ends, end: Math.min(before, ends.newest + 1) };
  const select = whereMatching(dbClient, selectEntries(dbClient, tenant).where('log', '=', ends.log), query);
  const rows: FoundEntry[] = [];
  for await (const part of partsOf(log, query, bounds)) {
    if ('searchedTo' in part) return { rows, searchedTo: part.searchedTo };
    const missing = wanted - rows.length;
    const reading = 'places' in part ? readPlaces(select, part.places, missing) : readStretch(select, part, missing);
    rows.push(...(await reading));
    if (rows.length >= wanted) break;
  }
  return { rows };
}

type Batch = readonly [CandidateBlock, ...CandidateBlock[]];

interface Stretch {
  /** Inclusive. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** What may match next, from the newest down: all entries of a stretch, some places, or nothing more on this page. */
type Part = Stretch | { readonly places: readonly number[] } | { readonly searchedTo: number };

async function* partsOf(log: WalkedLog, query: AuditQuery, bounds: SearchBounds): AsyncGenerator<Part> {
  const end = Math.max(log.oldest, log.end - FIRST_LOOK * query.limit);
  yield { from: end, to: log.end };
  if (end === log.oldest) return;
  const rest = { ...log, end };
  let { entriesMax: entriesLeft, blocksMax: blocksLeft } = bounds;
  for await (const blocks of batchesOf(candidateBlocks(rest, query))) {
    blocksLeft -= blocks.filter(({ hasTerms }) => hasTerms).length;
    if (blocksLeft < 0) return yield { searchedTo: stretchOf(rest, blocks[0]).to };
    for (const part of await partsOfBlocks(rest, blocks, termsOf(query))) {
      if ('to' in part) entriesLeft -= part.to - part.from;
      if ('to' in part && entriesLeft < 0) return yield { searchedTo: part.to };
      yield part;
    }
  }
}

/** Small batches first: often the newest few hold all that is wanted. */
async function* batchesOf(blocks: AsyncIterable<CandidateBlock>): AsyncGenerator<Batch> {
  let batch: CandidateBlock[] = [];
  let batches = 0;
  for await (const block of blocks) {
    batch.push(block);
    if (batch.length < (BLOCKS_AT_ONCE[batches] ?? BLOCKS_AT_ONCE_MAX)) continue;
    yield batch as unknown as Batch;
    batch = [];
    batches += 1;
  }
  if (batch.length > 0) yield batch as unknown as Batch;
}

/** What in some blocks may match, in their order. */
async function partsOfBlocks(log: WalkedLog, blocks: Batch, terms: readonly AskedTerm[]): Promise<readonly Part[]> {
  const tell = await readTerms(log.summaries, blocks, terms);
  const parts: Part[] = [];
  let places: number[] = [];
  for (const candidate of blocks) {
    const stretch = stretchOf(log, candidate);
    const found = candidate.hasTerms ? tell(candidate.block) : undefined;
    if (found !== undefined) {
      places.push(...found.filter((place) => place >= stretch.from && place < stretch.to));
      continue;
    }
    if (places.length > 0) parts.push({ places });
    places = [];
    parts.push(stretch);
  }
  if (places.length > 0) parts.push({ places });
  return parts;
}

function stretchOf({ oldest, end }: WalkedLog, { block }: CandidateBlock): Stretch {
  return { from: Math.max(oldest, block * BLOCK_ENTRIES), to: Math.min(end, (block + 1) * BLOCK_ENTRIES) };
}

/** Tells the places in a block at which all the terms stand, the newest first; undefined where it is not known. */
async function readTerms(
  summaries: SummaryRows,
  blocks: readonly CandidateBlock[],
  terms: readonly AskedTerm[],
): Promise<(block: number) => readonly number[] | undefined> {
  const told = blocks.filter(({ hasTerms }) => hasTerms).map(({ block }) => block);
  if (told.length === 0) return () => undefined;
  const fields = terms.map(({ field }) => field);
  const rows = await summaries.blockTerms(padded(told, BLOCKS_AT_ONCE), fields);
  const byPlace = new Map(rows.map((row) => [keyOf(row.block, row.field), unpackWords(row.terms)]));
  return (block) => {
    const columns = terms.map(({ field, term }) => ({ term, words: byPlace.get(keyOf(block, field)) }));
    return columns.every(isWhole) ? placesIn(columns).map((place) => block * BLOCK_ENTRIES + place) : undefined;
  };
}

interface Column {
  readonly term: number;
  readonly words: Uint32Array;
}

function isWhole(column: { readonly term: number; readonly words: Uint32Array | undefined }): column is Column {
  return column.words?.length === BLOCK_ENTRIES;
}

/** Where each column holds its term, from the last place down. */
function placesIn([first, ...others]: readonly Column[]): number[] {
  const places: number[] = [];
  if (first === undefined) return places;
  let place = first.words.lastIndexOf(first.term);
  while (place !== -1) {
    const at = place;
    if (others.every(({ term, words }) => words[at] === term)) places.push(at);
    place = at === 0 ? -1 : first.words.lastIndexOf(first.term, at - 1);
  }
  return places;
}

function keyOf(block: number, field: number): number {
  return block * TERM_FIELDS.length + field;
}

function readStretch(select: EntriesSelect, { from, to }: Stretch, limit: number): Promise<readonly FoundEntry[]> {
  return select.where('seq', '>=', from).where('seq', '<', to).orderBy('seq', 'desc').limit(limit).execute();
}

/** A place may be of another value of the same term, or pruned: so there may be fewer. */
async function readPlaces(select: EntriesSelect, places: readonly number[], limit: number): Promise<FoundEntry[]> {
  const rows: FoundEntry[] = [];
  for (let first = 0; first < places.length && rows.length < limit; ) {
    const count = PLACES_AT_ONCE.find((each) => each >= limit - rows.length) ?? PLACES_AT_ONCE_MAX;
    const some = padded(places.slice(first, first + count), PLACES_AT_ONCE);
    rows.push(...(await select.where('seq', 'in', some).orderBy('seq', 'desc').execute()));
    first += count;
  }
  return rows.slice(0, limit);
}
