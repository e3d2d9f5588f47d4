import { approvalStatusOf } from '../approval-state.ts';
import { grantStateOf } from '../grant-state.ts';
import type { IntentDraft, LostCondition } from '../ports/call-journal.ts';
import type { ApprovalRow } from '../tables.ts';
import type { Execution, FoundGrant, GrantStore } from './journal-rows.ts';

/** A grant that a call may use, and what that means for its approval. */
export interface OpenGrant {
  readonly id: string;
  readonly approvalId: string;
  /** The use is counted. */
  readonly isCounted: boolean;
  /** It is the approval's first execution. */
  readonly isFirst: boolean;
}

/** Grants and their approvals, in the transactions of the journal. */
export class CallGrants {
  readonly #rows: GrantStore;

  constructor(rows: GrantStore) {
    this.#rows = rows;
  }

  /** Whether the call may use the grant at `now`. Nothing changes. */
  look(draft: IntentDraft, id: string, now: number): OpenGrant | LostCondition {
    const row = this.#rows.find(draft.tenant, id);
    if (row === undefined || !isBoundTo(row, draft)) return { lost: 'grant_gone', found: 'absent' };
    const state = grantStateOf({ ...row, expires_at: row.grant_ends_at }, now);
    if (state !== 'usable') return { lost: 'grant_gone', found: state };
    const status = approvalStatusOf(row, now);
    if (status !== 'approved' && !outlivesFirstUse(row)) return { lost: 'approval_gone', found: status };
    // Another call that a standing grant covers does not execute the approval.
    const isFirst = status === 'approved' && row.asked_fingerprint === draft.fingerprint;
    return { id, approvalId: row.approval_id, isCounted: row.uses_left !== null, isFirst };
  }

  /** After `look`, in the same transaction. */
  use(grant: OpenGrant, { tenant, requestId, lease }: { tenant: string; requestId: string; lease: number }): void {
    if (grant.isCounted) this.#rows.addUses(tenant, grant.id, -1);
    if (grant.isFirst) this.#rows.execute({ tenant, approvalId: grant.approvalId, requestId }, lease);
  }

  giveBack(tenant: string, { id, isCounted }: OpenGrant): void {
    if (isCounted) this.#rows.addUses(tenant, id, 1);
  }

  /** False when the approval is not executed by this call any more; then nothing changes. */
  endExecution(execution: Execution, to: ApprovalRow['status']): boolean {
    return this.#rows.endExecution(execution, to);
  }

  /** Of a call that nobody will settle: true when it was the first execution of an approval. */
  abandon(requestId: string): boolean {
    return this.#rows.abandon(requestId);
  }
}

/** The second wall behind the search for grants: no call uses what was given to another one. */
function isBoundTo(row: FoundGrant, draft: IntentDraft): boolean {
  if (row.agent !== draft.agent) return false;
  if (row.kind !== 'rule') return row.fingerprint === draft.fingerprint;
  const { integration, action = null, method } = draft;
  return row.integration === integration && row.action === action && row.method === method;
}

/** A counted or timed grant goes on after the first execution, whatever became of that; before it, only its own approval lets it. */
function outlivesFirstUse({ kind, status }: FoundGrant): boolean {
  if (kind === 'once') return false;
  return status !== 'pending' && status !== 'denied' && status !== 'cancelled';
}
