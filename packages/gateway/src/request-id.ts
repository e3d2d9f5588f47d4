import { randomUUID } from 'node:crypto';

const SEQUENCE_MAX = 0xfff;

/**
 * Makes request ids: UUIDv7 (RFC 9562 sections 5.7 and 6.2, method 1), 48 bits of milliseconds, a 12-bit counter within the
 * millisecond, 62 bits that are random anew for each millisecond. Ids of one process ascend, so the log's index on them grows at
 * its end instead of touching a page of its own for every call.
 */
export function createRequestIds(now: () => number): () => string {
  let lastMs = 0;
  let sequence = 0;
  let prefix = '';
  let tail = '';

  /** Runs ahead of the clock when one millisecond has too many ids, and never back. */
  function begin(ms: number): void {
    lastMs = ms;
    sequence = 0;
    const hex = ms.toString(16).padStart(12, '0');
    prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
    // A random UUID's second half has the variant bits in their place.
    tail = randomUUID().slice(18);
  }

  return () => {
    const ms = now();
    if (ms > lastMs) begin(ms);
    else if (sequence < SEQUENCE_MAX) sequence += 1;
    else begin(lastMs + 1);
    return `${prefix}${HEX[sequence >> 8]}${HEX[(sequence >> 4) & 0xf]}${HEX[sequence & 0xf]}${tail}`;
  };
}

const HEX = '0123456789abcdef';
