import { createHash } from 'node:crypto';

export interface SeededRandom {
  /** The next `length` bytes of the sequence. */
  bytes(length: number): Uint8Array;
  /** A whole number from 0 up to, but not including, `below` (at most 2^32). */
  integer(below: number): number;
}

/** Random-looking bytes that are the same for the same seed: SHA-256 over seed and a counter. Never for anything but tests. */
export function seededRandom(seed: string | number): SeededRandom {
  let counter = 0;
  let rest = new Uint8Array(0);

  function bytes(length: number): Uint8Array {
    const result = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (rest.length === 0) rest = new Uint8Array(createHash('sha256').update(`${seed}/${counter++}`).digest());
      const piece = rest.subarray(0, length - filled);
      result.set(piece, filled);
      rest = rest.subarray(piece.length);
      filled += piece.length;
    }
    return result;
  }

  function integer(below: number): number {
    if (!Number.isInteger(below) || below < 1 || below > 2 ** 32) throw new RangeError('below must be 1 to 2^32');
    const fourBytes = bytes(4);
    const value = new DataView(fourBytes.buffer).getUint32(0);
    return Math.floor((value / 2 ** 32) * below);
  }

  return { bytes, integer };
}
