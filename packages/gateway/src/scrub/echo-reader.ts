import { hexValue, isShortEscape, PERCENT_ESCAPE, SHORT_ESCAPE, UNICODE_ESCAPE } from './echo-form.ts';
import type { EchoMatcher } from './echo-matcher.ts';
import { Trail } from './trail.ts';

/** A place where an echo stands, in bytes; `end` is the first byte behind. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ReadOptions {
  /** Nothing follows. */
  readonly isLast: boolean;
  /** What the matcher finds from `from` on, when that has been asked already. */
  readonly hint?: number | undefined;
}

/**
 * Finds every occurrence of every form in bytes that come in pieces.
 *
 * Between occurrences it only skims, by the matcher's filter. Where the filter finds something it reads byte by byte: what may
 * have begun is a trail, which every byte or escape either carries on or ends. When the last trail has ended it skims again. What
 * an escape may carry on that the end of a piece cuts off waits beside the trails until the rest has come.
 */
export class EchoReader {
  readonly #matcher: EchoMatcher;
  #trails: Trail[] = [];
  /** Copies of trails, and new ones, each at an escape that is cut off. */
  #waiting: Trail[] = [];
  #spans: Span[] = [];
  /** Where in the present bytes a trail of a form was last carried on, by the form's id. */
  readonly #reachedAt: Int32Array;
  #trailsMax = TRAILS_MAX;
  /** The escape at the place that is being read: its length (0: none), and what it stands for. */
  #escapeLength = 0;
  #escapeValue = 0;

  constructor(matcher: EchoMatcher) {
    this.#matcher = matcher;
    this.#reachedAt = new Int32Array(matcher.forms.length);
  }

