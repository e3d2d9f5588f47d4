import type { ClaimRecord, ClaimScope } from '@postern/db/ports';
import type { CollectedResponse } from '../answers/collected-answer.ts';

export interface AnsweredClaim {
  /** `succeeded`, with an answer. */
  readonly claim: ClaimRecord;
  /** That answer, opened. */
  readonly answer: CollectedResponse;
}

const BYTES_MAX = 16_777_216;
/** One long answer must not drive out all others. */
const ANSWER_BYTES_MAX = 262_144;
/** What a claim takes besides its answer's body. */
const CLAIM_BYTES = 2_048;

/**
 * Answers that were replayed already, kept opened for the next re-send: it then costs neither a read nor an opening. A claim that has
 * succeeded stays as it is until it expires, whatever happens to it or its neighbours, so what is kept here never has to be told of a
 * change. Only what was read from the store comes in. Bounded; those that were not asked for the longest go first.
 */
export class AnsweredClaims {
  readonly #bytesMax: number;
  readonly #kept = new Map<string, AnsweredClaim & { readonly bytes: number }>();
  #bytes = 0;

  constructor(bytesMax = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** What was kept under this key, unless it is over at `nowMs` (milliseconds since the epoch). */
  find(scope: ClaimScope, nowMs: number): AnsweredClaim | undefined {
    const name = nameOf(scope);
    const found = this.#kept.get(name);
    if (found === undefined) return undefined;
    this.#kept.delete(name);
    if (found.claim.expiresAt > nowMs) {
      this.#kept.set(name, found);
      return found;
    }
    this.#bytes -= found.bytes;
    return undefined;
  }

  keep(claim: ClaimRecord, answer: CollectedResponse): void {
    const bytes = answer.body.byteLength + CLAIM_BYTES;
    if (claim.state !== 'succeeded' || bytes > ANSWER_BYTES_MAX) return;
    const name = nameOf(claim);
    this.#bytes += bytes - (this.#kept.get(name)?.bytes ?? 0);
    this.#kept.delete(name);
    // The sealed bytes have done their service.
    this.#kept.set(name, { claim: { ...claim, answer: unsealed(claim) }, answer, bytes });
    for (const [oldest, { bytes: given }] of this.#kept) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#kept.delete(oldest);
      this.#bytes -= given;
    }
  }
}

/** None of the four can hold a NUL. */
function nameOf({ tenant, agent, integration, key }: ClaimScope): string {
  return `${tenant}\0${agent}\0${integration}\0${key}`;
}

function unsealed({ answer }: ClaimRecord): ClaimRecord['answer'] {
  return answer && { id: answer.id, bytes: answer.bytes };
}
