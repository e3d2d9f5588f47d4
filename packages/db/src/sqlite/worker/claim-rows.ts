import { type ClaimStateRow, claimObstacle, claimStateOf } from '../../claim-state.ts';
import type { ClaimSettlement, ClaimTake, LostCondition, OutcomeDraft } from '../../ports/call-journal.ts';
import type { Connection } from './connection.ts';

const SELECT = `select c.place, c.fence, c.state, c.fingerprint, c.expires_at, c.retry_allowed, c.approval_id,
    c.resolution, c.answer, l.lease_until,
    p.status as approval_status,
    case p.status when 'pending' then p.expires_at when 'approved' then p.execute_until end as approval_ends_at
  from claims c
  left join node_leases l on l.lease = c.lease
  left join approvals p on c.state = 'awaiting_approval' and p.tenant = c.tenant and p.id = c.approval_id
  where c.tenant = ? and c.agent = ? and c.integration = ? and c.key = ?`;

const INSERT = `insert into claims
    (tenant, agent, integration, key, fingerprint, state, fence, lease, request_id, approval_id, retry_allowed, created_at, expires_at)
  values (?, ?, ?, ?, ?, 'dispatching', 1, ?, ?, ?, 0, ?, ?)`;

const TAKE = `update claims set state = 'dispatching', fence = fence + 1, fingerprint = ?, lease = ?, request_id = ?,
    approval_id = ?, resolution = ?, expires_at = ?, created_at = coalesce(?, created_at),
    problem_code = null, problem_status = null, answer = null, retry_allowed = 0
  where place = ? and fence = ?`;

const SETTLE = `update claims set state = ?, lease = null, answer = ?, problem_code = ?, problem_status = ?,
    expires_at = coalesce(?, expires_at)
  where place = ? and fence = ? and state = 'dispatching' and request_id = ?`;

interface FoundClaim extends ClaimStateRow {
  readonly place: number;
  readonly fence: number;
  readonly approval_id: string | null;
  readonly resolution: string | null;
  readonly answer: number | null;
}

/** A claim that a call may take: the row that is there, or none. */
export interface OpenClaim {
  readonly take: ClaimTake;
  readonly row: FoundClaim | undefined;
}

/** A claim that a call has taken. Settled only while nobody has taken it on. */
export interface HeldClaim {
  readonly place: number;
  readonly fence: number;
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
export class ClaimRows {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Whether the claim can be taken at `now`. Nothing changes. */
  look(tenant: string, take: ClaimTake, now: number): OpenClaim | LostCondition {
    const { agent, integration, key } = take;
    const found = this.#connection.prepare(SELECT).get(tenant, agent, integration, key);
    const row = found as unknown as FoundClaim | undefined;
    return claimObstacle(row, take, now) ?? { take, row };
  }

  /** After `look`, in the same transaction. */
  take({ take, row }: OpenClaim, { tenant, requestId, lease, approvalId, now }: ClaimTaker): HeldClaim {
    const { agent, integration, key, fingerprint, expiresAt } = take;
    if (row === undefined) {
      const values = [tenant, agent, integration, key, fingerprint, lease, requestId, approvalId, now, expiresAt];
      return { place: Number(this.#connection.prepare(INSERT).run(...values).lastInsertRowid), fence: 1 };
    }
    // One that is over is another claim from here on.
    const isOver = claimStateOf(row, now) === undefined;
    const { approval_id, resolution } = isOver ? { approval_id: null, resolution: null } : row;
    const values = [fingerprint, lease, requestId, approvalId ?? approval_id, resolution, expiresAt];
    const { changes } = this.#connection.prepare(TAKE).run(...values, isOver ? now : null, row.place, row.fence);
    if (changes !== 1) throw new Error('a claim changed between look and take of one transaction');
    if (row.answer !== null) this.#dropAnswer(row.answer);
    return { place: row.place, fence: row.fence + 1 };
  }

  /** False when it is not this call's any more; then nothing changes. */
  settle(claim: HeldClaim, settlement: ClaimSettlement, { tenant, requestId }: OutcomeDraft): boolean {
    const { place, fence } = claim;
    const sealed = settlement.to === 'succeeded' ? settlement.sealed : undefined;
    const problem = settlement.to === 'failed_final' ? settlement.problem : undefined;
    const answer = sealed === undefined ? null : this.#storeAnswer(tenant, sealed);
    const { changes } = this.#connection
      .prepare(SETTLE)
      .run(
        settlement.to,
        answer,
        problem?.code ?? null,
        problem?.status ?? null,
        problem?.until ?? null,
        place,
        fence,
        requestId,
      );
    if (changes === 1) return true;
    if (answer !== null) this.#dropAnswer(answer);
    return false;
  }

  /** Of a call that nobody will settle. */
  abandon(requestId: string): void {
    this.#connection
      .prepare("update claims set state = 'unknown', lease = null where request_id = ? and state = 'dispatching'")
      .run(requestId);
  }

  #storeAnswer(tenant: string, sealed: Uint8Array): number {
    const insert = this.#connection.prepare('insert into stored_answers (tenant, bytes, sealed) values (?, ?, ?)');
    return Number(insert.run(tenant, sealed.byteLength, sealed).lastInsertRowid);
  }

  #dropAnswer(answer: number): void {
    this.#connection.prepare('delete from stored_answers where answer = ?').run(answer);
  }
}
