import { requireCount, requireOneOf, requireText } from '../check.ts';
import { requireIntegerBetween, requirePlainText } from '../check-value.ts';
import type { EdgeCursorRow, EdgeGapRow, EdgeRecordRow } from '../edge-tables.ts';
import { DbError } from '../ports/db-error.ts';
import {
  EDGE_GAP_REASONS,
  EDGE_RECORD_CLASSES,
  type EdgeBatch,
  type EdgeCursorRecord,
  type EdgeGap,
  type EdgeRecord,
  type EdgeStream,
  type StoredEdgeRecord,
} from '../ports/edge-records.ts';
import { impossibleRow, storedOneOf } from '../stored.ts';

const NAME_LENGTH_MAX = 200;
const BODY_LENGTH_MAX = 1_048_576;
/** Of one batch; far above what an edge sends at once. */
const ITEMS_MAX = 10_000;

/** The numbers that a batch covers, in order: records and gaps. */
export type BatchItem =
  | { readonly from: number; readonly to: number; readonly record: EdgeRecord }
  | { readonly from: number; readonly to: number; readonly gap: EdgeGap };

/** Fails for a batch that does not cover a run of numbers once. */
export function toItems(batch: EdgeBatch): readonly BatchItem[] {
  requireStream(batch);
  requireCount('edge_cursors.issued', batch.issued);
  if (batch.records.length + batch.gaps.length > ITEMS_MAX) {
    throw new DbError('invalid', `edge_records: at most ${ITEMS_MAX} records and gaps at once`);
  }
  const items: BatchItem[] = [
    ...batch.records.map((record) => ({ from: requireRecord(record).seq, to: record.seq, record })),
    ...batch.gaps.map((gap) => ({ from: requireGap(gap).from, to: gap.to, gap })),
  ].sort((one, other) => one.from - other.from);
  for (const [index, item] of items.entries()) {
    const before = items[index - 1];
    if (before !== undefined && item.from !== before.to + 1) {
      throw new DbError('invalid', 'edge_records.seq: a batch covers a run of numbers, each of them once');
    }
  }
  const last = items.at(-1);
  if (last !== undefined && last.to > batch.issued) {
    throw new DbError('invalid', 'edge_records.seq must not be above edge_cursors.issued');
  }
  return items;
}

export function requireStream({ tenant, edge, class: recordClass, epoch }: EdgeStream): void {
  requireText('edge_records.tenant', tenant);
  requirePlainText('edge_records.edge', edge, NAME_LENGTH_MAX);
  requireOneOf('edge_records.class', recordClass, EDGE_RECORD_CLASSES);
  requirePlainText('edge_records.epoch', epoch, NAME_LENGTH_MAX);
}

function requireRecord(record: EdgeRecord): EdgeRecord {
  requireIntegerBetween('edge_records.seq', record.seq, 1, Number.MAX_SAFE_INTEGER);
  requirePlainText('edge_records.table_name', record.table, NAME_LENGTH_MAX);
  requireIntegerBetween('edge_records.priority', record.priority, 1, 5);
  requireCount('edge_records.at', record.at);
  requirePlainText('edge_records.body', record.body, BODY_LENGTH_MAX);
  return record;
}

function requireGap(gap: EdgeGap): EdgeGap {
  requireIntegerBetween('edge_gaps.from_seq', gap.from, 1, Number.MAX_SAFE_INTEGER);
  requireIntegerBetween('edge_gaps.to_seq', gap.to, gap.from, Number.MAX_SAFE_INTEGER);
  requireCount('edge_gaps.bytes', gap.bytes);
  requireOneOf('edge_gaps.reason', gap.reason, EDGE_GAP_REASONS);
  requireCount('edge_gaps.at', gap.at);
  return gap;
}

/** What of an item lies above `ackedThrough`; undefined when nothing does. A gap's bytes are told once, with its first part. */
export function trimItem(item: BatchItem, ackedThrough: number): BatchItem | undefined {
  if (item.to <= ackedThrough) return undefined;
  if (item.from > ackedThrough || !('gap' in item)) return item;
  const from = ackedThrough + 1;
  return { from, to: item.to, gap: { ...item.gap, from, bytes: 0 } };
}

export function toCursor(row: EdgeCursorRow): EdgeCursorRecord {
  if (row.acked_through !== row.delivered + row.missing) {
    throw impossibleRow('edge_cursors.acked_through', 'is not the sum of delivered and missing');
  }
  if (row.issued < row.acked_through) throw impossibleRow('edge_cursors.issued', 'is below edge_cursors.acked_through');
  return {
    ...toStream('edge_cursors', row),
    ackedThrough: row.acked_through,
    delivered: row.delivered,
    missing: row.missing,
    issued: row.issued,
    resident: row.issued - row.acked_through,
    updatedAt: row.updated_at,
  };
}

export function toGap(row: EdgeGapRow): EdgeGap {
  if (row.to_seq < row.from_seq) throw impossibleRow('edge_gaps.to_seq', 'is below edge_gaps.from_seq');
  const reason = storedOneOf('edge_gaps.reason', row.reason, EDGE_GAP_REASONS);
  return { from: row.from_seq, to: row.to_seq, bytes: row.bytes, reason, at: row.at };
}

export function toStoredRecord(row: Omit<EdgeRecordRow, 'place'>): StoredEdgeRecord {
  return {
    ...toStream('edge_records', row),
    seq: row.seq,
    table: row.table_name,
    priority: row.priority,
    at: row.at,
    body: row.body,
    receivedAt: row.received_at,
  };
}

function toStream(table: string, { tenant, edge, class: recordClass, epoch }: EdgeStream): EdgeStream {
  return { tenant, edge, class: storedOneOf(`${table}.class`, recordClass, EDGE_RECORD_CLASSES), epoch };
}
