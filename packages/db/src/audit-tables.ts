/** Rows of the summaries of the log: `migrations/0011-audit-summaries.ts`, `audit-terms.ts`. */
export interface AuditSummaryTables {
  audit_blocks: AuditBlockRow;
  audit_block_terms: { log: number; block: number; field: number; terms: Uint8Array };
  audit_spans: AuditSpanRow;
  audit_span_terms: AuditSpanTermsRow;
  audit_era_terms: AuditEraTermsRow;
}

/** Entries `block * 1,024` up to the next block. Times are null where nothing is known of them. */
export interface AuditBlockRow {
  log: number;
  block: number;
  at_min: number | null;
  at_max: number | null;
}

/** Blocks `span * 32` up to the next span. */
export interface AuditSpanRow {
  log: number;
  span: number;
  at_min: number | null;
  at_max: number | null;
}

/** What of a span lies in one bucket; `repositories/audit-span-terms.ts` reads it. */
export interface AuditSpanTermsRow {
  log: number;
  bucket: number;
  span: number;
  /** A bit for each block of which nothing is told here. */
  untold: number;
  terms: Uint8Array;
}

/** Spans `era * 32` up to the next era, likewise. */
export interface AuditEraTermsRow {
  log: number;
  bucket: number;
  era: number;
  /** A bit for each span of which nothing, or not all, is told here. */
  untold: number;
  terms: Uint8Array;
}
