import { type ApprovalStateRow, approvalStatusOf } from '../../approval-state.ts';
import { grantStateOf } from '../../grant-state.ts';
import type { IntentDraft, LostCondition } from '../../ports/call-journal.ts';
import type { ApprovalRow, GrantRow } from '../../tables.ts';
import type { Connection } from './connection.ts';

const SELECT = `select g.id, g.agent, g.kind, g.fingerprint, g.integration, g.action, g.method, g.uses_left, g.expires_at as grant_ends_at,
    g.revoked_at, g.approval_id, p.fingerprint as asked_fingerprint, p.status, p.expires_at, p.execute_until, l.lease_until
  from grants g
  join approvals p on p.tenant = g.tenant and p.id = g.approval_id
  left join node_leases l on l.lease = p.lease
  where g.tenant = ? and g.id = ?`;

type FoundGrant = Omit<GrantRow, 'expires_at' | 'tenant' | 'path' | 'created_at' | 'granted_by' | 'revoked_by'> &
  ApprovalStateRow & { readonly grant_ends_at: number; readonly asked_fingerprint: string };

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
export class GrantRows {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Whether the call may use the grant at `now`. Nothing changes. */
  look(draft: IntentDraft, id: string, now: number): OpenGrant | LostCondition {
    const row = this.#connection.prepare(SELECT).get(draft.tenant, id) as unknown as FoundGrant | undefined;
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
    if (grant.isCounted) {
      this.#change('update grants set uses_left = uses_left - 1 where tenant = ? and id = ? and uses_left > 0', [
        tenant,
        grant.id,
      ]);
    }
    if (grant.isFirst) {
      this.#change(
        "update approvals set status = 'executing', executed_by = ?, lease = ? where tenant = ? and id = ? and status = 'approved'",
        [requestId, lease, tenant, grant.approvalId],
      );
    }
  }

  giveBack(tenant: string, { id, isCounted }: OpenGrant): void {
    if (!isCounted) return;
    this.#change('update grants set uses_left = uses_left + 1 where tenant = ? and id = ?', [tenant, id]);
  }

  /** False when the approval is not executed by this call any more; then nothing changes. */
  settleApproval(approval: { tenant: string; id: string; requestId: string }, to: ApprovalRow['status']): boolean {
    const { tenant, id, requestId } = approval;
    const { changes } = this.#connection
      .prepare(
        `update approvals set status = ?, lease = null, executed_by = case when ? then null else executed_by end
          where tenant = ? and id = ? and status = 'executing' and executed_by = ?`,
      )
      .run(to, to === 'approved' ? 1 : 0, tenant, id, requestId);
    return changes === 1;
  }

  /** Of a call that nobody will settle: true when it was the first execution of an approval. */
  abandon(requestId: string): boolean {
    const { changes } = this.#connection
      .prepare("update approvals set status = 'unknown', lease = null where executed_by = ? and status = 'executing'")
      .run(requestId);
    return changes === 1;
  }

  #change(sql: string, values: readonly (string | number)[]): void {
    const { changes } = this.#connection.prepare(sql).run(...values);
    if (changes !== 1) throw new Error('a grant changed between look and use of one transaction');
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
