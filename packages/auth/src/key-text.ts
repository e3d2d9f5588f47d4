import { base62Value, encodeBase62 } from './base62.ts';
import { crc32 } from './crc32.ts';
import type { RandomBytes } from './random-bytes.ts';

/** 256 random bits need 43 base62 digits: 62^42 < 2^256 < 62^43. */
const SECRET_BYTES = 32;
export const SECRET_LENGTH = 43;

/** 62^5 < 2^32 < 62^6. */
export const CHECKSUM_LENGTH = 6;

/** `head`, 256 random bits in base62, and the checksum of both. */
export function makeKeyText(head: string, random: RandomBytes): string {
  const secret = random(SECRET_BYTES);
  const body = head + encodeBase62(toInteger(secret), SECRET_LENGTH);
  secret.fill(0);
  return body + encodeBase62(BigInt(crc32(body, body.length)), CHECKSUM_LENGTH);
}

/** True when `text` is, from `secretStart` to its end, a base62 secret and the right checksum of all before the checksum. Makes no string. */
export function endsAsKeyText(text: string, secretStart: number): boolean {
  const checksumStart = secretStart + SECRET_LENGTH;
  if (text.length !== checksumStart + CHECKSUM_LENGTH) return false;
  for (let index = secretStart; index < checksumStart; index++) {
    if (base62Value(text.charCodeAt(index)) < 0) return false;
  }
  let checksum = 0;
  for (let index = checksumStart; index < text.length; index++) {
    const value = base62Value(text.charCodeAt(index));
    if (value < 0) return false;
    checksum = checksum * 62 + value;
  }
  return checksum === crc32(text, checksumStart);
}

/** Big-endian. */
export function toInteger(bytes: Uint8Array): bigint {
  return bytes.reduce((integer, byte) => (integer << 8n) | BigInt(byte), 0n);
}