  /** Reads to the end of `bytes`, which the last call read up to `from`. */
  read(bytes: Uint8Array, from: number, { isLast, hint: known }: ReadOptions): void {
    const matcher = this.#matcher;
    const end = bytes.length;
    this.#reachedAt.fill(-1);
    if (this.#waiting.length > 0) this.#resumeWaiting(bytes, isLast);
    let at = this.#trails.length > 0 ? this.#follow(bytes, from, from, isLast) : from;
    let next = at === from ? known : undefined;
    while (at < end) {
      const hint = next ?? matcher.findHint(bytes, at);
      next = undefined;
      if (hint < 0) break;
      at = this.#follow(bytes, matcher.walkBack(bytes, at, hint), hint + 1, isLast);
    }
    if (at === end || isLast) return;
    // The filter knows whole windows only: the last three bytes are always read, and what may lead up to them.
    this.#follow(bytes, matcher.walkBack(bytes, at, Math.max(at, end - 3)), end, isLast);
  }

  /** Where the earliest occurrence begins that later bytes may complete; `end`, the end of what was read, when there is none. */
  heldFrom(end: number): number {
    let earliest = end;
    for (const { start } of this.#trails) if (start < earliest) earliest = start;
    for (const { start } of this.#waiting) if (start < earliest) earliest = start;
    return earliest;
  }

  get hasSpans(): boolean {
    return this.#spans.length > 0;
  }

  /** The occurrences found since the last call, in order of their ends. They may overlap. */
  takeSpans(): readonly Span[] {
    const spans = this.#spans;
    if (spans.length > 0) this.#spans = [];
    return spans;
  }

  /** The next call's bytes begin `count` bytes later than those of the last. */
  forget(count: number): void {
    for (const trail of this.#trails) trail.forget(count);
    for (const trail of this.#waiting) trail.forget(count);
  }

  toJSON(): string {
    return '[secret]';
  }

  /** Reads byte by byte until no trail is left, but at least up to `until`. */
  #follow(bytes: Uint8Array, from: number, until: number, isLast: boolean): number {
    const end = bytes.length;
    for (let at = from; at < end; at += 1) {
      if (this.#trails.length === 0 && at >= until) return at;
      const byte = bytes[at] as number;
      this.#escapeLength = 0;
      if (byte === PERCENT || byte === BACKSLASH) {
        const isWhole = this.#readEscape(bytes, at);
        if (!isWhole && !isLast) this.#wait(bytes, at);
      }
      if (this.#trails.length > 0) this.#carryOn(at, byte);
      this.#begin(at, byte);
    }
    if (this.#trails.length > 0) this.#complete(end);
    return end;
  }

  /** Takes every trail at `at` one step on, by the byte and, as another trail, by the escape. */
  #carryOn(at: number, byte: number): void {
    const trails = this.#trails;
    const count = trails.length;
    const length = this.#escapeLength;
    let kept = 0;
    let parted: Trail[] | undefined;
    for (let i = 0; i < count; i += 1) {
      const trail = trails[i] as Trail;
      if (trail.place === at) {
        this.#reachedAt[trail.form.id] = at;
        if (trail.isComplete) this.#closeSpan(trail);
        if (length === 0) {
          if (!trail.takeByte(byte)) continue;
        } else if (!trail.form.holdsEscape(byte)) {
          if (!trail.takeEscape(length, this.#escapeValue)) continue;
        } else {
          const twin = trail.clone();
          if (twin.takeEscape(length, this.#escapeValue)) {
            parted ??= [];
            parted.push(twin);
          }
          if (!trail.takeByte(byte)) continue;
        }
      }
      trails[kept] = trail;
      kept += 1;
    }
    if (kept < count) trails.length = kept;
    if (parted !== undefined) trails.push(...parted);
    if (trails.length > this.#trailsMax) this.#dropTwins();
  }

  /** Trails that an escape or its bytes have parted may meet again. */
  #dropTwins(): void {
    const earliest = new Map<string, Trail>();
    for (const trail of this.#trails) {
      const known = earliest.get(trail.state);
      if (known === undefined || trail.start < known.start) earliest.set(trail.state, trail);
    }
    this.#trails = [...earliest.values()];
    this.#trailsMax = Math.max(TRAILS_MAX, 2 * this.#trails.length);
  }

  /** A trail that was carried to `at` stands for one that would begin there. */
  #begin(at: number, byte: number): void {
    for (const form of this.#matcher.beginningWith(byte)) {
      if (this.#reachedAt[form.id] === at) continue;
      const trail = new Trail(form, at);
      trail.takeByte(byte);
      this.#trails.push(trail);
    }
    const length = this.#escapeLength;
    if (length === 0) return;
    for (const form of this.#matcher.forms) {
      if (this.#reachedAt[form.id] === at || form.afterEscape(0, length, this.#escapeValue) === 0) continue;
      const trail = new Trail(form, at);
      trail.takeEscape(length, this.#escapeValue);
      this.#trails.push(trail);
    }
  }

  #closeSpan(trail: Trail): void {
    this.#spans.push({ start: trail.start, end: trail.place });
    trail.fallBack();
  }

  /** Echoes that end right before `at`. */
  #complete(at: number): void {
    this.#trails = this.#trails.filter((trail) => {
      if (trail.place === at && trail.isComplete) this.#closeSpan(trail);
      return trail.start < trail.place;
    });
  }

  /** Keeps aside what the escape at `at`, which the end cuts off, could carry on. */
  #wait(bytes: Uint8Array, at: number): void {
    for (const trail of this.#trails) {
      if (trail.place !== at) continue;
      this.#reachedAt[trail.form.id] = at;
      const twin = trail.clone();
      if (twin.isComplete) twin.fallBack();
      if (twin.waitForEscape(bytes)) this.#waiting.push(twin);
    }
    for (const form of this.#matcher.forms) {
      if (this.#reachedAt[form.id] !== at && form.mayContinue(0, bytes, at)) this.#waiting.push(new Trail(form, at));
    }
  }

  #resumeWaiting(bytes: Uint8Array, isLast: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const trail of waiting) {
      this.#escapeLength = 0;
      const isWhole = this.#readEscape(bytes, trail.place);
      const length = this.#escapeLength;
      if (!isWhole && !isLast && trail.waitForEscape(bytes)) this.#waiting.push(trail);
      if (length > 0 && trail.takeEscape(length, this.#escapeValue)) this.#trails.push(trail);
    }
  }

  /** Notes the escape at `at`, if there is one. False when the end cuts it off. */
  #readEscape(bytes: Uint8Array, at: number): boolean {
    if (bytes[at] === PERCENT) return this.#readDigits(bytes, at + 1, PERCENT_ESCAPE, 2);
    if (at + 1 === bytes.length) return false;
    const letter = bytes[at + 1] as number;
    if (letter === LOWER_U) return this.#readDigits(bytes, at + 2, UNICODE_ESCAPE, 4);
    if (isShortEscape(letter)) {
      this.#escapeLength = SHORT_ESCAPE;
      this.#escapeValue = letter;
    }
    return true;
  }

  #readDigits(bytes: Uint8Array, from: number, length: number, digits: number): boolean {
    let value = 0;
    for (let i = from; i < from + digits; i += 1) {
      if (i === bytes.length) return false;
      const digit = hexValue(bytes[i] as number);
      if (digit > 15) return true;
      value = value * 16 + digit;
    }
    this.#escapeLength = length;
    this.#escapeValue = value;
    return true;
  }
}

/** So many are looked through for twins. */
const TRAILS_MAX = 32;

const PERCENT = 0x25;
const BACKSLASH = 0x5c;
const LOWER_U = 0x75;
