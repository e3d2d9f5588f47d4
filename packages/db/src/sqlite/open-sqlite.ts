import { chmodSync, closeSync, openSync } from 'node:fs';
import { type CompiledQuery, Kysely } from 'kysely';
import type { DbClient, EngineCapabilities, TransactionScope } from '../client.ts';
import { migrate } from '../migrate.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { toQuery, toResult, workerDialect } from './dialect.ts';
import type { Operation, Query, QueryAnswer } from './protocol.ts';
import { type ReaderOnDemand, readerOnDemand } from './reader-on-demand.ts';
import { startWorker, type WorkerLink } from './worker-link.ts';

export interface SqliteOptions {
  /** Path of the database file; made with mode 0600 when it is not there. Its folder must be. */
  readonly file: string;
  /** For the record of migrations; milliseconds since the epoch. */
  readonly now?: () => number;
  /** How long a transaction may last before it is rolled back; calls wait behind it. Default 5 s. */
  readonly transactionMs?: number;
  /** How long the thread that reads lists stays when nobody asks for one. Default 10 s. */
  readonly readerIdleMs?: number;
  /** Told of each migration that was taken. */
  readonly onMigration?: (migration: { readonly number: number; readonly name: string }) => void;
}

const CAPABILITIES: EngineCapabilities = {
  integerType: 'integer',
  countedKey: 'integer primary key',
  jsonType: 'text',
  bytesType: 'blob',
  clusteredTableEnding: 'strict, without rowid',
  tableEnding: 'strict',
  jsonMember: (column, member) => `${column} ->> '$.${member}'`,
  jsonText: (column) => column,
  isJson: (column) => `json_valid(${column})`,
  textMember: (text, member) => `${text} ->> '$.${member}'`,
  placeOfText: 'instr',
  oneOfFew: ['in (', ')'],
  clockMs: "cast(unixepoch('subsec') * 1000 as integer)",
  inByteOrder: (statement) => statement,
  rowSecurity: () => [],
};

interface Workers {
  readonly writer: WorkerLink;
  readonly reader: ReaderOnDemand;
}

/** For the journal, which speaks to the worker more directly than repositories do. */
const workersOfClients = new WeakMap<DbClient, Workers>();

/**
 * Opens (and migrates) a SQLite file. All of SQLite runs in worker threads: one writes, with WAL and `synchronous=FULL`, and
 * answers reads by key on a second connection; one, there while lists are asked for, reads those. Fails `unavailable` when the file
 * cannot be opened or written, `invalid` when a newer program has migrated it.
 */
export async function openSqlite(options: SqliteOptions): Promise<DbClient> {
  const { file, transactionMs = 5_000, readerIdleMs = 10_000 } = options;
  makePrivateFile(file);
  const writer = startWorker({ role: 'writer', file, transactionMs });
  const reader = readerOnDemand({ role: 'reader', file, transactionMs }, readerIdleMs);
  const workers: Workers = { writer, reader };
  const client = createClient(workers, async () => {
    await reader.close();
    await writer.close();
  });
  workersOfClients.set(client, workers);
  try {
    await migrate(client, options.now, undefined, options.onMigration);
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

/** The workers of a client that `openSqlite` made. Fails `invalid` for any other. */
export function workersOf(client: DbClient): Workers {
  const workers = workersOfClients.get(client);
  if (workers === undefined) throw new DbError('invalid', 'the database client was not made by openSqlite');
  return workers;
}

function createClient({ writer, reader }: Workers, close: () => Promise<void>): DbClient {
  let lastTransaction = 0;

  async function transact<T>(operation: (scope: TransactionScope) => Promise<T>): Promise<T> {
    const transaction = ++lastTransaction;
    await writer.request({ op: 'begin', transaction });
    const kysely = kyselyOn(writer, (query) => ({ op: 'query', on: 'write', query, transaction }), 'pipelined');
    const scope: TransactionScope = {
      kysely: () => kysely,
      appendEntry: (draft) => writer.request({ op: 'append', draft, transaction }),
    };
    let result: T;
    try {
      result = await operation(scope);
    } catch (error) {
      // A rollback that fails has nothing to roll back any more: the worker did it, or is gone.
      await writer.request({ op: 'rollback', transaction }).catch(() => undefined);
      throw error;
    }
    await writer.request({ op: 'commit', transaction });
    return result;
  }

  const writes = kyselyOn(writer, (query) => ({ op: 'query', on: 'write', query }));
  const points = kyselyOn(writer, (query) => ({ op: 'query', on: 'snapshot', query }));
  const lists = new Kysely<Tables>({
    dialect: workerDialect((query) => reader.request({ op: 'query', on: 'snapshot', query })),
  });
  // SQLite knows no row security: whatever the tenant, the conditions of the statement are the one wall.
  return {
    capabilities: CAPABILITIES,
    writes: () => writes,
    points: () => points,
    lists: () => lists,
    readTogether: async (_tenant, queries) => (await together(writer, 'snapshot', queries)).map(toResult),
    writeTogether: async (_tenant, queries) => {
      await together(writer, 'write', queries);
    },
    transact,
    failed: writer.failed,
    close,
  };
}

function kyselyOn(
  link: WorkerLink,
  toOperation: (query: Query) => Operation,
  order?: 'one by one' | 'pipelined',
): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: workerDialect((query) => link.request(toOperation(query)), order) });
}

function together(link: WorkerLink, on: 'snapshot' | 'write', queries: readonly CompiledQuery[]) {
  return link.request<readonly QueryAnswer[]>({ op: 'queries', on, queries: queries.map(toQuery) });
}

/** SQLite gives its `-wal` and `-shm` files the mode of the database file, so that one is made first. */
function makePrivateFile(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
  } catch (error) {
    throw new DbError('unavailable', `the database file ${file} cannot be opened for writing`, error);
  }
}
