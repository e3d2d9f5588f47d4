/** Standard base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** The bytes of `text`, or `undefined` when it is not the one standard, padded spelling of them. The array is the caller's own. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  // Not `Buffer.from`: its memory pool would keep key bytes beside those of others.
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const view = Buffer.from(bytes.buffer);
  // Node skips what it does not know and accepts both alphabets, so the way back is the check.
  if (view.write(text, 'base64') === bytes.length && view.toString('base64') === text) return bytes;
  bytes.fill(0);
  return undefined;
}
