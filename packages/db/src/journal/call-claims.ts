import { claimObstacle, claimStateOf } from '../claim-state.ts';
import type { ClaimSettlement, ClaimTake, LostCondition, OutcomeDraft } from '../ports/call-journal.ts';
import type { ClaimStore, FoundClaim, HeldClaim, TakenClaim } from './journal-rows.ts';

/** A claim that a call may take: the row that is there, or none. */
export interface OpenClaim {
  readonly take: ClaimTake;
  readonly row: FoundClaim | undefined;
}

/** Who takes claims: a call of this boot. */
export interface ClaimTaker {
  readonly tenant: string;
  readonly requestId: string;
  readonly lease: number;
  readonly approvalId: string | null;
  readonly now: number;
}

/** The claims of calls, in the transactions of the journal. */
export class CallClaims {
  readonly #rows: ClaimStore;

  constructor(rows: ClaimStore) {
    this.#rows = rows;
  }

  /** Whether the claim can be taken at `now`. Nothing changes. */
  look(tenant: string, take: ClaimTake, now: number): OpenClaim | LostCondition {
    const { agent, integration, key } = take;
    const row = this.#rows.find({ tenant, agent, integration, key });
    return claimObstacle(row, take, now) ?? { take, row };
  }

  /** After `look`, in the same transaction. */
  take({ take, row }: OpenClaim, { tenant, requestId, lease, approvalId, now }: ClaimTaker): HeldClaim {
    const { agent, integration, key, fingerprint, expiresAt } = take;
    // One that is over is another claim from here on.
    const before = row === undefined || claimStateOf(row, now) === undefined ? undefined : row;
    const taken: TakenClaim = {
      state: 'dispatching',
      fence: (row?.fence ?? 0) + 1,
      fingerprint,
      lease,
      request_id: requestId,
      approval_id: approvalId ?? before?.approval_id ?? null,
      created_at: before?.created_at ?? now,
      expires_at: expiresAt,
    };
    if (row === undefined) {
      return { place: this.#rows.insert({ tenant, agent, integration, key }, taken), fence: taken.fence };
    }
    this.#rows.take(row, taken, before !== undefined);
    if (row.answer !== null) this.#rows.dropAnswer(row.answer);
    return { place: row.place, fence: taken.fence };
  }

  /** When it is not this call's any more, nothing changes. */
  settle(claim: HeldClaim, settlement: ClaimSettlement, { tenant, requestId }: OutcomeDraft): void {
    const sealed = settlement.to === 'succeeded' ? settlement.sealed : undefined;
    const problem = settlement.to === 'failed_final' ? settlement.problem : undefined;
    const answer = sealed === undefined ? null : this.#rows.addAnswer(tenant, sealed);
    const isSettled = this.#rows.settle(claim, requestId, {
      state: settlement.to,
      answer,
      problem_code: problem?.code ?? null,
      problem_status: problem?.status ?? null,
      expires_at: problem?.until ?? null,
    });
    if (!isSettled && answer !== null) this.#rows.dropAnswer(answer);
  }

  /** Of a call that nobody will settle. */
  abandon(requestId: string): void {
    this.#rows.abandon(requestId);
  }
}
