import type { EchoForm } from './echo-form.ts';

/**
 * An occurrence of one form that has begun, and with it all that have begun within it: those are the borders of what has come, and
 * follow from it. When a byte ends the longest, the longest of the others takes its place, so that a text costs a step a
 * byte however an echo repeats itself (Knuth, Morris, Pratt).
 */
export class Trail {
  readonly form: EchoForm;
  /** Where the next unit must stand. */
  place: number;
  /** Units that have come. */
  #count = 0;
  #start: number;
  /** Where each unit began that has come, from `#start` on; -1 within an escape for several. Absent while each was one byte. */
  #unitStarts: number[] | undefined;

  constructor(form: EchoForm, place: number) {
    this.form = form;
    this.place = place;
    this.#start = place;
  }

  get start(): number {
    return this.#start;
  }

  /** All units have come. */
  get isComplete(): boolean {
    return this.#count === this.form.length;
  }

  /** Equal for trails that will go on alike. */
  get state(): string {
    return `${this.form.id} ${this.#count} ${this.place}`;
  }

  clone(): Trail {
    const twin = new Trail(this.form, this.place);
    twin.#count = this.#count;
    twin.#start = this.#start;
    twin.#unitStarts = this.#unitStarts?.slice();
    return twin;
  }

  /** False when neither the longest nor any other occurrence goes on with `byte`. */
  takeByte(byte: number): boolean {
    for (;;) {
      const next = this.form.afterByte(this.#count, byte);
      if (next > 0) {
        this.#unitStarts?.push(this.place);
        this.#count = next;
        this.place += 1;
        return true;
      }
      if (!this.fallBack()) return false;
    }
  }

  takeEscape(length: number, value: number): boolean {
    for (;;) {
      const next = this.form.afterEscape(this.#count, length, value);
      if (next > 0) {
        this.#takeUnits(next - this.#count);
        this.#count = next;
        this.place += length;
        return true;
      }
      if (!this.fallBack()) return false;
    }
  }

  /** Gives up the longest occurrence for the next one. False when none is left. */
  fallBack(): boolean {
    let count = this.#count;
    do {
      if (count === 0) return false;
      count = this.form.border(count);
    } while (this.#unitStarts?.[this.#count - count] === WITHIN_ESCAPE);
    const given = this.#count - count;
    this.#count = count;
    if (this.#unitStarts === undefined) {
      this.#start += given;
      return true;
    }
    this.#unitStarts.splice(0, given);
    this.#start = this.#unitStarts[0] ?? this.place;
    return true;
  }

  /** Gives up what the escape cannot carry on that begins here and that the end of `bytes` cuts off. False when nothing is left. */
  waitForEscape(bytes: Uint8Array): boolean {
    while (!this.form.mayContinue(this.#count, bytes, this.place)) if (!this.fallBack()) return false;
    return true;
  }

  /** All places are counted from `count` bytes later on. */
  forget(count: number): void {
    this.#start -= count;
    this.place -= count;
    this.#unitStarts = this.#unitStarts?.map((start) => (start === WITHIN_ESCAPE ? start : start - count));
  }

  #takeUnits(count: number): void {
    this.#unitStarts ??= Array.from({ length: this.#count }, (_, index) => this.#start + index);
    this.#unitStarts.push(this.place);
    for (let i = 1; i < count; i += 1) this.#unitStarts.push(WITHIN_ESCAPE);
  }
}

const WITHIN_ESCAPE = -1;
