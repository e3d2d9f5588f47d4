import { VaultError } from './vault-error.ts';

const PLACEHOLDER = '[secret]';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** How `node:util` asks an object for its printed form, without importing it. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * A decrypted value that no logger, template string, JSON or structured clone can print. Only `reveal` and `revealBytes` give it out.
 *
 * It lives until `destroy` overwrites its bytes; whoever holds it across an `await` must expect `secret_destroyed`.
 */
export class Secret {
  #bytes: Uint8Array | undefined;

  /** Takes over `bytes`: the caller must not keep them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * The value as text.
   *
   * @throws VaultError `secret_destroyed`, or `secret_not_text` when it is not UTF-8.
   */
  reveal(): string {
    const bytes = this.revealBytes();
    try {
      return UTF8.decode(bytes);
    } catch {
      // Without the cause: a decoder's message might quote what it met.
      throw new VaultError('secret_not_text', 'The secret is not UTF-8 text.');
    }
  }

  /**
   * The value itself, not a copy: it turns to zeros with `destroy`.
   *
   * @throws VaultError `secret_destroyed`.
   */
  revealBytes(): Uint8Array {
    if (this.#bytes === undefined) throw new VaultError('secret_destroyed', 'The secret is no longer in memory.');
    return this.#bytes;
  }

  /** Overwrites the value with zeros. May be called again. */
  destroy(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [Symbol.toPrimitive](): string {
    return PLACEHOLDER;
  }

  [INSPECT](): string {
    return PLACEHOLDER;
  }
}
