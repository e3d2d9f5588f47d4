/** Cheap numbers that are the same for the same seed (xorshift32): a fuzzer asks for hundreds a case. */
export interface Random {
  /** A whole number from 0 up to, but not including, `below`. */
  below(below: number): number;
  pick<T>(items: readonly T[]): T;
  /** True once in `times`. */
  once(times: number): boolean;
}

export function randomOf(seed: number, index: number): Random {
  // Mixed, so that neighbouring cases have nothing in common; never 0, where the sequence would stay.
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  for (let round = 0; round < 8; round += 1) next();
  const below = (limit: number) => next() % limit;
  return { below, pick: (items) => items[below(items.length)] as never, once: (times) => below(times) === 0 };
}
