import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import type { ContentCoding } from './content-coding.ts';
import type { EchoMatcher } from './echo-matcher.ts';
import { StreamScrubber } from './stream-scrubber.ts';

/** Why an encoded body may not be passed on: an echo is in it, it is not what its coding says, or it unfolds to too much. */
export type SearchFault = 'echo' | 'unreadable' | 'too_large';

export interface EncodedSearchOptions {
  readonly matcher: EchoMatcher;
  readonly coding: Exclude<ContentCoding, 'identity' | 'unknown'>;
  /** How much the body may unfold to. */
  readonly decodedBytesMax: number;
}

/** Hears of the pieces in their order, as they came; then of the end, or of one fault. */
export interface EncodedSearchOwner {
  onPassed(chunk: Uint8Array): void;
  /** More may be pushed, after a push that answered false. */
  onReady(): void;
  onSearched(): void;
  onFault(fault: SearchFault): void;
}

/**
 * Searches an encoded body by decoding it aside, a piece at a time. A piece is passed on, unchanged, when all that can be decoded of it
 * and of those before was searched and cannot begin an echo. The encoded bytes are searched as well: a coding leaves room for
 * plain text (names and comments of gzip, frames that are skipped).
 */
export class EncodedSearch {
  readonly #options: EncodedSearchOptions;
  readonly #owner: EncodedSearchOwner;
  readonly #decoded: StreamScrubber;
  readonly #encoded: StreamScrubber;
  #decoder: Transform | undefined;
  /** Not decoded yet. */
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Decoded, with something at the end that must not be told apart yet. */
  #undecided: Uint8Array[] = [];
  #undecidedBytes = 0;
  #encodedBytes = 0;
  #decodedBytes = 0;
  #isDecoding = false;
  #hasEnded = false;
  #isFinishing = false;
  #isOver = false;
  #isPaused = false;

  constructor(options: EncodedSearchOptions, owner: EncodedSearchOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#decoded = new StreamScrubber(options.matcher);
    this.#encoded = new StreamScrubber(options.matcher);
  }

  /** False when it has enough for the moment; the piece is taken all the same. */
  push(chunk: Uint8Array): boolean {
    if (this.#isOver || chunk.byteLength === 0) return true;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.byteLength;
    this.#decodeNext();
    this.#isPaused = this.#queuedBytes >= QUEUE_BYTES_MAX;
    return !this.#isPaused;
  }

  /** Nothing more will come. */
  end(): void {
    this.#hasEnded = true;
    this.#decodeNext();
  }

  /** Leaves off; the owner hears nothing more. */
  close(): void {
    this.#isOver = true;
    this.#queue.length = 0;
    this.#undecided.length = 0;
    this.#decoder?.destroy();
  }

  #decodeNext(): void {
    if (this.#isOver || this.#isDecoding) return;
    const chunk = this.#queue.shift();
    if (chunk === undefined) {
      if (this.#hasEnded) this.#finish();
      return;
    }
    this.#decoder ??= this.#openDecoder(chunk);
    this.#isDecoding = true;
    this.#encoded.push(chunk);
    this.#encodedBytes += chunk.byteLength;
    this.#decoder.write(chunk, (error) => (error ? this.#fail('unreadable') : this.#onDecoded(chunk)));
  }

  #onDecoded(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#isDecoding = false;
    const decoder = this.#decoder as Transform & { readonly bytesWritten: number };
    // What it has not given yet, it gives now.
    if (decoder.readableLength > 0) decoder.read();
    if (this.#isOver) return;
    // Nothing may stand behind the encoded text: it would pass unsearched.
    if (decoder.bytesWritten !== this.#encodedBytes) return this.#fail('unreadable');
    this.#queuedBytes -= chunk.byteLength;
    this.#undecided.push(chunk);
    this.#undecidedBytes += chunk.byteLength;
    this.#judge();
    if (this.#isPaused && this.#queuedBytes < QUEUE_BYTES_MAX) {
      this.#isPaused = false;
      this.#owner.onReady();
    }
    this.#decodeNext();
  }

  #judge(): void {
    if (this.#decoded.echoes > 0 || this.#encoded.echoes > 0) return this.#fail('echo');
    // The last piece waits for the verdict that the whole is sound.
    if (this.#hasEnded && this.#queue.length === 0) return;
    if (this.#decoded.heldBytes === 0 && this.#encoded.heldBytes < ENCODED_HELD_BYTES_MIN) this.#pass();
    else if (this.#undecidedBytes > UNDECIDED_BYTES_MAX) this.#fail('unreadable');
  }

  #pass(): void {
    const chunks = this.#undecided;
    this.#undecided = [];
    this.#undecidedBytes = 0;
    for (const chunk of chunks) if (!this.#isOver) this.#owner.onPassed(chunk);
  }

  #finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    if (this.#decoder === undefined) this.#onEnd();
    else this.#decoder.end();
  }

  /** The decoder has given everything, and found it whole. */
  #onEnd = (): void => {
    // One that ends before its input does is told by the bytes that it left.
    if (this.#isOver || !this.#isFinishing) return;
    this.#decoded.end();
    this.#encoded.end();
    if (this.#decoded.echoes > 0 || this.#encoded.echoes > 0) return this.#fail('echo');
    this.#pass();
    if (this.#isOver) return;
    this.close();
    this.#owner.onSearched();
  };

  #fail(fault: SearchFault): void {
    if (this.#isOver) return;
    this.close();
    this.#owner.onFault(fault);
  }

  #openDecoder(first: Uint8Array): Transform {
    const decoder = decoderFor(this.#options.coding, first);
    decoder.on('data', (text: Uint8Array) => {
      if (this.#isOver) return;
      this.#decodedBytes += text.byteLength;
      if (this.#decodedBytes > this.#options.decodedBytesMax) return this.#fail('too_large');
      this.#decoded.push(text);
      if (this.#decoded.echoes > 0) this.#fail('echo');
    });
    decoder.on('end', this.#onEnd);
    decoder.on('error', () => this.#fail('unreadable'));
    return decoder;
  }
}

/** So many bytes may wait to be decoded before the upstream is paused. */
const QUEUE_BYTES_MAX = 262_144;
/** So many may be withheld because of what they end with: more than any echo takes, unless bytes are sent that unfold to nothing. */
const UNDECIDED_BYTES_MAX = 1_048_576;
/** Three bytes that could begin an echo come up in encoded text by chance, four hardly ever. */
const ENCODED_HELD_BYTES_MIN = 4;

const FLUSHING = { flush: constants.Z_SYNC_FLUSH };

function decoderFor(coding: EncodedSearchOptions['coding'], first: Uint8Array): Transform {
  switch (coding) {
    case 'gzip':
      return createGunzip(FLUSHING);
    case 'deflate':
      // RFC 9110 section 8.4.1.2: some send it without its wrapper, and clients tell by the first byte.
      return ((first[0] as number) & 0x0f) === 8 ? createInflate(FLUSHING) : createInflateRaw(FLUSHING);
    case 'br':
      return createBrotliDecompress();
    case 'zstd':
      // RFC 9659: a window of 8 MiB is all that a content coding may ask for.
      return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } });
  }
}
