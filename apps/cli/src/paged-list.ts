import type { ApiPage } from '@postern/client';
import { Option } from 'commander';
import { Misuse } from './exit.ts';
import type { Column } from './output/table.ts';
import { type Session, showList } from './session.ts';

/** How much of a list that may be long. */
export interface PageOptions {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly all?: boolean | undefined;
}

export const CURSOR_SUMMARY = 'Go on where the page before ended';
export const ALL_SUMMARY = 'Follow all pages';

/** `things`: with a capital, as in `Entries at most`. */
export function limitOption(things: string): Option {
  return new Option('--limit <number>', `${things} at most (default: ${LIMIT_DEFAULT})`).argParser(readLimit);
}

/** The control plane gives at most 100 items a page; more are put together here. */
const PAGE_ITEMS = 100;
const LIMIT_DEFAULT = 50;
/** Whoever waits for a long search is told so often how far it is. */
const PROGRESS_MS = 2_000;

interface LongList<T> {
  readonly list: (page: { readonly limit: number; readonly cursor?: string }) => Promise<ApiPage<T>>;
  readonly columns: readonly Column<T>[];
  /** What to say when there are none. */
  readonly none: string;
}

/** Reads as many pages as are asked for, shows them, and says how to go on. */
export async function showPages<T>(
  session: Pick<Session, 'context' | 'json'>,
  { limit, cursor, all }: PageOptions,
  { list, columns, none }: LongList<T>,
): Promise<void> {
  if (all === true && (limit !== undefined || cursor !== undefined)) {
    throw new Misuse('--all takes neither --limit nor --cursor');
  }
  const wanted = all === true ? Number.POSITIVE_INFINITY : (limit ?? LIMIT_DEFAULT);
  const items: T[] = [];
  let nextCursor = cursor;
  let toldAt = session.context.now();
  do {
    const place = nextCursor === undefined ? {} : { cursor: nextCursor };
    const page = await list({ ...place, limit: Math.min(PAGE_ITEMS, wanted - items.length) });
    items.push(...page.items);
    nextCursor = page.nextCursor;
    // A page of a search in which little matches may be short, or empty, and not the last.
    if (nextCursor !== undefined && session.context.now() - toldAt >= PROGRESS_MS) {
      toldAt = session.context.now();
      session.context.note(`${items.length} found so far; still looking.\n`);
    }
  } while (nextCursor !== undefined && items.length < wanted);
  showList(session, { items, nextCursor, columns, none });
  if (nextCursor !== undefined && !session.json) {
    session.context.note(`There are more: --all, or --cursor ${nextCursor}\n`);
  }
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= 1_000_000) return limit;
  throw new Misuse(`--limit: "${text}" is not a number from 1 to 1000000`);
}
