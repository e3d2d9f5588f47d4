/**
 * The bytes of a stored request or answer, before they are sealed: kind and version (a byte each), the length of the head, the head, the
 * body to the end. In the head every text is UTF-8 after its length, every number is big-endian, so that no two things share a form:
 * lines, pairs of header name and value, whether there is a body and how long it is.
 */
export interface StoredHead {
  readonly lines: readonly string[];
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Null: no body, which is not the same as an empty one. */
  readonly bodyBytes: number | null;
}

export type StoredFormFault = 'not_this_kind' | 'unknown_version' | 'malformed' | 'incomplete';

/** What should be a stored request or answer is none. The message has nothing of what is stored. */
export class StoredFormError extends Error {
  override readonly name = 'StoredFormError';
  readonly fault: StoredFormFault;

  constructor(fault: StoredFormFault) {
    super(`The stored bytes cannot be read: ${fault}.`);
    this.fault = fault;
  }
}

export const REQUEST_KIND = 0x51;
export const ANSWER_KIND = 0x41;
const VERSION = 1;

/** Kind, version, length of the head. */
export const PREFIX_BYTES = 6;
/** Far above any head that the gateway takes in; a larger length is a broken form. */
const HEAD_BYTES_MAX = 1_048_576;

/** All but the body, which follows as it is. */
export function encodeStoredHead(kind: number, { lines, headers, bodyBytes }: StoredHead): Uint8Array {
  const parts: Buffer[] = [number32(lines.length)];
  for (const line of lines) addText(parts, line);
  parts.push(number32(headers.length));
  for (const [name, value] of headers) {
    addText(parts, name);
    addText(parts, value);
  }
  const body = Buffer.alloc(9);
  body.writeUInt8(bodyBytes === null ? 0 : 1);
  body.writeBigUInt64BE(BigInt(bodyBytes ?? 0), 1);
  parts.push(body);
  const head = Buffer.concat(parts);
  if (head.length > HEAD_BYTES_MAX) throw new TypeError('A stored head must have at most 1 MiB.');
  return Buffer.concat([Buffer.from([kind, VERSION]), number32(head.length), head]);
}

/** How long prefix and head are, from at least the first `PREFIX_BYTES` bytes. @throws StoredFormError */
export function storedHeadBytes(kind: number, bytes: Uint8Array): number {
  if (bytes.length < PREFIX_BYTES) throw new StoredFormError('incomplete');
  if (bytes[0] !== kind) throw new StoredFormError('not_this_kind');
  if (bytes[1] !== VERSION) throw new StoredFormError('unknown_version');
  const length = viewOf(bytes).getUint32(2);
  if (length > HEAD_BYTES_MAX) throw new StoredFormError('malformed');
  return PREFIX_BYTES + length;
}

/** Reads what `encodeStoredHead` wrote; `bytes` begins with it. @throws StoredFormError */
export function decodeStoredHead(kind: number, bytes: Uint8Array): StoredHead {
  const end = storedHeadBytes(kind, bytes);
  if (bytes.length < end) throw new StoredFormError('incomplete');
  const reader = readerOf(bytes.subarray(PREFIX_BYTES, end));
  const lines = readList(reader, () => reader.text());
  const headers = readList(reader, () => [reader.text(), reader.text()] as const);
  const hasBody = reader.byte();
  const bodyBytes = reader.number64();
  if (reader.left() !== 0 || hasBody > 1 || (hasBody === 0 && bodyBytes !== 0)) throw new StoredFormError('malformed');
  return { lines, headers, bodyBytes: hasBody === 1 ? bodyBytes : null };
}

function addText(parts: Buffer[], text: string): void {
  if (!text.isWellFormed()) throw new TypeError('Only well-formed text can be stored.');
  const bytes = Buffer.from(text, 'utf8');
  parts.push(number32(bytes.length), bytes);
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface FieldReader {
  byte(): number;
  number32(): number;
  number64(): number;
  text(): string;
  left(): number;
}

function readerOf(bytes: Uint8Array): FieldReader {
  const view = viewOf(bytes);
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = 0;
  const take = (length: number) => {
    if (length > bytes.length - at) throw new StoredFormError('malformed');
    at += length;
    return at - length;
  };
  const number32 = () => view.getUint32(take(4));
  return {
    byte: () => view.getUint8(take(1)),
    number32,
    number64() {
      const value = view.getBigUint64(take(8));
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new StoredFormError('malformed');
      return Number(value);
    },
    text() {
      const length = number32();
      const start = take(length);
      try {
        return utf8.decode(bytes.subarray(start, start + length));
      } catch {
        throw new StoredFormError('malformed');
      }
    },
    left: () => bytes.length - at,
  };
}

/** A count that the bytes cannot hold ends at the first item that is not there. */
function readList<T>(reader: FieldReader, readItem: () => T): readonly T[] {
  const items: T[] = [];
  for (let count = reader.number32(); count > 0; count -= 1) items.push(readItem());
  return items;
}
