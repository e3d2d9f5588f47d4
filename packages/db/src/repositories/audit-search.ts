import { BLOCK_ENTRIES, TERM_FIELDS, unpackWords } from '../audit-terms.ts';
import type { DbClient } from '../client.ts';
import { decodeNumberCursor, rowsToRead } from '../page.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { AUDIT_LIST, type EntriesSelect, type FoundEntry, selectEntries, whereMatching } from './audit-conditions.ts';
import { padded, readEnds, summaryRows } from './audit-summary-rows.ts';
import { type AskedTerm, batchesOf, type Candidate, candidatesOf, termsOf, type WalkedLog } from './audit-walk.ts';

/** What one page may cost at most, beside what the spans tell. */
export interface SearchBounds {
  /** Entries that are tried. */
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
/** Places up to so many times what a page lacks are few. */
const FEW_FOR_PAGE = 2;
/** Blocks that are looked at at once: few at first, for often those lead to all that is wanted. */
const BLOCKS_AT_ONCE = [8, 32];
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
  const summaries = summaryRows(dbClient.lists(tenant), ends.log);
  const log = { summaries, ...ends, end: Math.min(before, ends.newest + 1) };
  const select = whereMatching(dbClient, selectEntries(dbClient, tenant).where('log', '=', ends.log), query);
  const rows: FoundEntry[] = [];
  for await (const part of partsOf(log, query, bounds)) {
    if ('searchedTo' in part) return { rows, searchedTo: part.searchedTo };
    rows.push(...(await readPart(select, part, wanted - rows.length)));
    if (rows.length >= wanted) break;
  }
  return { rows };
}

interface Stretch {
  /** Inclusive. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** What may match next, from the newest down: all entries of a stretch, and behind it some places. */
interface Part extends Stretch {
  readonly places: readonly number[];
}

async function* partsOf(
  log: WalkedLog,
  query: AuditQuery,
  bounds: SearchBounds,
): AsyncGenerator<Part | { readonly searchedTo: number }> {
  const end = Math.max(log.oldest, log.end - FIRST_LOOK * query.limit);
  yield { from: end, to: log.end, places: [] };
  if (end === log.oldest) return;
  const rest = { ...log, end };
  let { entriesMax: entriesLeft, blocksMax: blocksLeft } = bounds;
  const terms = termsOf(query);
  // Where no value is asked for, nearly all of what a block holds is of the time that is.
  const isFull = (batch: readonly Candidate[], length: number) =>
    terms.length === 0 || batch.filter(isBlock).length >= length || placesOf(batch) > query.limit;
  for await (const batch of batchesOf(candidatesOf(rest, query), BLOCKS_AT_ONCE, isFull)) {
    blocksLeft -= batch.filter((candidate) => isBlock(candidate) && candidate.hasTerms).length;
    if (blocksLeft < 0) return yield { searchedTo: endOf(rest, batch[0] as Candidate) };
    for (const part of await partsOfBatch(rest, batch, terms)) {
      entriesLeft -= part.to - part.from + part.places.length;
      if (entriesLeft < 0) return yield { searchedTo: part.to };
      yield part;
    }
  }
}

function placesOf(batch: readonly Candidate[]): number {
  return batch.reduce((count, each) => count + ('places' in each ? each.places.length : 0), 0);
}

/** In the order of the candidates. */
async function partsOfBatch(
  log: WalkedLog,
  batch: readonly Candidate[],
  terms: readonly AskedTerm[],
): Promise<readonly Part[]> {
  const tell = await readTerms(log, batch, terms);
  const parts: (Part & { readonly places: number[] })[] = [];
  const addPlaces = (places: readonly number[]) => {
    const [newest] = places;
    const last = parts.at(-1);
    if (last !== undefined) last.places.push(...places);
    else if (newest !== undefined) parts.push({ from: newest + 1, to: newest + 1, places: [...places] });
  };
  for (const candidate of batch) {
    const found = 'places' in candidate ? candidate : tell(candidate);
    if ('places' in found) addPlaces(found.places.filter((place) => place >= log.oldest && place < log.end));
    else parts.push({ ...found, places: [] });
  }
  return parts;
}

function isBlock(candidate: Candidate): candidate is CandidateBlock {
  return 'block' in candidate;
}

type CandidateBlock = Exclude<Candidate, { readonly places: readonly number[] }>;

function stretchOf({ oldest, end }: WalkedLog, { block }: CandidateBlock): Stretch {
  return { from: Math.max(oldest, block * BLOCK_ENTRIES), to: Math.min(end, (block + 1) * BLOCK_ENTRIES) };
}

/** The place behind the newest that the candidate may lead to. */
function endOf(log: WalkedLog, candidate: Candidate): number {
  return 'places' in candidate ? (candidate.places[0] as number) + 1 : stretchOf(log, candidate).to;
}

/** Tells the places in a block at which all the terms stand, the newest first; where that is not known, all of it. */
async function readTerms(
  log: WalkedLog,
  batch: readonly Candidate[],
  terms: readonly AskedTerm[],
): Promise<(candidate: CandidateBlock) => Stretch | { readonly places: readonly number[] }> {
  const blocks = batch.flatMap((each) => ('block' in each && each.hasTerms ? [each.block] : []));
  if (blocks.length === 0) return (candidate) => stretchOf(log, candidate);
  const fields = terms.map(({ field }) => field);
  const rows = await log.summaries.blockTerms(padded(blocks, BLOCKS_AT_ONCE), fields);
  const byPlace = new Map(rows.map((row) => [keyOf(row.block, row.field), unpackWords(row.terms)]));
  return (candidate) => {
    const { block } = candidate;
    const columns = terms.map(({ field, term }) => ({ term, words: byPlace.get(keyOf(block, field)) }));
    if (!columns.every(isWhole)) return stretchOf(log, candidate);
    return { places: placesIn(columns).map((place) => block * BLOCK_ENTRIES + place) };
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

/** Where places are few the stretch above them holds few too: then one wait does for both. */
async function readPart(select: EntriesSelect, part: Part, limit: number): Promise<readonly FoundEntry[]> {
  const { from, to, places } = part;
  if (from === to) return readPlaces(select, places, limit);
  const isPlenty = places.length > FEW_FOR_PAGE * limit;
  const reading = readStretch(select, part, limit);
  const [above, below] = await Promise.all([reading, isPlenty ? [] : readPlaces(select, places, limit)]);
  const missing = limit - above.length;
  return [...above, ...(isPlenty && missing > 0 ? await readPlaces(select, places, missing) : below.slice(0, missing))];
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
