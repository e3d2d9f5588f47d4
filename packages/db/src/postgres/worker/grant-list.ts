import type { Execution, FoundGrant, GrantStore } from '../../journal/journal-rows.ts';
import type { ApprovalRow } from '../../tables.ts';
import type { Statement } from '../statement-batch.ts';
import { rowsInto } from './claim-list.ts';
import type { LeaseList } from './lease-list.ts';

type GrantImage = Omit<FoundGrant, 'asked_fingerprint' | 'status' | 'expires_at' | 'execute_until' | 'lease_until'> & {
  readonly tenant: string;
};

/** A row of an approval, as it was read or as it is to be. */
export interface ApprovalRead {
  readonly tenant: string;
  readonly id: string;
  readonly status: ApprovalRow['status'];
  readonly expires_at: number;
  readonly execute_until: number | null;
  readonly asked_fingerprint: string;
  readonly executed_by: string | null;
  readonly lease: number | null;
  /** Of a lease that is not this boot's. */
  readonly lease_until: number | null;
}

/** A grant with its approval, as they are read. */
export type GrantRead = GrantImage & Omit<ApprovalRead, 'id'>;

const UPDATE_GRANTS = `update grants g set uses_left = v.uses_left
  from json_to_recordset($1) as v (tenant text, id text, uses_left bigint) where g.tenant = v.tenant and g.id = v.id`;

const UPDATE_APPROVALS = `update approvals p set status = v.status, executed_by = v.executed_by, lease = v.lease
  from json_to_recordset($1) as v (tenant text, id text, status text, executed_by text, lease bigint)
  where p.tenant = v.tenant and p.id = v.id`;

/** The grants and approvals that a transaction is about, as they were read and locked, and what is to become of them. */
export class GrantList implements GrantStore {
  readonly #leases: LeaseList;
  #grants = new Map<string, GrantImage>();
  #approvals = new Map<string, ApprovalRead>();
  #changedGrants = new Set<string>();
  #changedApprovals = new Set<string>();

  constructor(leases: LeaseList) {
    this.#leases = leases;
  }

  clear(): void {
    if (this.#approvals.size === 0) return;
    this.#grants = new Map();
    this.#approvals = new Map();
    this.#changedGrants = new Set();
    this.#changedApprovals = new Set();
  }

  know(rows: readonly GrantRead[]): void {
    for (const row of rows) {
      this.#grants.set(nameOf(row.tenant, row.id), row);
      this.#approvals.set(nameOf(row.tenant, row.approval_id), { ...row, id: row.approval_id });
    }
  }

  knowApprovals(rows: readonly ApprovalRead[]): void {
    for (const row of rows) this.#approvals.set(nameOf(row.tenant, row.id), row);
  }

  find(tenant: string, id: string): FoundGrant | undefined {
    const grant = this.#grants.get(nameOf(tenant, id));
    const approval = grant && this.#approvals.get(nameOf(tenant, grant.approval_id));
    if (grant === undefined || approval === undefined) return undefined;
    const { status, expires_at, execute_until, asked_fingerprint } = approval;
    const lease_until = this.#leases.untilOf(approval.lease) ?? approval.lease_until;
    return { ...grant, status, expires_at, execute_until, asked_fingerprint, lease_until };
  }

  addUses(tenant: string, id: string, by: number): void {
    const name = nameOf(tenant, id);
    const grant = this.#grants.get(name);
    if (grant === undefined || grant.uses_left === null) throw new Error('a grant is used that was not read');
    this.#grants.set(name, { ...grant, uses_left: grant.uses_left + by });
    this.#changedGrants.add(name);
  }

  execute({ tenant, approvalId, requestId }: Execution, lease: number): void {
    const approval = this.#approvals.get(nameOf(tenant, approvalId));
    if (approval?.status !== 'approved') throw new Error('an approval is executed that was not approved');
    this.#change({ ...approval, status: 'executing', executed_by: requestId, lease, lease_until: null });
  }

  endExecution({ tenant, approvalId, requestId }: Execution, to: ApprovalRow['status']): boolean {
    const approval = this.#approvals.get(nameOf(tenant, approvalId));
    if (approval?.status !== 'executing' || approval.executed_by !== requestId) return false;
    const executed_by = to === 'approved' ? null : requestId;
    this.#change({ ...approval, status: to, executed_by, lease: null, lease_until: null });
    return true;
  }

  abandon(requestId: string): boolean {
    const executing = [...this.#approvals.values()].filter(
      ({ executed_by, status }) => executed_by === requestId && status === 'executing',
    );
    for (const approval of executing) this.#change({ ...approval, status: 'unknown', lease: null, lease_until: null });
    return executing.length > 0;
  }

  /** What was done since then is not done. */
  mark(): () => void {
    const [grants, approvals] = [new Map(this.#grants), new Map(this.#approvals)];
    const [changedGrants, changedApprovals] = [new Set(this.#changedGrants), new Set(this.#changedApprovals)];
    return () => {
      [this.#grants, this.#approvals] = [grants, approvals];
      [this.#changedGrants, this.#changedApprovals] = [changedGrants, changedApprovals];
    };
  }

  changes(): readonly Statement[] {
    const grants = [...this.#changedGrants].flatMap((name) => this.#grants.get(name) ?? []);
    const approvals = [...this.#changedApprovals].flatMap((name) => this.#approvals.get(name) ?? []);
    return [
      ...rowsInto(
        UPDATE_GRANTS,
        grants.map(({ tenant, id, uses_left }) => ({ tenant, id, uses_left })),
      ),
      ...rowsInto(
        UPDATE_APPROVALS,
        approvals.map(({ tenant, id, status, executed_by, lease }) => ({ tenant, id, status, executed_by, lease })),
      ),
    ];
  }

  /** What is to become of the rows has become of them. */
  stored(): void {
    this.#changedGrants.clear();
    this.#changedApprovals.clear();
  }

  #change(approval: ApprovalRead): void {
    const name = nameOf(approval.tenant, approval.id);
    this.#approvals.set(name, approval);
    this.#changedApprovals.add(name);
  }
}

function nameOf(tenant: string, id: string): string {
  return `${tenant}\0${id}`;
}
