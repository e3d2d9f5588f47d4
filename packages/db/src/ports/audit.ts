import type { Entry, EntryDraft } from '@postern/schemas';
import type { AuditDecisionsPort } from './audit-decisions.ts';
import type { DbContext, Page } from './context.ts';

export type {
  AppendedDecision,
  AuditDecisionsPort,
  DecisionRecord,
  PolicyDecisionEvent,
  SsrfGuardDecisionEvent,
} from './audit-decisions.ts';
export {
  REDACTION_ACTIONS,
  REDACTION_BOUNDS,
  type RedactionAction,
  type RedactionProfile,
  type RedactionProfileRecord,
  type RedactionProfilesPort,
} from './redaction-profiles.ts';

export interface AuditQuery {
  readonly requestId?: string;
  readonly agent?: string;
  readonly integration?: string;
  readonly action?: string;
  readonly decision?: string;
  readonly type?: string;
  /** Milliseconds, inclusive. */
  readonly from?: number;
  /** Milliseconds, exclusive. */
  readonly to?: number;
  readonly limit: number;
  readonly cursor?: string;
}

/** The log as readers and the control plane see it. The data plane writes through the call journal. */
export interface AuditPort extends AuditDecisionsPort {
  /** Appends in the caller's transaction, so that an administrative change and its record stand or fall together. */
  append(draft: EntryDraft, context: DbContext): Promise<Entry>;
  /**
   * Newest first (seq descending). What a page costs is bounded, however long the log: a page of a query that matches little may hold fewer
   * entries than asked for, or none, and end with a `nextCursor` where its search ended. Only a page without one is the last.
   */
  query(tenant: string, query: AuditQuery): Promise<Page<Entry>>;
  /**
   * In the background: notes what stands where in logs that have grown, so that later queries need not read them whole. Does at most
   * `limit` (1 to 1000) bounded steps and returns how many; fewer: there is no more to do for now. No answer depends on it, it may stop
   * anywhere, and two nodes at once do no harm.
   */
  summarise(limit: number): Promise<number>;
  getById(tenant: string, id: string): Promise<Entry | undefined>;
  /** The exact stored bytes, in order of seq, for export and verification; `fromSeq` inclusive. */
  readLeaves(tenant: string, fromSeq: number, limit: number): Promise<readonly { seq: number; bytes: Uint8Array }[]>;
  /** Entries the tenant's log holds. */
  size(tenant: string): Promise<number>;
}
