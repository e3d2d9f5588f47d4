import { type Cipheriv, createCipheriv, createDecipheriv, createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A body too large for memory, in a file that is encrypted under a key that never leaves this object and that has no name:
 * it is unlinked as soon as it is open, so neither a crash nor another process leaves or finds anything readable.
 *
 * States: writing (append…) → sealed (seal) → read any number of times → disposed.
 */
export class Spool {
  readonly #file: FileHandle;
  readonly #key = randomBytes(32);
  readonly #iv = randomBytes(16);
  readonly #cipher: Cipheriv;
  readonly #hash: Hash = createHash('sha256');
  #byteLength = 0;
  #digest: string | undefined;
  #closing: Promise<void> | undefined;

  private constructor(file: FileHandle) {
    this.#file = file;
    this.#cipher = createCipheriv('aes-256-ctr', this.#key, this.#iv);
  }

  /** Fails when the folder cannot be written (full, read-only). */
  static async create(folder: string): Promise<Spool> {
    const path = join(folder, `body-${randomBytes(12).toString('hex')}`);
    const file = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new Spool(file);
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await beginWrite();
    try {
      this.#hash.update(chunk);
      const sealed = this.#cipher.update(chunk);
      let written = 0;
      while (written < sealed.byteLength) {
        const result = await this.#file.write(sealed, written, sealed.byteLength - written, this.#byteLength + written);
        written += result.bytesWritten;
      }
      this.#byteLength += chunk.byteLength;
    } finally {
      endWrite();
    }
  }

  /** No more comes; returns the body's digest, `sha-256:` and hex. */
  seal(): string {
    this.#digest ??= `sha-256:${this.#hash.digest('hex')}`;
    return this.#digest;
  }

  /** The bytes from the beginning, in pieces of at most 64 KiB. */
  async *read(): AsyncGenerator<Uint8Array> {
    const decipher = createDecipheriv('aes-256-ctr', this.#key, this.#iv);
    const piece = Buffer.allocUnsafe(65_536);
    for (let position = 0; position < this.#byteLength; ) {
      const { bytesRead } = await this.#file.read(piece, 0, piece.byteLength, position);
      if (bytesRead === 0) throw new Error('the spooled body is shorter than what was written');
      position += bytesRead;
      yield decipher.update(piece.subarray(0, bytesRead));
    }
  }

  /** All bytes in one piece. */
  async readAll(): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(this.#byteLength);
    let position = 0;
    for await (const piece of this.read()) {
      bytes.set(piece, position);
      position += piece.byteLength;
    }
    return bytes;
  }

  /** Frees the file. May be called again. */
  dispose(): void {
    this.#key.fill(0);
    this.#closing ??= this.#file.close().catch(() => undefined);
  }
}

/** As many as the pool of threads that write: more at a time would only hold more encrypted copies in memory. */
const WRITES_MAX = 4;
let writes = 0;
const waitingWrites: (() => void)[] = [];

function beginWrite(): Promise<void> | undefined {
  if (writes < WRITES_MAX) {
    writes += 1;
    return undefined;
  }
  return new Promise((resolve) => waitingWrites.push(resolve));
}

/** The place goes to whoever has waited longest. */
function endWrite(): void {
  const next = waitingWrites.shift();
  if (next === undefined) writes -= 1;
  else next();
}
