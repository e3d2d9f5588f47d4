import type { Generated } from 'kysely';
import type { BundleState } from './ports/bundles.ts';
import type { CommandState } from './ports/commands.ts';
import type { EdgeGapReason, EdgeRecordClass } from './ports/edge-records.ts';
import type { JsonColumn } from './tables.ts';

/** The hub's rows of its edges. */
export interface EdgeTables {
  edge_cursors: EdgeCursorRow;
  edge_records: EdgeRecordRow;
  edge_gaps: EdgeGapRow;
  commands: CommandRow;
  bundles: BundleRow;
  bundle_acknowledgements: BundleAcknowledgementRow;
}

interface EdgeStreamColumns {
  tenant: string;
  edge: string;
  class: EdgeRecordClass;
  epoch: string;
}

export interface EdgeCursorRow extends EdgeStreamColumns {
  acked_through: number;
  delivered: number;
  missing: number;
  issued: number;
  updated_at: number;
}

export interface EdgeRecordRow extends EdgeStreamColumns {
  /** Order of arrival. */
  place: Generated<number>;
  seq: number;
  table_name: string;
  priority: number;
  at: number;
  /** Exact. */
  body: string;
  received_at: number;
}

export interface EdgeGapRow extends EdgeStreamColumns {
  from_seq: number;
  to_seq: number;
  bytes: number;
  reason: EdgeGapReason;
  at: number;
}

export interface CommandRow {
  /** Order of making. */
  place: Generated<number>;
  tenant: string;
  id: string;
  edge: string;
  kind: string;
  payload: JsonColumn;
  priority: number;
  /** As stored; a time may make it read otherwise. */
  state: CommandState;
  created_by: string;
  created_at: number;
  expires_at: number;
  attempts: number;
  /** While it is on its way: the end of its lease. */
  lease_until: number | null;
  received_at: number | null;
  progress: JsonColumn;
  finished_at: number | null;
  result: JsonColumn;
}

export interface BundleRow {
  tenant: string;
  edge: string;
  version: number;
  /** Exact: `content_hash` is of its UTF-8 bytes. */
  document: string;
  content_hash: string;
  signatures: JsonColumn;
  issued_at: number;
  expires_at: number;
}

export interface BundleAcknowledgementRow {
  tenant: string;
  edge: string;
  version: number;
  state: BundleState;
  hash: string;
  at: number;
  error: string | null;
}
