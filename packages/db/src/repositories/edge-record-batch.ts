import type { Kysely } from 'kysely';
import { withReference } from '../check.ts';
import type { EdgeCursorRow } from '../edge-tables.ts';
import { DbError } from '../ports/db-error.ts';
import type { EdgeBatch, EdgeReceipt, EdgeRecord, EdgeStream } from '../ports/edge-records.ts';
import type { Tables } from '../tables.ts';
import { type BatchItem, toCursor, trimItem } from './edge-record-rows.ts';
import { selectCursor, whereStream } from './edge-streams.ts';

/** Rows of one statement; far below the number of parameters that an engine takes. */
const ROWS_MAX = 200;

/** Trims, stores, and moves the cursor, or stores nothing and says why. In the caller's transaction. */
export async function receiveBatch(
  kysely: Kysely<Tables>,
  batch: EdgeBatch,
  items: readonly BatchItem[],
  receivedAt: number,
): Promise<EdgeReceipt> {
  const stream: EdgeStream = { tenant: batch.tenant, edge: batch.edge, class: batch.class, epoch: batch.epoch };
  const found = await selectCursor(kysely, stream).executeTakeFirst();
  const cursor = found ?? { ...stream, acked_through: 0, delivered: 0, missing: 0, issued: 0, updated_at: receivedAt };
  const { ackedThrough } = toCursor(cursor);
  const fresh = items.flatMap((item) => trimItem(item, ackedThrough) ?? []);
  const [first] = fresh;
  if (first !== undefined && first.from !== ackedThrough + 1) return { kind: 'gap', expected: ackedThrough + 1 };
  const differing = await findDiffering(kysely, stream, recordsOf(items), ackedThrough);
  if (differing !== undefined) return { kind: 'fork', seq: differing };
  const counts = await store(kysely, stream, fresh, receivedAt);
  const moved: EdgeCursorRow = {
    ...cursor,
    acked_through: ackedThrough + counts.delivered + counts.missing,
    delivered: cursor.delivered + counts.delivered,
    missing: cursor.missing + counts.missing,
    // Batches overtake each other: an older one tells less.
    issued: Math.max(cursor.issued, batch.issued),
    updated_at: receivedAt,
  };
  await moveCursor(kysely, moved, found);
  const covered = items.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const trimmed = covered - counts.delivered - counts.missing;
  return { kind: 'accepted', cursor: toCursor(moved), stored: counts.delivered, trimmed };
}

function recordsOf(items: readonly BatchItem[]): readonly EdgeRecord[] {
  return items.flatMap((item) => ('record' in item ? [item.record] : []));
}

/**
 * Of what was delivered before, the first that is another now. Sweeps leave what an edge may rightly deliver again, so that a record that is
 * gone, or was told to be missing, is another, too.
 */
async function findDiffering(
  kysely: Kysely<Tables>,
  stream: EdgeStream,
  records: readonly EdgeRecord[],
  ackedThrough: number,
): Promise<number | undefined> {
  const again = new Map(records.filter(({ seq }) => seq <= ackedThrough).map((record) => [record.seq, record]));
  if (again.size === 0) return undefined;
  const rows = await kysely
    .selectFrom('edge_records')
    .select(['seq', 'table_name', 'body'])
    .where(whereStream(stream))
    .where('seq', '>=', Math.min(...again.keys()))
    .where('seq', '<=', Math.max(...again.keys()))
    .orderBy('seq')
    .execute();
  const stored = new Map(rows.map((row) => [row.seq, row]));
  for (const [seq, { table, body }] of again) {
    const row = stored.get(seq);
    if (row === undefined || row.body !== body || row.table_name !== table) return seq;
  }
  return undefined;
}

async function store(
  kysely: Kysely<Tables>,
  stream: EdgeStream,
  items: readonly BatchItem[],
  receivedAt: number,
): Promise<{ readonly delivered: number; readonly missing: number }> {
  const records = recordsOf(items).map(({ seq, table, priority, at, body }) => {
    return { ...stream, seq, table_name: table, priority, at, body, received_at: receivedAt };
  });
  const gaps = items.flatMap((item) => ('gap' in item ? [item.gap] : []));
  for (const rows of chunks(records)) {
    await withReference('edge_records.tenant', kysely.insertInto('edge_records').values(rows).execute());
  }
  for (const rows of chunks(gaps.map(({ from, to, bytes, reason, at }) => ({ from, to, bytes, reason, at })))) {
    const values = rows.map(({ from, to, ...gap }) => ({ ...stream, from_seq: from, to_seq: to, ...gap }));
    await withReference('edge_gaps.tenant', kysely.insertInto('edge_gaps').values(values).execute());
  }
  return { delivered: records.length, missing: gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0) };
}

function chunks<Row>(rows: readonly Row[]): Row[][] {
  return Array.from({ length: Math.ceil(rows.length / ROWS_MAX) }, (_, index) =>
    rows.slice(index * ROWS_MAX, (index + 1) * ROWS_MAX),
  );
}

/** Conditional on where the cursor stood when it was read. */
async function moveCursor(
  kysely: Kysely<Tables>,
  moved: EdgeCursorRow,
  found: EdgeCursorRow | undefined,
): Promise<void> {
  const { acked_through, delivered, missing, issued, updated_at } = moved;
  const { numInsertedOrUpdatedRows } = await withReference(
    'edge_cursors.tenant',
    kysely
      .insertInto('edge_cursors')
      .values(moved)
      .onConflict((conflict) =>
        conflict
          .columns(['tenant', 'edge', 'class', 'epoch'])
          .doUpdateSet({ acked_through, delivered, missing, issued, updated_at })
          .where('edge_cursors.acked_through', '=', found?.acked_through ?? -1),
      )
      .executeTakeFirst(),
  );
  if (numInsertedOrUpdatedRows !== 1n) throw new DbError('conflict', 'edge_cursors.acked_through moved meanwhile');
}
