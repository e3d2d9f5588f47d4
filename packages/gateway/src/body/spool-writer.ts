import { ChunkList } from './chunk-list.ts';
import { Spool } from './spool.ts';

export interface SpoolWriterOptions {
  readonly folder: string;
  /** All that was added has been written, and nothing waits. */
  readonly onIdle: () => void;
  /** Nothing more will be written. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Writes pieces into a spool, in order, while more of them come: what comes during a write goes with the next one, so that many
 * small pieces are few writes. The file is made with the first piece.
 *
 * States: idle ⇄ writing, then ended or disposed.
 */
export class SpoolWriter {
  readonly #options: SpoolWriterOptions;
  readonly #waiting = new ChunkList();
  #spool: Spool | undefined;
  #writing: Promise<void> | undefined;
  #inFlightBytes = 0;
  #isDisposed = false;

  constructor(options: SpoolWriterOptions) {
    this.#options = options;
  }

  /** Added and not yet written. */
  get pendingBytes(): number {
    return this.#waiting.byteLength + this.#inFlightBytes;
  }

  add(chunk: Uint8Array): void {
    this.#waiting.add(chunk);
    this.#writing ??= this.#write();
  }

  /** The spool with everything that was added, once it is written; never after a failure. */
  async end(): Promise<Spool | undefined> {
    await this.#writing;
    return this.#spool;
  }

  /** Frees the file, also one that is still being made. */
  dispose(): void {
    this.#isDisposed = true;
    this.#spool?.dispose();
  }

  async #write(): Promise<void> {
    try {
      const spool = this.#spool ?? (await Spool.create(this.#options.folder));
      this.#spool = spool;
      while (this.#waiting.byteLength > 0 && !this.#isDisposed) {
        const bytes = this.#waiting.concat();
        this.#waiting.drain();
        this.#inFlightBytes = bytes.byteLength;
        await spool.append(bytes);
        this.#inFlightBytes = 0;
      }
      this.#writing = undefined;
      if (this.#isDisposed) spool.dispose();
      else this.#options.onIdle();
    } catch (error) {
      // A file that was closed under a write fails that write.
      if (!this.#isDisposed) this.#options.onFailed(error);
    }
  }
}
