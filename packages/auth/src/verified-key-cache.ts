/**
 * Keys that were verified, by their text, each with what verifying it told. A hit is one look-up in a map.
 *
 * The generation is a number that grows with every change to agents and keys. The cache holds entries of one generation: the first use with a
 * higher one empties it, and uses with a lower one (calls that began before the change) neither read nor write.
 */
export interface VerifiedKeyCache<T> {
  get(key: string, generation: number): T | undefined;
  set(key: string, value: T, generation: number): void;
  clear(): void;
}

export interface VerifiedKeyCacheOptions {
  /** How many keys are held at once; the eldest makes place. */
  readonly keysMax: number;
}

export function createVerifiedKeyCache<T>({ keysMax }: VerifiedKeyCacheOptions): VerifiedKeyCache<T> {
  if (!(keysMax >= 1)) throw new RangeError('keysMax must be at least 1.');
  const values = new Map<string, T>();
  let current = Number.NEGATIVE_INFINITY;

  function isCurrent(generation: number): boolean {
    if (generation === current) return true;
    if (!(generation > current)) return false;
    values.clear();
    current = generation;
    return true;
  }

  return {
    get(key, generation) {
      return isCurrent(generation) ? values.get(key) : undefined;
    },
    set(key, value, generation) {
      if (!isCurrent(generation)) return;
      if (values.size >= keysMax && !values.has(key)) {
        const eldest = values.keys().next();
        if (!eldest.done) values.delete(eldest.value);
      }
      values.set(key, value);
    },
    clear() {
      values.clear();
    },
  };
}
