import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8_192;
/** Random bytes of one id: 62 bits of `rand_b`, the two bits over are the variant's. */
const RANDOM_BYTES = 8;
const SEQUENCE_MAX = 0xfff;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * Makes request ids: UUIDv7 (RFC 9562 section 5.7 and 6.2, method 1), 48 bits of milliseconds, a 12-bit counter within the
 * millisecond, 62 random bits. Ids of one process ascend, so the log's index on them grows at its end instead of touching a page
 * of its own for every call.
 */
export function createRequestIds(now: () => number): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  let lastMs = 0;
  let sequence = 0;
  let prefix = '';

  /** The time part; runs ahead of the clock when one millisecond has too many ids, and never back. */
  function tick(): void {
    const ms = now();
    if (ms > lastMs) {
      lastMs = ms;
      sequence = 0;
    } else if (sequence < SEQUENCE_MAX) {
      sequence += 1;
      return;
    } else {
      lastMs += 1;
      sequence = 0;
    }
    const hex = lastMs.toString(16).padStart(12, '0');
    prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
  }

  return () => {
    tick();
    if (used + RANDOM_BYTES > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const byte = (index: number) => HEX[pool[used + index] as number] as string;
    const variant = HEX[0x80 | ((pool[used] as number) & 0x3f)] as string;
    const counter = sequence.toString(16).padStart(3, '0');
    const id = `${prefix}${counter}-${variant}${byte(1)}-${byte(2)}${byte(3)}${byte(4)}${byte(5)}${byte(6)}${byte(7)}`;
    used += RANDOM_BYTES;
    return id;
  };
}
