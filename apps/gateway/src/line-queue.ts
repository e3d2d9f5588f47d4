/** Lines gather for at most this long, or until this many bytes lie there, and are written in one go. */
const FLUSH_EVERY_MS = 200;
const GATHER_BYTES = 65_536;
/** Room behind the mark, so that the line that crosses it is whole. A longer line gets bytes of its own. */
const LINE_BYTES_MAX = 32_768;
/** A character of a string has at most 3 bytes in UTF-8. */
const SHORT_LINE_CHARACTERS = Math.floor(LINE_BYTES_MAX / 3);
const CHUNK_BYTES = GATHER_BYTES + LINE_BYTES_MAX;
/** What may wait for a slow reader. */
const HELD_BYTES_MAX = 8 * 1024 * 1024;
/** Buffers kept for the next lines. */
const FREE_MAX = 4;

/** Writes all the bytes, then calls `done` once; with an error when some were lost. They belong to it until then. */
export type WriteBytes = (bytes: Uint8Array, done: (error?: Error | null) => void) => void;

export interface LineQueueOptions {
  /** Bytes that may wait for the reader; beyond it lines are dropped. Default 8 MiB. */
  readonly heldBytesMax?: number;
  /** The line that tells of dropped ones, with its line feed; absent: nothing tells but `dropped`. */
  readonly notice?: ((dropped: number) => string) | undefined;
}

/** Gathered lines: the first `used` of `bytes`. */
interface Chunk {
  readonly bytes: Buffer;
  used: number;
  lines: number;
  /** Dropped lines that one of these lines tells of. */
  told: number;
}

/**
 * The way of all lines to the log. One write is under way at a time, so no two mix; what waits is bounded, so a reader that stops
 * costs memory up to the bound and then lines, never time.
 *
 * `open` takes lines; full, it joins `waiting`. When that holds all it may, `open` stays full and lines are dropped, until a write
 * ends: then a line tells how many, in the place where they would have stood.
 */
export class LineQueue {
  readonly #write: WriteBytes;
  readonly #heldBytesMax: number;
  readonly #notice: ((dropped: number) => string) | undefined;
  readonly #free: Buffer[] = [];
  readonly #waiting: Chunk[] = [];
  #waitingBytes = 0;
  #open: Chunk = this.#newChunk();
  #isWriting = false;
  /** What lies in `open` has lain there long enough: it follows the write under way. */
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  #untold = 0;
  #onEmpty: (() => void) | undefined;

  constructor(write: WriteBytes, options: LineQueueOptions = {}) {
    this.#write = write;
    this.#heldBytesMax = options.heldBytesMax ?? HELD_BYTES_MAX;
    this.#notice = options.notice;
  }

  /** Lines that were lost since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes one whole line with its line feed. Never waits: when the reader is too slow, the line is dropped and counted. */
  add(line: string): void {
    const open = this.#open;
    if (open.used > GATHER_BYTES) this.#drop(1);
    else if (line.length > SHORT_LINE_CHARACTERS) this.#addLong(line);
    else {
      open.used += open.bytes.write(line, open.used);
      open.lines += 1;
      if (open.used > GATHER_BYTES) this.#passOn();
      else this.#timer ??= setTimeout(this.#becomeDue, FLUSH_EVERY_MS).unref();
    }
  }

  /** The same for a line that shall not wait for others. */
  addNow(line: string): void {
    this.add(line);
    this.#becomeDue();
  }

  /** Resolves when all is written, or after that time. */
  drain(withinMs: number): Promise<void> {
    this.#becomeDue();
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => {
      const bound = setTimeout(resolve, withinMs);
      this.#onEmpty = () => {
        clearTimeout(bound);
        resolve();
      };
    });
  }

  #addLong(line: string): void {
    if (this.#open.used > 0) this.#passOn();
    const chunk = this.#newChunk(Buffer.from(line));
    chunk.used = chunk.bytes.byteLength;
    chunk.lines = 1;
    if (!this.#give(chunk)) this.#drop(1);
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#untold += lines;
  }

  #becomeDue = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isWriting) this.#isDue = true;
    else if (this.#open.used > 0) this.#passOn();
  };

  #passOn(): void {
    if (!this.#give(this.#open)) return;
    this.#open = this.#newChunk();
    if (this.#untold === 0 || this.#notice === undefined) return;
    this.#open.used = this.#open.bytes.write(this.#notice(this.#untold));
    this.#open.told = this.#untold;
    this.#untold = 0;
    this.#timer ??= setTimeout(this.#becomeDue, FLUSH_EVERY_MS).unref();
  }

  /** To the reader, or to those that wait. False: neither has room. */
  #give(chunk: Chunk): boolean {
    if (!this.#isWriting) {
      this.#begin(chunk);
      return true;
    }
    if (this.#waitingBytes + chunk.bytes.byteLength > this.#heldBytesMax) return false;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.bytes.byteLength;
    return true;
  }

  #begin(chunk: Chunk): void {
    this.#isWriting = true;
    this.#write(chunk.bytes.subarray(0, chunk.used), (error) => this.#end(chunk, error));
  }

  #end(chunk: Chunk, error: Error | null | undefined): void {
    if (error) {
      this.#drop(chunk.lines);
      this.#untold += chunk.told;
      // Asked again after a moment: a reader that has gone would have each notice followed by the next.
      this.#isDue = false;
      if (this.#open.used > 0) this.#timer ??= setTimeout(this.#becomeDue, FLUSH_EVERY_MS).unref();
    }
    if (chunk.bytes.byteLength === CHUNK_BYTES && this.#free.length < FREE_MAX) this.#free.push(chunk.bytes);
    this.#isWriting = false;
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#waitingBytes -= next.bytes.byteLength;
      this.#begin(next);
    }
    if (this.#open.used > GATHER_BYTES || (!this.#isWriting && this.#isDue && this.#open.used > 0)) this.#passOn();
    if (this.#isWriting) return;
    this.#isDue = false;
    this.#onEmpty?.();
  }

  #newChunk(bytes: Buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)): Chunk {
    return { bytes, used: 0, lines: 0, told: 0 };
  }
}
