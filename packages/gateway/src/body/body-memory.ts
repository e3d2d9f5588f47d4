/**
 * How much memory all bodies of the process may take together. Whoever cannot take what it needs writes to a file instead, or refuses:
 * without this, a thousand clients with a megabyte each would be a gigabyte.
 */
export class BodyMemory {
  /** May be changed; what is held above it is kept, and nothing more taken. */
  bytesMax: number;
  readonly #shared: BodyMemory | undefined;
  #held = 0;

  /** `shared`: what is taken here is taken there too, of memory that others share. */
  constructor(bytesMax: number = BODY_MEMORY_BYTES_MAX, shared?: BodyMemory) {
    this.bytesMax = bytesMax;
    this.#shared = shared;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** False when there is not so much left; nothing is taken then. What was taken must be given back once. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.bytesMax) return false;
    if (this.#shared?.take(bytes) === false) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    this.#shared?.give(bytes);
  }
}

/** 128 MiB: as many bodies of the largest size that is kept in memory as a busy gateway has calls running. */
export const BODY_MEMORY_BYTES_MAX = 134_217_728;
