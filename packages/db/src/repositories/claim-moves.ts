import type { Kysely } from 'kysely';
import { claimObstacle, claimStateOf } from '../claim-state.ts';
import type { LostCondition } from '../ports/call-journal.ts';
import type { ClaimScope } from '../ports/claims.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { type JoinedClaimRow, selectClaims } from './claim-rows.ts';

/** What a claim becomes before its call is dispatched. */
export interface ClaimMove extends ClaimScope {
  readonly fingerprint: string;
  readonly requestId: string;
  readonly expiresAt: number;
  readonly mayRepeat?: boolean | undefined;
  /** Given: `awaiting_approval` of it; absent: `reserved`. */
  readonly approvalId?: string | undefined;
}

/** The row of a key, expired or not. */
export async function readClaimRow(kysely: Kysely<Tables>, scope: ClaimScope): Promise<JoinedClaimRow | undefined> {
  return selectClaims(kysely, 'without answers')
    .where('c.tenant', '=', scope.tenant)
    .where('c.agent', '=', scope.agent)
    .where('c.integration', '=', scope.integration)
    .where('c.key', '=', scope.key)
    .executeTakeFirst();
}

/** Why the claim cannot be moved; undefined: it can. One that is `unknown` can only where it may be dispatched again. */
export function moveObstacle(
  row: JoinedClaimRow | undefined,
  move: Pick<ClaimMove, 'fingerprint' | 'mayRepeat' | 'approvalId'>,
  nowMs: number,
): LostCondition | undefined {
  const obstacle = claimObstacle(row, move, nowMs);
  if (obstacle !== undefined || row === undefined || move.approvalId !== undefined) return obstacle;
  const state = claimStateOf(row, nowMs);
  // A key that awaits a person or an operator does not go back to the queue.
  return state === 'awaiting_approval' || state === 'unknown' ? { lost: 'claim_lost', found: state } : undefined;
}

/** After `moveObstacle` found nothing, in the same transaction. What is `unknown` stays so until it is dispatched. */
export async function moveClaim(
  kysely: Kysely<Tables>,
  move: ClaimMove,
  { row, nowMs }: { row: JoinedClaimRow | undefined; nowMs: number },
): Promise<void> {
  const { tenant, agent, integration, key, fingerprint, requestId, expiresAt, approvalId = null } = move;
  const state = approvalId === null ? ('reserved' as const) : ('awaiting_approval' as const);
  const moved = { fingerprint, state, request_id: requestId, approval_id: approvalId, expires_at: expiresAt };
  const blank = { problem_code: null, problem_status: null, answer: null, lease: null, retry_allowed: 0 };
  if (row === undefined) {
    const place = { tenant, agent, integration, key, fence: 0, created_at: nowMs, resolution: null };
    await kysely
      .insertInto('claims')
      .values({ ...place, ...moved, ...blank })
      .execute();
    return;
  }
  const found = claimStateOf(row, nowMs);
  if (found === 'unknown') return;
  const renewed = found === undefined ? { created_at: nowMs, resolution: null } : {};
  const { numUpdatedRows } = await kysely
    .updateTable('claims')
    .set({ ...moved, ...blank, ...renewed })
    .where('place', '=', row.place)
    .where('fence', '=', row.fence)
    .where('state', '=', row.state)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new DbError('stale', 'claims.state has changed');
  if (row.answer !== null) await kysely.deleteFrom('stored_answers').where('answer', '=', row.answer).execute();
}

/** The claims that await an approval which has ended without an execution. */
export async function endClaimsOf(
  kysely: Kysely<Tables>,
  approval: { readonly tenant: string; readonly id: string },
  problem: { readonly code: string; readonly status: number; readonly until: number },
): Promise<void> {
  await kysely
    .updateTable('claims')
    .set({
      state: 'failed_final',
      problem_code: problem.code,
      problem_status: problem.status,
      expires_at: problem.until,
    })
    .where('tenant', '=', approval.tenant)
    .where('approval_id', '=', approval.id)
    .where('state', '=', 'awaiting_approval')
    .execute();
}
