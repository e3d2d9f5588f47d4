import type { DbContext, Page, PageRequest } from './context.ts';

/** Each class of a buffer is numbered and delivered for itself. */
export const EDGE_RECORD_CLASSES = ['audit', 'record', 'telemetry'] as const;
export type EdgeRecordClass = (typeof EDGE_RECORD_CLASSES)[number];

/** Why records of a buffer will never come: its bounds, their age, refused by the hub, lost with the disk, removed by hand. */
export const EDGE_GAP_REASONS = ['quota', 'ttl', 'poison', 'storage', 'operator'] as const;
export type EdgeGapReason = (typeof EDGE_GAP_REASONS)[number];

/** One numbering: an edge begins a new epoch when it can no longer vouch for the old one. */
export interface EdgeStream {
  readonly tenant: string;
  readonly edge: string;
  readonly class: EdgeRecordClass;
  readonly epoch: string;
}

/** `seq` counts from 1 within the stream. */
export interface EdgeRecord {
  readonly seq: number;
  readonly table: string;
  /** 1 (first) to 5. */
  readonly priority: number;
  /** When the edge took it. */
  readonly at: number;
  /** The exact JSON text. */
  readonly body: string;
}

/** The numbers `from` to `to`, both included, will not be delivered. */
export interface EdgeGap {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly reason: EdgeGapReason;
  readonly at: number;
}

/** `records` and `gaps` cover together a run of numbers without holes, each number once. */
export interface EdgeBatch extends EdgeStream {
  readonly records: readonly EdgeRecord[];
  readonly gaps: readonly EdgeGap[];
  /** The highest number that the edge has given so far. */
  readonly issued: number;
}

/** How far the hub has come with a stream. */
export interface EdgeCursorRecord extends EdgeStream {
  /** The last number that the hub has, or knows not to come. */
  readonly ackedThrough: number;
  /** Of those acknowledged. `delivered + missing` is `ackedThrough`. */
  readonly delivered: number;
  readonly missing: number;
  /** The most that the edge has told of; what is above `ackedThrough` it still has (`resident`). */
  readonly issued: number;
  readonly resident: number;
  readonly updatedAt: number;
}

export type EdgeReceipt =
  /** `trimmed`: how many numbers of the batch the hub had already. */
  | { readonly kind: 'accepted'; readonly cursor: EdgeCursorRecord; readonly stored: number; readonly trimmed: number }
  /** Nothing is stored: the edge goes back to `expected`, or tells of a gap. */
  | { readonly kind: 'gap'; readonly expected: number }
  /** Nothing is stored: `seq` was delivered with another content, or so long ago that nobody delivers it again. Two edges go by one name, or one came back from a backup: it must begin a new epoch. */
  | { readonly kind: 'fork'; readonly seq: number };

export interface StoredEdgeRecord extends EdgeStream, EdgeRecord {
  readonly receivedAt: number;
}

/** Of each stream that many records are kept whatever a sweep is told, for what is delivered again is held against them. */
export const EDGE_RECORDS_KEPT = 1_000;

/** What edges have delivered, exactly once. */
export interface EdgeRecordsPort {
  /**
   * In one transaction: trims what the stream's cursor has passed, stores the rest, moves the cursor by a conditional update. What it
   * answers is durable. Fails `invalid` for a batch with holes or doubles, `conflict` when the stream moved meanwhile.
   */
  receive(batch: EdgeBatch, receivedAt: number, context?: DbContext): Promise<EdgeReceipt>;
  /** undefined: nothing of that stream came yet; it is expected from 1. */
  getCursor(stream: EdgeStream, context?: DbContext): Promise<EdgeCursorRecord | undefined>;
  /** Of a tenant, or of one edge, by edge, class and epoch. */
  listCursors(tenant: string, edge: string | undefined, context?: DbContext): Promise<readonly EdgeCursorRecord[]>;
  /** In the order of their numbers. */
  listGaps(stream: EdgeStream, context?: DbContext): Promise<readonly EdgeGap[]>;
  /** Newest first. */
  list(
    tenant: string,
    filter: { readonly edge?: string; readonly class?: EdgeRecordClass; readonly table?: string },
    page: PageRequest,
    context?: DbContext,
  ): Promise<Page<StoredEdgeRecord>>;
  /** Removes records of a class that came before `receivedBefore`, but for the newest of each stream, and never a cursor or a gap; returns how many. */
  sweep(recordClass: EdgeRecordClass, receivedBefore: number, limit: number): Promise<number>;
}
