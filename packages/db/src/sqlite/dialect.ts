import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { DbError } from '../ports/db-error.ts';
import type { Query, QueryAnswer } from './protocol.ts';

/** Asks a worker to run one compiled statement. */
export type RunQuery = (query: Query) => Promise<QueryAnswer>;

/**
 * Kysely on a worker. A dialect is bound to one way of running statements (single writes, one open transaction, reads), so
 * Kysely's own transactions are refused: they are made by the client, which holds the connection for them.
 */
export function workerDialect(run: RunQuery, order: 'one by one' | 'pipelined' = 'one by one'): Dialect {
  return {
    createAdapter: () => (order === 'pipelined' ? new PipelinedAdapter() : new SqliteAdapter()),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createDriver: () => workerDriver(run),
  };
}

/**
 * For many statements of one transaction: the worker takes them in the order in which they are sent, so none need wait for the answer to the
 * one before. For SQLite Kysely lets them through one by one, and wakes all that wait at each.
 */
class PipelinedAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

function workerDriver(run: RunQuery): Driver {
  const connection: DatabaseConnection = {
    executeQuery: async <R>(compiled: CompiledQuery) => toResult<R>(await run(toQuery(compiled))),
    // biome-ignore lint/correctness/useYield: a stream across threads would hold a read open for as long as its reader likes
    async *streamQuery() {
      throw new DbError('invalid', 'results are not streamed; read them in pages');
    },
  };
  const refuseTransaction = async () => {
    throw new DbError('invalid', 'transactions are made by runInTransaction');
  };
  return {
    init: async () => undefined,
    acquireConnection: async () => connection,
    releaseConnection: async () => undefined,
    beginTransaction: refuseTransaction,
    commitTransaction: refuseTransaction,
    rollbackTransaction: refuseTransaction,
    destroy: async () => undefined,
  };
}

/** SQLite knows no booleans and no undefined. */
export function toQuery(compiled: CompiledQuery): Query {
  const parameters = compiled.parameters.map((value) => {
    if (typeof value === 'boolean') return value ? 1 : 0;
    return value === undefined ? null : value;
  });
  return { sql: compiled.sql, parameters };
}

export function toResult<R>(answer: QueryAnswer): QueryResult<R> {
  const rows = answer.rows as R[];
  return answer.changes === undefined ? { rows } : { rows, numAffectedRows: BigInt(answer.changes) };
}
