import { type Kysely, sql } from 'kysely';
import type { EdgeStream } from '../ports/edge-records.ts';
import type { Tables } from '../tables.ts';

/** The rows of one stream, in each of the tables that have its four columns. */
export function whereStream({ tenant, edge, class: recordClass, epoch }: EdgeStream) {
  return sql<boolean>`(tenant = ${tenant} and edge = ${edge} and class = ${recordClass} and epoch = ${epoch})`;
}

export function selectCursor(kysely: Kysely<Tables>, stream: EdgeStream) {
  return kysely.selectFrom('edge_cursors').selectAll().where(whereStream(stream));
}
