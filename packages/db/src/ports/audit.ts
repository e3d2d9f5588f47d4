import type { Entry, EntryDraft } from '@postern/schemas';
import type { DbContext, Page } from './context.ts';

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
export interface AuditPort {
  /** Appends in the caller's transaction, so that an administrative change and its record stand or fall together. */
  append(draft: EntryDraft, context: DbContext): Promise<Entry>;
  /** Newest first (seq descending). */
  query(tenant: string, query: AuditQuery): Promise<Page<Entry>>;
  getById(tenant: string, id: string): Promise<Entry | undefined>;
  /** The exact stored bytes, in order of seq, for export and verification; `fromSeq` inclusive. */
  readLeaves(tenant: string, fromSeq: number, limit: number): Promise<readonly { seq: number; bytes: Uint8Array }[]>;
  /** Entries the tenant's log holds. */
  size(tenant: string): Promise<number>;
}
