/**
 * Bytes that come in pieces, held in hardly more memory than they have. Each piece of the parser's is an allocation of its own with
 * some 200 bytes of bookkeeping, so a body sent byte by byte would take 200 times its size: small pieces are copied together.
 */
export class ChunkList {
  readonly #chunks: Uint8Array[] = [];
  #byteLength = 0;
  /** Room for small pieces; undefined until there are any. */
  #room: Uint8Array | undefined;

  get byteLength(): number {
    return this.#byteLength;
  }

  add(chunk: Uint8Array): void {
    this.#byteLength += chunk.byteLength;
    // The first one may be all there is.
    if (chunk.byteLength >= SMALL_BYTES || this.#chunks.length === 0) this.#chunks.push(chunk);
    else this.#copy(chunk);
  }

  /** All bytes in order. */
  get pieces(): readonly Uint8Array[] {
    return this.#chunks;
  }

  /** All bytes in one piece; the only one is given as it came. */
  concat(): Uint8Array {
    const only = this.#chunks.length === 1 ? this.#chunks[0] : undefined;
    return only ?? Buffer.concat(this.#chunks, this.#byteLength);
  }

  /** Gives up all pieces, in order. */
  drain(): readonly Uint8Array[] {
    this.#room = undefined;
    this.#byteLength = 0;
    return this.#chunks.splice(0);
  }

  #copy(chunk: Uint8Array): void {
    const last = this.#chunks.at(-1);
    const room = this.#room;
    if (room === undefined || room.byteLength < chunk.byteLength) {
      const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      block.set(chunk);
      this.#chunks.push(block.subarray(0, chunk.byteLength));
      this.#room = block.subarray(chunk.byteLength);
      return;
    }
    room.set(chunk);
    this.#room = room.subarray(chunk.byteLength);
    // Behind its neighbour in the same block: both become one piece.
    const isNext = last?.buffer === room.buffer && last.byteOffset + last.byteLength === room.byteOffset;
    if (isNext)
      this.#chunks[this.#chunks.length - 1] = new Uint8Array(
        last.buffer,
        last.byteOffset,
        last.byteLength + chunk.byteLength,
      );
    else this.#chunks.push(room.subarray(0, chunk.byteLength));
  }
}

const SMALL_BYTES = 2_048;
const BLOCK_BYTES = 16_384;
