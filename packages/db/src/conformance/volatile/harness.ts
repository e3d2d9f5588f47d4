import { expect } from 'vitest';
import type { VolatileStores } from '../../ports/volatile/volatile-stores.ts';

/** Empty stores that a suite works on. */
export interface VolatileHarness {
  readonly stores: VolatileStores;
  /** The stores as another node has them; of an engine for one node, the same. */
  readonly otherNode: VolatileStores;
  /** Milliseconds since the epoch, by the stores' clock. */
  now(): number;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
}

export type MakeVolatileStores = () => Promise<VolatileHarness>;

/** The rim's refusal, which names what was wrong and what would be right. */
export async function expectInvalid(call: () => Promise<unknown>, message: string | RegExp): Promise<void> {
  const refused = expect(call()).rejects;
  await refused.toMatchObject({ code: 'invalid' });
  await expect(call()).rejects.toThrow(message);
}

/** A source that counts its reads and gives what `value` is at the time. */
export function countedSource<T>(first: T | undefined) {
  const source = {
    value: first,
    reads: 0,
    read: async (): Promise<T | undefined> => {
      source.reads += 1;
      return source.value;
    },
    parse: (kept: unknown): T | undefined => kept as T,
  };
  return source;
}

/** A promise that the test itself settles. */
export function held<T>(): { readonly promise: Promise<T>; readonly settle: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, settle: resolve };
}

/** Names that would run into each other if keys were only joined. */
export const AWKWARD_NAMES = ['a:b', 'a', 'a%3Ab', 'a*', '#a', 'é', '{a}', 'a\u0000b', 'x'.repeat(5_000)] as const;
