/** The reflected polynomial of CRC-32 as in IEEE 802.3 and gzip (RFC 1952 section 8). */
const POLYNOMIAL = 0xedb88320;

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder;
});

/** CRC-32 of the first `length` characters of ASCII `text`, as an unsigned number. */
export function crc32(text: string, length: number): number {
  let remainder = -1;
  for (let index = 0; index < length; index++) {
    remainder = (TABLE[(remainder ^ text.charCodeAt(index)) & 0xff] ?? 0) ^ (remainder >>> 8);
  }
  return ~remainder >>> 0;
}
