import type { EntryDraft } from '@postern/schemas';
import { INTENT, type JournalDraft, REFUSAL, type RecordKind } from './batch.ts';

/** Refusals of a tenant kept one by one while the log cannot be written; further ones are counted, since anyone can cause them. */
export const REFUSALS_KEPT_MAX = 4_096;

/** Reason of the entry that stands for refusals which were only counted. */
export const COUNTED_REASON = 'refusals counted while the log could not be written';

interface TenantSpool {
  /** Outcomes and refusals that wait. */
  waiting: number;
  refusals: number;
  counted: number;
}

/** What waits, by tenant, from a failed write until the next that succeeds. It holds counts; the records stay in the queue. */
export class JournalSpool {
  readonly #waitingMax: number;
  readonly #waitingMaxOf: ((tenant: string) => number | undefined) | undefined;
  readonly #tenants = new Map<string, TenantSpool>();

  /** `waitingMaxOf`: a tenant's own number, where it has one. */
  constructor(waitingMax: number, waitingMaxOf?: (tenant: string) => number | undefined) {
    this.#waitingMax = waitingMax;
    this.#waitingMaxOf = waitingMaxOf;
  }

  /** True when the tenant may hand over no more calls. */
  isFull(tenant: string): boolean {
    const waitingMax = this.#waitingMaxOf?.(tenant) ?? this.#waitingMax;
    return (this.#tenants.get(tenant)?.waiting ?? 0) > waitingMax;
  }

  /** False when the record is only counted, and must not be queued. */
  admit(kind: RecordKind, draft: JournalDraft): boolean {
    if (kind === INTENT) return true;
    const spool = this.#of(draft.tenant);
    if (kind === REFUSAL && spool.refusals >= REFUSALS_KEPT_MAX) {
      spool.counted += 'count' in draft && draft.count !== undefined ? draft.count : 1;
      return false;
    }
    spool.waiting += 1;
    if (kind === REFUSAL) spool.refusals += 1;
    return true;
  }

  /** One entry for each tenant whose refusals were counted. */
  countedEntries(at: number): readonly EntryDraft[] {
    return [...this.#tenants]
      .filter(([, { counted }]) => counted > 0)
      .map(([tenant, { counted }]) => ({ at, tenant, type: 'denied', count: counted, reason: COUNTED_REASON }));
  }

  #of(tenant: string): TenantSpool {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const spool = { waiting: 0, refusals: 0, counted: 0 };
    this.#tenants.set(tenant, spool);
    return spool;
  }
}
