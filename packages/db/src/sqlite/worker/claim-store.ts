import type { ClaimStore, FoundClaim, HeldClaim, SettledClaim, TakenClaim } from '../../journal/journal-rows.ts';
import type { ClaimScope } from '../../ports/claims.ts';
import type { Connection } from './connection.ts';

const SELECT = `select c.place, c.fence, c.state, c.fingerprint, c.created_at, c.expires_at, c.retry_allowed, c.approval_id,
    c.answer, l.lease_until,
    p.status as approval_status,
    case p.status when 'pending' then p.expires_at when 'approved' then p.execute_until end as approval_ends_at
  from claims c
  left join node_leases l on l.lease = c.lease
  left join approvals p on c.state = 'awaiting_approval' and p.tenant = c.tenant and p.id = c.approval_id
  where c.tenant = ? and c.agent = ? and c.integration = ? and c.key = ?`;

const INSERT = `insert into claims
    (tenant, agent, integration, key, state, fence, fingerprint, lease, request_id, approval_id, created_at, expires_at, retry_allowed)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`;

const TAKE = `update claims set state = ?, fence = ?, fingerprint = ?, lease = ?, request_id = ?, approval_id = ?, created_at = ?, expires_at = ?,
    resolution = case when ? then resolution end, problem_code = null, problem_status = null, answer = null, retry_allowed = 0
  where place = ? and fence = ?`;

const SETTLE = `update claims set state = ?, lease = null, answer = ?, problem_code = ?, problem_status = ?,
    expires_at = coalesce(?, expires_at)
  where place = ? and fence = ? and state = 'dispatching' and request_id = ?`;

const ABANDON = "update claims set state = 'unknown', lease = null where request_id = ? and state = 'dispatching'";

/** The claims, in the transaction that is open on the connection. Its statements are prepared when a call first needs them. */
export class SqliteClaimStore implements ClaimStore {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  find({ tenant, agent, integration, key }: ClaimScope): FoundClaim | undefined {
    const found = this.#connection.prepare(SELECT).get(tenant, agent, integration, key);
    return found as unknown as FoundClaim | undefined;
  }

  insert({ tenant, agent, integration, key }: ClaimScope, taken: TakenClaim): number {
    const values = [tenant, agent, integration, key, ...valuesOf(taken)];
    return Number(this.#connection.prepare(INSERT).run(...values).lastInsertRowid);
  }

  take({ place, fence }: FoundClaim, taken: TakenClaim, keepsResolution: boolean): void {
    const values = [...valuesOf(taken), keepsResolution ? 1 : 0, place, fence];
    const { changes } = this.#connection.prepare(TAKE).run(...values);
    if (changes !== 1) throw new Error('a claim changed between look and take of one transaction');
  }

  settle({ place, fence }: HeldClaim, requestId: string, settled: SettledClaim): boolean {
    const { state, answer, problem_code, problem_status, expires_at } = settled;
    const values = [state, answer, problem_code, problem_status, expires_at, place, fence, requestId];
    return this.#connection.prepare(SETTLE).run(...values).changes === 1;
  }

  abandon(requestId: string): void {
    this.#connection.prepare(ABANDON).run(requestId);
  }

  addAnswer(tenant: string, sealed: Uint8Array): number {
    const insert = this.#connection.prepare('insert into stored_answers (tenant, bytes, sealed) values (?, ?, ?)');
    return Number(insert.run(tenant, sealed.byteLength, sealed).lastInsertRowid);
  }

  dropAnswer(answer: number): void {
    this.#connection.prepare('delete from stored_answers where answer = ?').run(answer);
  }
}

/** In the order of both statements. */
function valuesOf(taken: TakenClaim): (string | number | null)[] {
  const { state, fence, fingerprint, lease, request_id, approval_id, created_at, expires_at } = taken;
  return [state, fence, fingerprint, lease, request_id, approval_id, created_at, expires_at];
}
