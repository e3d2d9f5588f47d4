import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import { DbError } from '../ports/db-error.ts';
import type { Answer, Statement } from './statement-batch.ts';

/** Runs one statement, wherever that is. */
export type RunStatement = (statement: Statement) => Promise<Answer>;

/**
 * Kysely on one way of running statements: reads by key, lists, single writes, one open transaction. Kysely's own transactions are
 * refused: they are made by the client, which holds the connection for them.
 */
export function postgresDialect(run: RunStatement): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (kysely) => new PostgresIntrospector(kysely),
    createDriver: () => driverOf(run),
  };
}

function driverOf(run: RunStatement): Driver {
  const connection: DatabaseConnection = {
    executeQuery: async <R>(compiled: CompiledQuery) => toQueryResult<R>(await run(compiled)),
    // biome-ignore lint/correctness/useYield: a stream would hold a connection for as long as its reader likes
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

export function toQueryResult<R>({ rows, changes }: Answer): QueryResult<R> {
  return changes === undefined ? { rows: rows as R[] } : { rows: rows as R[], numAffectedRows: BigInt(changes) };
}
