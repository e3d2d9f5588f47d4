import { sql } from 'kysely';
import { requireCount, requireOneOf } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { decodeNumberCursor, rowsToRead, toPage } from '../page.ts';
import { EDGE_RECORD_CLASSES, EDGE_RECORDS_KEPT, type EdgeRecordsPort } from '../ports/edge-records.ts';
import { inOneTransaction, listsOf, pointsOf } from '../transaction.ts';
import { receiveBatch } from './edge-record-batch.ts';
import { requireStream, toCursor, toGap, toItems, toStoredRecord } from './edge-record-rows.ts';
import { selectCursor, whereStream } from './edge-streams.ts';

const LIST = 'edge_records';

export function createEdgeRecords(dbClient: DbClient): EdgeRecordsPort {
  return {
    ...createReads(dbClient),

    async receive(batch, receivedAt, context) {
      requireCount('edge_records.received_at', receivedAt);
      const items = toItems(batch);
      return inOneTransaction(dbClient, context, (scope) =>
        receiveBatch(scope.kysely(batch.tenant), batch, items, receivedAt),
      );
    },

    async sweep(recordClass, receivedBefore, limit) {
      requireOneOf('edge_records.class', recordClass, EDGE_RECORD_CLASSES);
      requireCount('edge_records.received_at', receivedBefore);
      const { numDeletedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('edge_records')
        .where('place', 'in', (select) =>
          select
            .selectFrom('edge_records')
            .select('place')
            .where('class', '=', recordClass)
            .where('received_at', '<', receivedBefore)
            .where(({ exists, selectFrom }) =>
              exists(
                selectFrom('edge_cursors')
                  .select('edge_cursors.epoch')
                  .whereRef('edge_cursors.tenant', '=', 'edge_records.tenant')
                  .whereRef('edge_cursors.edge', '=', 'edge_records.edge')
                  .whereRef('edge_cursors.class', '=', 'edge_records.class')
                  .whereRef('edge_cursors.epoch', '=', 'edge_records.epoch')
                  .where(sql<boolean>`edge_cursors.acked_through >= edge_records.seq + ${EDGE_RECORDS_KEPT}`),
              ),
            )
            .orderBy('received_at')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

function createReads(dbClient: DbClient): Pick<EdgeRecordsPort, 'getCursor' | 'listCursors' | 'listGaps' | 'list'> {
  return {
    async getCursor(stream, context) {
      requireStream(stream);
      const row = await selectCursor(pointsOf(dbClient, context, stream.tenant), stream).executeTakeFirst();
      return row && toCursor(row);
    },

    async listCursors(tenant, edge, context) {
      const cursors = listsOf(dbClient, context, tenant).selectFrom('edge_cursors').selectAll();
      let query = cursors.where('tenant', '=', tenant);
      if (edge !== undefined) query = query.where('edge', '=', edge);
      const rows = await query.orderBy('edge').orderBy('class').orderBy('epoch').execute();
      return rows.map(toCursor);
    },

    async listGaps(stream, context) {
      requireStream(stream);
      const rows = await listsOf(dbClient, context, stream.tenant)
        .selectFrom('edge_gaps')
        .selectAll()
        .where(whereStream(stream))
        .orderBy('from_seq')
        .execute();
      return rows.map(toGap);
    },

    async list(tenant, { edge, class: recordClass, table }, page, context) {
      if (recordClass !== undefined) requireOneOf('edge_records.class', recordClass, EDGE_RECORD_CLASSES);
      const before = decodeNumberCursor(LIST, page.cursor);
      let query = listsOf(dbClient, context, tenant)
        .selectFrom('edge_records')
        .selectAll()
        .where('tenant', '=', tenant);
      if (edge !== undefined) query = query.where('edge', '=', edge);
      if (recordClass !== undefined) query = query.where('class', '=', recordClass);
      if (table !== undefined) query = query.where('table_name', '=', table);
      if (before !== undefined) query = query.where('place', '<', before);
      const rows = await query.orderBy('place', 'desc').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toStoredRecord, position: (row) => row.place });
    },
  };
}
