import type { ApprovalStatus } from '@postern/db/ports';

/**
 * The life of an approval (specification, section 9): from each state the states that one step leads to. Each step is a conditional
 * update on the state before it.
 *
 * `pending`: people decide, time runs out, or the agent cancels. `approved`: the stored request is sent (`executing`), or its time runs
 * out, or a rule that now asks more people puts it back to `pending`. `executing`: the sending ends somehow; back to `approved` only
 * when provably nothing was sent. The state is that of the first execution; later uses of a grant leave it as it is.
 */
export const APPROVAL_TRANSITIONS = {
  pending: ['approved', 'denied', 'expired', 'cancelled'],
  approved: ['executing', 'expired', 'pending'],
  denied: [],
  expired: [],
  cancelled: [],
  executing: ['executed', 'failed', 'unknown', 'approved'],
  executed: [],
  failed: [],
  unknown: [],
} as const satisfies Record<ApprovalStatus, readonly ApprovalStatus[]>;

/** Whether an approval may go from one state to the other in one step. Staying is no step. False for what is no state. */
export function mayTransition(from: ApprovalStatus, to: ApprovalStatus): boolean {
  return leadsTo(APPROVAL_TRANSITIONS, from, to);
}

/** Nothing leads out of these. */
export const APPROVAL_FINAL_STATES = finalStates(APPROVAL_TRANSITIONS);

/** What `statusAt` needs of a stored approval; milliseconds since the epoch. */
export interface ExpiringApproval {
  readonly status: ApprovalStatus;
  /** End of the pending window. */
  readonly expiresAt: number;
  /** End of the execute window, of one that is approved. */
  readonly executeUntil?: number | undefined;
}

/**
 * The state of a stored approval at `now` (milliseconds): one whose window has closed is `expired`, whether or not a sweeper has been
 * there. At the end of the window itself it is closed, and so is a window without an end. What is executing is ended by its outcome or
 * by recovery, never by time alone.
 */
export function statusAt({ status, expiresAt, executeUntil }: ExpiringApproval, now: number): ApprovalStatus {
  if (status === 'pending') return now < expiresAt ? 'pending' : 'expired';
  if (status === 'approved') return executeUntil !== undefined && now < executeUntil ? 'approved' : 'expired';
  return status;
}

/** Of a table of transitions: the states that nothing leads out of. */
export function finalStates<S extends string>(transitions: Readonly<Record<S, readonly S[]>>): readonly S[] {
  return (Object.keys(transitions) as S[]).filter((state) => transitions[state].length === 0);
}

export function leadsTo(transitions: Readonly<Record<string, readonly string[]>>, from: string, to: string): boolean {
  return Object.hasOwn(transitions, from) && (transitions[from] ?? []).includes(to);
}
