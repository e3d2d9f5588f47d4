import type { Execution, FoundGrant, GrantStore } from '../../journal/journal-rows.ts';
import type { ApprovalRow } from '../../tables.ts';
import type { Connection } from './connection.ts';

const SELECT = `select g.id, g.agent, g.kind, g.fingerprint, g.integration, g.action, g.method, g.uses_left, g.expires_at as grant_ends_at,
    g.revoked_at, g.approval_id, p.fingerprint as asked_fingerprint, p.status, p.expires_at, p.execute_until, l.lease_until
  from grants g
  join approvals p on p.tenant = g.tenant and p.id = g.approval_id
  left join node_leases l on l.lease = p.lease
  where g.tenant = ? and g.id = ?`;

const ADD_USES = 'update grants set uses_left = uses_left + ? where tenant = ? and id = ? and uses_left is not null';

const EXECUTE = `update approvals set status = 'executing', executed_by = ?, lease = ?
  where tenant = ? and id = ? and status = 'approved'`;

const END_EXECUTION = `update approvals set status = ?, lease = null, executed_by = case when ? then null else executed_by end
  where tenant = ? and id = ? and status = 'executing' and executed_by = ?`;

const ABANDON = "update approvals set status = 'unknown', lease = null where executed_by = ? and status = 'executing'";

/** Grants and their approvals, in the transaction that is open on the connection. */
export class SqliteGrantStore implements GrantStore {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  find(tenant: string, id: string): FoundGrant | undefined {
    return this.#connection.prepare(SELECT).get(tenant, id) as unknown as FoundGrant | undefined;
  }

  addUses(tenant: string, id: string, by: number): void {
    this.#change(ADD_USES, [by, tenant, id]);
  }

  execute({ tenant, approvalId, requestId }: Execution, lease: number): void {
    this.#change(EXECUTE, [requestId, lease, tenant, approvalId]);
  }

  endExecution({ tenant, approvalId, requestId }: Execution, to: ApprovalRow['status']): boolean {
    const { changes } = this.#connection
      .prepare(END_EXECUTION)
      .run(to, to === 'approved' ? 1 : 0, tenant, approvalId, requestId);
    return changes === 1;
  }

  abandon(requestId: string): boolean {
    return this.#connection.prepare(ABANDON).run(requestId).changes === 1;
  }

  #change(sql: string, values: readonly (string | number)[]): void {
    const { changes } = this.#connection.prepare(sql).run(...values);
    if (changes !== 1) throw new Error('a grant changed between look and use of one transaction');
  }
}
