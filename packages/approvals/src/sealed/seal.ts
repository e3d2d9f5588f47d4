import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { SecretEnvelope, SecretReference, Vault } from '@postern/vault';
import { CHUNK_BYTES, openChunk, SEALED_CHUNK_BYTES, sealChunk } from './chunk-cipher.ts';

/** Who seals, and what the sealed thing is bound to: opened with another reference it does not open. */
export interface Sealing {
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly reference: SecretReference;
}

export type SealFault = 'not_sealed_here' | 'broken';

/** Sealed bytes cannot be opened: not what was sealed, not all of it, or bound to something else. */
export class SealError extends Error {
  override readonly name = 'SealError';
  readonly fault: SealFault;

  constructor(fault: SealFault, cause?: unknown) {
    super(`The sealed bytes cannot be opened: ${fault}.`, cause === undefined ? undefined : { cause });
    this.fault = fault;
  }
}

/**
 * What a stored request or answer is bound to. `id`: what the reader will know, as the fingerprint or the claim. A colon is in no
 * secret's name, so the two never meet.
 */
export function sealedReference(kind: 'request' | 'answer', tenant: string, id: string): SecretReference {
  return { tenant, name: `${kind}:${id}`, version: 1 };
}

const VERSION = 1;
/** Version and length of the envelope. */
const PREFIX_BYTES = 5;
const ENVELOPE_BYTES_MAX = 4_096;
const DATA_KEY_BYTES = 32;

/**
 * Seals bytes of any length: the vault seals a fresh data key, which seals the bytes chunk by chunk. Gives pieces of at most 262,160
 * bytes, none empty, as they are ready; together they are the sealed thing, and where one is cut is of no account.
 */
export async function* sealStream(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sealing: Sealing,
): AsyncGenerator<Uint8Array> {
  const { prefix, key } = beginSeal(sealing);
  yield prefix;
  const chunks = chunksOf(CHUNK_BYTES);
  let index = 0;
  for await (const piece of pieces) {
    for (const chunk of chunks.add(piece)) {
      yield sealChunk(key, { index, isLast: false }, chunk);
      index += 1;
    }
  }
  yield sealChunk(key, { index, isLast: true }, chunks.rest());
}

/** As `sealStream`, in memory. */
export function sealBytes(bytes: Uint8Array, sealing: Sealing): Uint8Array {
  const { prefix, key } = beginSeal(sealing);
  const chunks = chunksOf(CHUNK_BYTES);
  const sealed = chunks.add(bytes).map((chunk, index) => sealChunk(key, { index, isLast: false }, chunk));
  const last = sealChunk(key, { index: sealed.length, isLast: true }, chunks.rest());
  return Buffer.concat([prefix, ...sealed, last]);
}

/**
 * Opens what was sealed, in pieces as they can be had. A piece is given out when its own chunk has been checked; that the end has come,
 * and nothing is missing, is known when the generator ends without an error.
 *
 * @throws SealError, and what `pieces` throws
 */
export async function* openStream(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sealing: Sealing,
): AsyncGenerator<Uint8Array> {
  const chunks = chunksOf(SEALED_CHUNK_BYTES);
  let prefix: Uint8Array = new Uint8Array(0);
  let key: KeyObject | undefined;
  let index = 0;
  for await (const piece of pieces) {
    let rest = piece;
    if (key === undefined) {
      prefix = Buffer.concat([prefix, piece]);
      const end = prefixBytes(prefix);
      if (end === undefined || prefix.length < end) continue;
      key = openKey(prefix.subarray(PREFIX_BYTES, end), sealing);
      rest = prefix.subarray(end);
    }
    for (const chunk of chunks.add(rest)) {
      yield opened(key, { index, isLast: false }, chunk);
      index += 1;
    }
  }
  if (key === undefined) throw new SealError('broken');
  const last = opened(key, { index, isLast: true }, chunks.rest());
  if (last.length > 0) yield last;
}

/** As `openStream`, in memory: nothing is given out before all is checked. @throws SealError */
export function openBytes(sealed: Uint8Array, sealing: Sealing): Uint8Array {
  const end = prefixBytes(sealed);
  if (end === undefined || sealed.length < end) throw new SealError('broken');
  const key = openKey(sealed.subarray(PREFIX_BYTES, end), sealing);
  const chunks = chunksOf(SEALED_CHUNK_BYTES);
  const bytes = chunks.add(sealed.subarray(end)).map((chunk, index) => opened(key, { index, isLast: false }, chunk));
  return Buffer.concat([...bytes, opened(key, { index: bytes.length, isLast: true }, chunks.rest())]);
}

function beginSeal({ vault, reference }: Sealing): { prefix: Uint8Array; key: KeyObject } {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  try {
    const envelope = Buffer.from(JSON.stringify(vault.seal(reference, dataKey)), 'utf8');
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt8(VERSION);
    prefix.writeUInt32BE(envelope.length, 1);
    return { prefix: Buffer.concat([prefix, envelope]), key: createSecretKey(dataKey) };
  } finally {
    dataKey.fill(0);
  }
}

/** How long version, length and envelope are together; undefined while too little is there to tell. */
function prefixBytes(bytes: Uint8Array): number | undefined {
  if (bytes.length > 0 && bytes[0] !== VERSION) throw new SealError('not_sealed_here');
  if (bytes.length < PREFIX_BYTES) return undefined;
  const length = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32BE(1);
  if (length > ENVELOPE_BYTES_MAX) throw new SealError('not_sealed_here');
  return PREFIX_BYTES + length;
}

function openKey(envelopeBytes: Uint8Array, { vault, reference }: Sealing): KeyObject {
  let dataKey: Uint8Array;
  try {
    const envelope = JSON.parse(new TextDecoder().decode(envelopeBytes)) as SecretEnvelope;
    dataKey = vault.open(reference, envelope);
  } catch (cause) {
    throw new SealError('not_sealed_here', cause);
  }
  try {
    if (dataKey.length !== DATA_KEY_BYTES) throw new SealError('not_sealed_here');
    return createSecretKey(dataKey);
  } finally {
    dataKey.fill(0);
  }
}

function opened(key: KeyObject, place: { index: number; isLast: boolean }, sealed: Uint8Array): Uint8Array {
  const bytes = openChunk(key, place, sealed);
  if (bytes === undefined) throw new SealError('broken');
  return bytes;
}

/** Cuts bytes that come in pieces into chunks of one size. A chunk is given out only when more follows: what is left is the last. */
function chunksOf(size: number): { add(piece: Uint8Array): readonly Uint8Array[]; rest(): Uint8Array } {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  return {
    add(piece) {
      heldBytes += piece.length;
      if (heldBytes <= size) {
        // A copy: the giver of the piece may use its memory again.
        held.push(Uint8Array.from(piece));
        return [];
      }
      const bytes = Buffer.concat([...held, piece], heldBytes);
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (; bytes.length - at > size; at += size) chunks.push(bytes.subarray(at, at + size));
      held = [bytes.subarray(at)];
      heldBytes = bytes.length - at;
      return chunks;
    },
    rest: () => Buffer.concat(held, heldBytes),
  };
}
