import { setTimeout as delay } from 'node:timers/promises';
import { DbError } from '../ports/db-error.ts';
import type { CachedRead } from '../ports/volatile/cached-read.ts';
import type { KeyStore, Look, ReadThroughKeys, ReadThroughTimes } from './key-store.ts';

export interface ReadThroughTerms extends ReadThroughTimes {
  /** How long to wait for another that reads the same; 0: read beside it, and keep nothing. */
  readonly waitMs: number;
}

export interface ReadThrough {
  /** Fails only as `source.read` does. */
  getOrRead<T>(keys: ReadThroughKeys, source: CachedRead<T>, terms: ReadThroughTerms): Promise<T | undefined>;
  /** Nobody who asks from now on joins one of these that has begun. */
  forget(isForgotten: (keys: ReadThroughKeys) => boolean): void;
}

/** Without a store, callers on one node join a read that began at most so long ago. */
const JOIN_ALONE_MS = 400;
const POLL_MS = { first: 10, most: 100 } as const;
/** Characters; what is longer is answered and not kept. */
const VALUE_LENGTH_MAX = 1_048_576;

/**
 * A cache over a key store. Who finds nothing gets a lease, reads, and fills; a fill counts only under its lease, which a drop takes
 * away together with the entry. So what was read before a change is never kept after its drop, however long the reader slept.
 */
export function createReadThrough(store: KeyStore): ReadThrough {
  const readingAlone = createFlights();

  async function ask<T>(keys: ReadThroughKeys, source: CachedRead<T>, terms: ReadThroughTerms): Promise<T | undefined> {
    let look = await lookOrWait(store, keys, terms);
    if (look?.found === 'value') {
      const value = parseKept(source, look.value);
      if (value !== undefined) return value;
      await unlessUnavailable(store.remove([keys.entry]));
      look = await lookOrWait(store, keys, terms);
    }
    if (look === undefined) return readingAlone.join(keys, JOIN_ALONE_MS, source.read);
    return look.found === 'lease' ? readUnder(look.token, keys, source, terms) : source.read();
  }

  async function readUnder<T>(
    token: string,
    keys: ReadThroughKeys,
    source: CachedRead<T>,
    terms: ReadThroughTerms,
  ): Promise<T | undefined> {
    let kept = '';
    try {
      const value = await source.read();
      if (value !== undefined) kept = JSON.stringify(value);
      return value;
    } finally {
      const isKept = kept !== '' && kept.length <= VALUE_LENGTH_MAX;
      const told = isKept ? store.fill(keys, { token, value: kept, ...terms }) : store.removeIf(keys.lease, token);
      await unlessUnavailable(told);
    }
  }

  return {
    getOrRead: ask,
    forget: readingAlone.forget,
  };
}

/** What is under way on this node, and may be joined as long as it is young. */
function createFlights() {
  const flights = new Map<string, { keys: ReadThroughKeys; beganMs: number; answer: Promise<unknown> }>();
  return {
    join<T>(keys: ReadThroughKeys, joinMs: number, begin: () => Promise<T>): Promise<T> {
      const joined = flights.get(keys.entry);
      if (joined !== undefined && performance.now() - joined.beganMs <= joinMs) return joined.answer as Promise<T>;
      const answer = begin();
      const flight = { keys, beganMs: performance.now(), answer };
      flights.set(keys.entry, flight);
      const end = () => {
        if (flights.get(keys.entry) === flight) flights.delete(keys.entry);
      };
      answer.then(end, end);
      return answer;
    },
    forget(isForgotten: (keys: ReadThroughKeys) => boolean): void {
      for (const [entry, { keys }] of flights) if (isForgotten(keys)) flights.delete(entry);
    },
  };
}

/** `busy` after `waitMs`; undefined when the store does not answer. */
async function lookOrWait(store: KeyStore, keys: ReadThroughKeys, terms: ReadThroughTerms): Promise<Look | undefined> {
  const untilMs = performance.now() + terms.waitMs;
  for (let pauseMs: number = POLL_MS.first; ; pauseMs = Math.min(POLL_MS.most, pauseMs * 2)) {
    const look = await unlessUnavailable(store.look(keys, terms));
    if (look?.found !== 'busy' || performance.now() + pauseMs > untilMs) return look;
    await delay(pauseMs);
  }
}

function parseKept<T>(source: CachedRead<T>, kept: string): T | undefined {
  try {
    return source.parse(JSON.parse(kept));
  } catch {
    return undefined; // Not what this program keeps: an older one's, or damaged.
  }
}

/** A cache that cannot be asked is as good as an empty one. */
export async function unlessUnavailable<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof DbError && error.code === 'unavailable') return undefined;
    throw error;
  }
}
