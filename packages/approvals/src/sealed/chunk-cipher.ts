import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

/**
 * AES-256-GCM in chunks, for what is too large to be held and checked as one piece (the STREAM construction of Hoang, Reyhanitabar,
 * Rogaway and Vizár, 2015). The nonce of a chunk is its number and whether it is the last one, so that chunks cannot be left out, moved,
 * repeated or cut off unnoticed. A key must seal one thing only: then no nonce comes twice.
 */
export const CHUNK_BYTES = 262_144;
export const CHUNK_TAG_BYTES = 16;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + CHUNK_TAG_BYTES;

const DOMAIN = Buffer.from('postern/sealed/v1');

/** The place of a chunk among those of its key. */
export interface ChunkPlace {
  /** From 0. */
  readonly index: number;
  readonly isLast: boolean;
}

/** The ciphertext and its tag. At most `CHUNK_BYTES` bytes a chunk; only the last may have fewer. */
export function sealChunk(key: KeyObject, place: ChunkPlace, bytes: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(place), { authTagLength: CHUNK_TAG_BYTES });
  cipher.setAAD(DOMAIN);
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** The bytes of a chunk, or undefined when it is not what was sealed at this place; then nothing of them stays in memory. */
export function openChunk(key: KeyObject, place: ChunkPlace, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < CHUNK_TAG_BYTES) return undefined;
  const end = sealed.length - CHUNK_TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(place), { authTagLength: CHUNK_TAG_BYTES });
  decipher.setAAD(DOMAIN);
  decipher.setAuthTag(sealed.subarray(end));
  const bytes = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch {
    bytes.fill(0);
    return undefined;
  }
  return bytes;
}

function nonceOf({ index, isLast }: ChunkPlace): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 7);
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}
