import type { ClaimResolution, ClaimState } from '@postern/db/ports';
import { finalStates, leadsTo } from './approval-states.ts';

/**
 * The life of a claim, the durable ownership of one idempotency key (specification, section 10): from each state the states that one
 * step leads to.
 *
 * `reserved` and `awaiting_approval` have sent nothing. `dispatching` is written with a fence and a lease before the first byte goes
 * out; a lease that runs out makes it `unknown`, never `reserved`. `failed_not_sent` (provably nothing reached the upstream, or it
 * answered 429) leaves the key free for a new dispatch at once. `unknown` outlives the key's time: an operator says `done` or
 * `not_done`, or a re-send that is let through makes it `dispatching` again. The end of a key's time is no step: the claim is gone then,
 * and the key is new.
 */
export const CLAIM_TRANSITIONS = {
  reserved: ['awaiting_approval', 'dispatching'],
  awaiting_approval: ['dispatching', 'failed_final'],
  dispatching: ['succeeded', 'failed_not_sent', 'failed_final', 'unknown'],
  succeeded: [],
  failed_not_sent: ['reserved', 'awaiting_approval', 'dispatching'],
  failed_final: [],
  unknown: ['dispatching', 'succeeded', 'failed_not_sent'],
} as const satisfies Record<ClaimState, readonly ClaimState[]>;

/** As `mayTransition`, for claims. */
export function mayClaimTransition(from: ClaimState, to: ClaimState): boolean {
  return leadsTo(CLAIM_TRANSITIONS, from, to);
}

/** Nothing but the end of the key's time leads out of these. */
export const CLAIM_FINAL_STATES = finalStates<ClaimState>(CLAIM_TRANSITIONS);

/** The state that an operator's word on an `unknown` claim leads to. After `retry` it stays, and one re-send is let through. */
export const CLAIM_RESOLUTIONS = {
  done: 'succeeded',
  not_done: 'failed_not_sent',
  retry: 'unknown',
} as const satisfies Record<ClaimResolution['outcome'], ClaimState>;
