import { createHash, type Hash } from 'node:crypto';

/** A value as both engines hold it: JSON columns parsed. */
export type ComparedValue = null | number | string | Uint8Array | { readonly json: unknown };

/** What a set of rows comes to, whatever their order: their number, and the sum of their digests. */
export interface RowsDigest {
  readonly rows: number;
  /** Hexadecimal. */
  readonly digest: string;
}

const MODULUS = 1n << 256n;

/** Adds up rows, each by its SHA-256: the engines sort texts differently, and rows are unique by their keys. */
export class RowsSum {
  #rows = 0;
  #sum = 0n;

  add(values: readonly ComparedValue[]): void {
    this.#rows += 1;
    this.#sum = (this.#sum + BigInt(`0x${digestOf(values)}`)) % MODULUS;
  }

  result(): RowsDigest {
    return { rows: this.#rows, digest: this.#sum.toString(16).padStart(64, '0') };
  }
}

/** Each value with its kind and length before it, so that no two rows read the same. */
function digestOf(values: readonly ComparedValue[]): string {
  const hash = createHash('sha256');
  for (const value of values) addValue(hash, value);
  return hash.digest('hex');
}

function addValue(hash: Hash, value: ComparedValue): void {
  if (value === null) {
    hash.update('-');
  } else if (value instanceof Uint8Array) {
    hash.update(`b${value.length}:`).update(value);
  } else if (typeof value === 'object') {
    const text = sortedJson(value.json);
    hash.update(`j${Buffer.byteLength(text)}:`).update(text);
  } else if (typeof value === 'number') {
    hash.update(`n${value};`);
  } else {
    hash.update(`t${Buffer.byteLength(value)}:`).update(value);
  }
}

/** JSON with the members of objects in order: `jsonb` keeps an order of its own. */
function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${sortedJson(member)}`);
  return `{${members.join(',')}}`;
}

/** The entries of one audit log. */
export interface LogDigest {
  readonly log: number;
  readonly entries: number;
  /** SHA-256 over the exact texts in the order of seq, each followed by a line feed; hexadecimal. */
  readonly digest: string;
}

/** Reads entries as they were committed; those of a log must come in the order of their seq. */
export class LogSums {
  readonly #logs = new Map<number, { readonly hash: Hash; entries: number; newest: number }>();

  /** False for an entry that comes out of order. */
  add(log: number, seq: number, text: string): boolean {
    let sum = this.#logs.get(log);
    if (sum === undefined) {
      sum = { hash: createHash('sha256'), entries: 0, newest: -1 };
      this.#logs.set(log, sum);
    }
    if (seq <= sum.newest) return false;
    sum.hash.update(`${seq} `).update(text).update('\n');
    sum.newest = seq;
    sum.entries += 1;
    return true;
  }

  /** By log. Ends the summing. */
  results(): readonly LogDigest[] {
    return [...this.#logs]
      .map(([log, { hash, entries }]) => ({ log, entries, digest: hash.digest('hex') }))
      .sort((left, right) => left.log - right.log);
  }
}
