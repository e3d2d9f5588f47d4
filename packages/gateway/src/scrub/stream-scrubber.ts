import { type EchoMatcher, withoutSpans } from './echo-matcher.ts';
import { EchoReader, type Span } from './echo-reader.ts';

/**
 * Takes the echoes out of bytes that come in pieces. What went in comes out, as long as it was and as soon as it can: only a tail
 * that could begin an echo is held until the bytes after it, or the end, decide.
 */
export class StreamScrubber {
  readonly #matcher: EchoMatcher;
  /** Made when something needs a closer look. */
  #reader: EchoReader | undefined;
  #held: Uint8Array = NOTHING;
  #heldSpans: readonly Span[] = [];
  /** How far held and next bytes together have been read; 0: the held ones alone. */
  #readTo = 0;
  #echoes = 0;

  constructor(matcher: EchoMatcher) {
    this.#matcher = matcher;
  }

  /** Occurrences found so far. */
  get echoes(): number {
    return this.#echoes;
  }

  get heldBytes(): number {
    return this.#held.length;
  }

  /** What may be passed on now, in order: `chunk` itself when nothing was found or held. `chunk` is not changed. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    return this.#takeAfterHeld(chunk, false);
  }

  /** The same for the last piece, which may be empty. */
  end(chunk: Uint8Array = NOTHING): readonly Uint8Array[] {
    return this.#takeAfterHeld(chunk, true);
  }

  toJSON(): string {
    return '[secret]';
  }

  #takeAfterHeld(chunk: Uint8Array, isLast: boolean): readonly Uint8Array[] {
    const settled = this.#settleHeld(chunk);
    const taken = this.#take(chunk, isLast);
    if (settled === undefined) return taken.length === 0 ? [] : [taken];
    return taken.length === 0 ? [settled] : [settled, taken];
  }

  /**
   * The held bytes, when a few of the next ones show that they are nothing: so a large piece need not be copied behind them. undefined when
   * nothing is held, or they must be held on; then the reader has read those few.
   */
  #settleHeld(next: Uint8Array): Uint8Array | undefined {
    const held = this.#held;
    if (held.length === 0 || next.length <= SETTLING_BYTES || this.#heldSpans.length > 0) return undefined;
    const reader = this.#readerInUse();
    const joint = Buffer.concat([held, next.subarray(0, SETTLING_BYTES)]);
    reader.read(joint, held.length, { isLast: false });
    this.#readTo = joint.length;
    if (reader.hasSpans || reader.heldFrom(joint.length) < held.length) return undefined;
    // What begins among the next bytes is found again when they are read by themselves.
    this.#reader = undefined;
    this.#held = NOTHING;
    this.#readTo = 0;
    return held;
  }

  #readerInUse(): EchoReader {
    this.#reader ??= new EchoReader(this.#matcher);
    return this.#reader;
  }

  #take(chunk: Uint8Array, isLast: boolean): Uint8Array {
    const hint = this.#held.length === 0 ? this.#matcher.findHint(chunk, 0) : undefined;
    if (hint === -1 && (isLast || this.#matcher.endsClearly(chunk))) return chunk;
    const reader = this.#readerInUse();
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    reader.read(bytes, Math.max(this.#held.length, this.#readTo), { isLast, hint });
    this.#readTo = 0;
    const heldFrom = isLast ? bytes.length : reader.heldFrom(bytes.length);
    const found = reader.takeSpans();
    this.#echoes += found.length;
    const spans = this.#heldSpans.length === 0 ? found : [...this.#heldSpans, ...found];
    if (heldFrom < bytes.length) reader.forget(heldFrom);
    this.#hold(bytes, heldFrom, spans);
    const passed = bytes.subarray(0, heldFrom);
    if (spans.length === 0) return heldFrom === bytes.length ? bytes : passed;
    return withoutSpans(bytes === chunk ? Buffer.from(passed) : passed, spans);
  }

  /** Keeps what is held as it came, for it may be read again, and the echoes in it apart. */
  #hold(bytes: Uint8Array, from: number, spans: readonly Span[]): void {
    if (from === bytes.length) {
      this.#held = NOTHING;
      this.#heldSpans = [];
      return;
    }
    // A copy: a few bytes must not keep a large piece in memory.
    this.#held = Buffer.from(bytes.subarray(from));
    this.#heldSpans = spans
      .filter(({ end }) => end > from)
      .map(({ start, end }) => ({ start: Math.max(start - from, 0), end: end - from }));
  }
}

const NOTHING = new Uint8Array(0);

/** As long as hardly any text follows an echo. */
const SETTLING_BYTES = 64;
