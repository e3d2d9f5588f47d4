import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4_096;
const RANDOM_BYTES = 5;
/** The place in the log that an id can carry: 2^40 - 1. */
const SEQ_MAX = 1_099_511_627_775;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const DIGITS = '0123456789abcdef';
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;
/** Entries of one commit mostly share the millisecond and all but the last digits of their places. */
let lastTime = { at: -1, text: '' };
let lastPlaces = { high: -1, text: '' };

/**
 * A UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 34 random bits, and the entry's `seq` in the last 40 bits. So an
 * entry is found by its id without an index on ids, which every entry would pay for; within a log ids cannot collide at all.
 */
export function makeEntryId(at: number, seq: number): string {
  if (seq > SEQ_MAX) throw new RangeError('the log is full: an entry id carries 40 bits of seq');
  if (used + RANDOM_BYTES > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  if (at !== lastTime.at) lastTime = { at, text: timeOf(at) };
  const high = Math.floor(seq / 65_536);
  if (high !== lastPlaces.high) lastPlaces = { high, text: high.toString(16).padStart(6, '0') };
  const random = hex(pool[used]) + DIGITS[(pool[used + 1] as number) & 0xf];
  const variant = hex(0x80 | ((pool[used + 2] as number) & 0x3f)) + hex(pool[used + 3]);
  const tail = hex(pool[used + 4]) + lastPlaces.text + hex((seq >>> 8) & 0xff) + hex(seq & 0xff);
  used += RANDOM_BYTES;
  return `${lastTime.text}-7${random}-${variant}-${tail}`;
}

function timeOf(at: number): string {
  const digits = at.toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}

/** The place in the log that an id speaks of; undefined for a text that is no id of this form. */
export function seqOfEntryId(id: string): number | undefined {
  const match = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{2}([0-9a-f]{10})$/.exec(id);
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
}

function hex(byte: number | undefined): string {
  return HEX[byte as number] as string;
}
