import { randomBytes } from 'node:crypto';

/** Gives `size` unpredictable bytes in a fresh array. The array becomes the taker's, who may overwrite it. */
export type RandomBytes = (size: number) => Uint8Array;

export const systemRandom: RandomBytes = (size) => randomBytes(size);
