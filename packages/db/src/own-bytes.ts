/** Bytes with memory of their own: a view would cross to a worker with all of the memory that it looks at. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
