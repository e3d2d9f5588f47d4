import type { EchoForm } from './echo-form.ts';
import { formsOf } from './echo-forms.ts';
import { EchoReader, type Span } from './echo-reader.ts';
import { GRAM_BYTES, GramSet } from './gram-set.ts';

/** Shorter echoes are not searched for: they would hit ordinary text. In characters. */
export const ECHO_LENGTH_MIN = 8;

/**
 * Characters of an echo by which the filter knows it; those behind are compared only once these were found. The more there are, the
 * fewer bytes of an answer are looked at, and the longer it takes to make the filter.
 */
const HEAD_LENGTH = 40;
/** For echoes that are new with every call: a third of the work before the call, three times that on its answer. */
export const BRIEF_HEAD_LENGTH = 14;
/** An echo that holds another one no later than here is found by that one. */
const PREFIX_LENGTH_MAX = 16;
/** The windows of all forms that begin in a character, about. */
const CHARACTER_GRAMS = 50;

/**
 * Everything that an answer is searched for, in all forms (`echo-form.ts`), ready to search.
 *
 * Most answers hold nothing, so most bytes are not looked at. Any occurrence begins with a spelling of its head, which has at least
 * `n` bytes: of the windows of four bytes at every `n - 3`rd place one lies in it. Only where such a window is one of a head's
 * (`sampled`) the bytes are read one by one (`echo-reader.ts`), from as far back as windows are parts of heads (`walked`).
 *
 * Holds the secret: nothing in it is printable, and it is to be dropped with the secret.
 */
export class EchoMatcher {
  readonly #echoes: readonly string[];
  readonly #sampled: GramSet;
  readonly #walked: GramSet;
  readonly #stride: number;
  /** By byte: 1 when a form can begin with it. */
  readonly #firstBytes = new Uint8Array(256);
  #compiled: CompiledForms | undefined;
  /** No occurrence has fewer bytes. */
  readonly bytesMin: number;

  private constructor(echoes: readonly string[], headLength: number) {
    this.#echoes = echoes;
    const { heads, prefixes } = splitHeads(echoes, headLength);
    const forms = heads.flatMap(formsOf);
    this.bytesMin = Math.min(...forms.map(({ length }) => length));
    this.#stride = this.bytesMin - GRAM_BYTES + 1;
    this.#sampled = new GramSet(heads.length * headLength * CHARACTER_GRAMS);
    for (const form of forms) this.#sampled.addForm(form);
    this.#walked = prefixes.length === 0 ? this.#sampled : this.#sampled.clone();
    const prefixForms = prefixes.flatMap(formsOf);
    for (const form of prefixForms) this.#walked.addForm(form);
    for (const form of [...forms, ...prefixForms]) form.markFirstBytes(this.#firstBytes);
  }

  /** undefined when none of the echoes is long enough to be searched for. */
  static compile(echoes: readonly string[], headLength = HEAD_LENGTH): EchoMatcher | undefined {
    const usable = [...new Set(echoes)].filter((echo) => Array.from(echo).length >= ECHO_LENGTH_MIN);
    return usable.length === 0 ? undefined : new EchoMatcher(usable, headLength);
  }

  /** Every form of every echo. */
  get forms(): readonly EchoForm[] {
    return this.#compile().forms;
  }

  beginningWith(byte: number): readonly EchoForm[] {
    return this.#compile().beginnings[byte] as readonly EchoForm[];
  }

  /** Only when the filter finds something: some credentials make new echoes for every call. */
  #compile(): CompiledForms {
    this.#compiled ??= compileForms(this.#echoes);
    return this.#compiled;
  }

  /** A place within every occurrence that begins at `from` or later is passed only if it is given; -1 when there is none. */
  findHint(bytes: Uint8Array, from: number): number {
    return this.#sampled.find(bytes, from, this.#stride);
  }

  /** The earliest place, not before `floor`, where an occurrence may begin that reaches beyond `at`. */
  walkBack(bytes: Uint8Array, floor: number, at: number): number {
    let place = at;
    while (place > floor && this.#walked.has(bytes, place - 1)) place -= 1;
    return place;
  }

  /** Whether nothing begins at the end of `bytes`, which hold no hint; false when a closer look must tell. */
  endsClearly(bytes: Uint8Array): boolean {
    const end = bytes.length;
    for (let at = Math.max(end - GRAM_BYTES + 1, 0); at < end; at += 1) {
      if (this.#firstBytes[bytes[at] as number] === 1) return false;
    }
    return end < GRAM_BYTES || !this.#walked.has(bytes, end - GRAM_BYTES);
  }

  /** A whole text: `bytes` themselves when nothing was found, else a copy. */
  scrubBytes(bytes: Uint8Array): Uint8Array {
    const hint = this.findHint(bytes, 0);
    if (hint < 0) return bytes;
    const reader = new EchoReader(this);
    reader.read(bytes, 0, { isLast: true, hint });
    const spans = reader.takeSpans();
    return spans.length === 0 ? bytes : withoutSpans(Buffer.from(bytes), spans);
  }

  /** The same for text of one byte a character, as header values are. */
  scrubText(text: string): string {
    if (!this.#sampled.isInText(text, this.#stride)) return text;
    const scrubbed = this.scrubBytes(Buffer.from(text, 'latin1'));
    return Buffer.from(scrubbed.buffer, scrubbed.byteOffset, scrubbed.length).toString('latin1');
  }

  /** Whether a field's name holds an echo. Names come in lower case, whatever the upstream wrote. */
  isInName(name: string): boolean {
    if (!this.#sampled.isInText(name, this.#stride)) return false;
    return this.scrubText(name) !== name || this.#echoes.some((echo) => name.includes(echo.toLowerCase()));
  }

  toJSON(): string {
    return '[secret]';
  }
}

interface CompiledForms {
  readonly forms: readonly EchoForm[];
  /** Those that can begin with a byte, by the byte. */
  readonly beginnings: readonly (readonly EchoForm[])[];
}

function compileForms(echoes: readonly string[]): CompiledForms {
  const forms = echoes.flatMap(formsOf);
  forms.forEach((form, index) => {
    form.id = index;
  });
  const beginnings = Array.from({ length: 256 }, (_, byte) => forms.filter((form) => form.afterByte(0, byte) > 0));
  return { forms, beginnings };
}

/** `*` */
const REPLACEMENT = 0x2a;

/** `bytes` themselves, each byte of a span replaced. Spans may reach beyond the end. */
export function withoutSpans(bytes: Uint8Array, spans: readonly Span[]): Uint8Array {
  for (const { start, end } of spans) bytes.fill(REPLACEMENT, start, Math.min(end, bytes.length));
  return bytes;
}

/** What the filter must know: the head of each echo, or what stands before the echo that it holds. */
function splitHeads(echoes: readonly string[], headLength: number): { heads: string[]; prefixes: string[] } {
  const heads: string[] = [];
  const prefixes: string[] = [];
  for (const echo of echoes) {
    const places = echoes.filter((other) => other !== echo).map((other) => echo.indexOf(other));
    const inner = places.find((place) => place >= 0 && place <= PREFIX_LENGTH_MAX);
    if (inner === undefined) heads.push(Array.from(echo).slice(0, headLength).join(''));
    // With so much of the inner one that every window lies in one of the two.
    else prefixes.push(wellFormed(echo.slice(0, inner + 2 * GRAM_BYTES)));
  }
  return { heads, prefixes };
}

/** Without the half of a character at its end. */
function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.slice(0, -1);
}
