import { encodeStoredAnswer, STORED_ANSWER_BODY_BYTES_MAX, sealBytes, sealedReference } from '@postern/approvals';
import type { Vault } from '@postern/vault';
import type { BodyMemory } from '../body/body-memory.ts';
import { ChunkList } from '../body/chunk-list.ts';

/**
 * Keeps an answer as it is passed on, so that a re-send of its call can be given the same. One that is longer than may be kept, or for
 * which there is no memory, is not kept at all.
 */
export class AnswerRecord {
  readonly #memory: BodyMemory;
  readonly #chunks = new ChunkList();
  #status = 0;
  #headers: readonly (readonly [string, string])[] = [];
  #isKept = true;

  constructor(memory: BodyMemory) {
    this.#memory = memory;
  }

  /** `headers`: flat pairs. */
  head(status: number, headers: readonly string[]): void {
    this.#status = status;
    const kept: [string, string][] = [];
    for (let i = 0; i + 1 < headers.length; i += 2) kept.push([headers[i] as string, headers[i + 1] as string]);
    this.#headers = kept;
  }

  add(bytes: Uint8Array): void {
    if (!this.#isKept || bytes.byteLength === 0) return;
    const isTooLong = this.#chunks.byteLength + bytes.byteLength > STORED_ANSWER_BODY_BYTES_MAX;
    if (isTooLong || !this.#memory.take(bytes.byteLength)) return this.drop();
    this.#chunks.add(bytes);
  }

  /** Sealed, for whoever knows the tenant and the call's request id; undefined when it was not kept. */
  seal(vault: Pick<Vault, 'seal' | 'open'>, tenant: string, requestId: string): Uint8Array | undefined {
    if (!this.#isKept || this.#status === 0) return undefined;
    const answer = { status: this.#status, headers: this.#headers, body: this.#chunks.concat() };
    return sealBytes(encodeStoredAnswer(answer), { vault, reference: sealedReference('answer', tenant, requestId) });
  }

  /** To be called at the end. May be called again. */
  drop(): void {
    this.#isKept = false;
    this.#memory.give(this.#chunks.byteLength);
    this.#chunks.drain();
  }
}
