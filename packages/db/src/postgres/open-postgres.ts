import { Kysely } from 'kysely';
import type { Pool } from 'pg';
import type { DbClient } from '../client.ts';
import type { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { POSTGRES_CAPABILITIES } from './capabilities.ts';
import { type ConnectionLane, type LaneSettings, openLane } from './connection-lane.ts';
import { postgresDialect, toQueryResult } from './dialect.ts';
import { withJournals } from './journal-workers.ts';
import { prepareDatabase } from './prepare-database.ts';
import type { Answer, Statement } from './statement-batch.ts';
import { plain, tenantForReading, tenantForWriting, tenantOf } from './tenant-statements.ts';
import { transact } from './transact.ts';
import { LOCK_ALONE } from './write-lock.ts';

export interface PostgresOptions {
  /** `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, also with `?sslmode=verify-full`. */
  readonly url: string;
  /** For the record of migrations; milliseconds since the epoch. */
  readonly now?: () => number;
  /** How long a transaction may last before it is rolled back; all writers wait behind it. Default 5 s. */
  readonly transactionMs?: number;
  /** Connections of this client at most, from 4. Default 10. */
  readonly poolMax?: number;
  /** How long one waits for a connection, for a lock, and for the end of a statement that is no list. Default 5 s. */
  readonly waitMs?: number;
  /** Told of each migration that was taken. */
  readonly onMigration?: (migration: { readonly number: number; readonly name: string }) => void;
}

const POOL_MAX = 10;
const POOL_MAX_LEAST = 4;
const WAIT_MS = 5_000;
const LIST_MS = 30_000;
const MIGRATION_MS = 600_000;

/**
 * Opens (and migrates) a database. Connections are made when they are needed, and replaced when they break: a server that was restarted
 * is used again without further ado, and what was under way on it has failed `unavailable`. Fails `unavailable` when the server does not
 * answer, `invalid` when a newer program has migrated the database, when it lacks migrations that the role may not run, and for a server
 * older than version 16 or a database in another encoding than UTF-8.
 */
export async function openPostgres(options: PostgresOptions): Promise<DbClient> {
  const { url, transactionMs = WAIT_MS, poolMax = POOL_MAX, waitMs = WAIT_MS } = options;
  const { default: pg } = await import('pg');
  const settings: LaneSettings = {
    ...{ url, connectionsMax: 1, waitMs, statementMs: waitMs, lockMs: waitMs },
    // A lock is waited for, and then the statement runs.
    transactionMs: 2 * waitMs,
  };
  const lanes = openLanes(pg.Pool, settings, { transactionMs, poolMax });
  const client = createClient(lanes, transactionMs);
  const migrating = () => {
    const lane = openLane(pg.Pool, { ...settings, statementMs: MIGRATION_MS, lockMs: MIGRATION_MS, transactionMs: 0 });
    return createClient({ points: lane, lists: lane, writes: lane, transactions: lane }, MIGRATION_MS);
  };
  try {
    await prepareDatabase(client, migrating, options);
  } catch (error) {
    await client.close();
    throw error;
  }
  return withJournals(client, url);
}

/** So that reads by key wait neither for lists nor for writers, each kind of work has connections of its own. */
interface Lanes {
  readonly points: ConnectionLane;
  readonly lists: ConnectionLane;
  readonly writes: ConnectionLane;
  readonly transactions: ConnectionLane;
}

function openLanes(
  PoolOfDriver: typeof Pool,
  settings: LaneSettings,
  { transactionMs, poolMax }: { transactionMs: number; poolMax: number },
): Lanes {
  const rest = Math.max(poolMax, POOL_MAX_LEAST) - 1;
  const lists = Math.max(1, Math.floor(rest / 4));
  const writes = Math.max(1, Math.floor(rest / 3));
  const patient = { statementMs: LIST_MS, transactionMs: 2 * LIST_MS };
  return {
    points: openLane(PoolOfDriver, { ...settings, connectionsMax: rest - lists - writes }),
    lists: openLane(PoolOfDriver, { ...settings, ...patient, connectionsMax: lists }),
    writes: openLane(PoolOfDriver, { ...settings, connectionsMax: writes }),
    // One: transactions exclude each other anyway, and those that wait need no connection for it.
    transactions: openLane(PoolOfDriver, { ...settings, transactionMs: transactionMs + 2 * settings.waitMs }),
  };
}

function createClient(lanes: Lanes, transactionMs: number): DbClient {
  let closing: Promise<void> | undefined;
  const reading = (lane: ConnectionLane) =>
    kyselyByTenant((tenant, statement) => lastOf(lane.run([tenantForReading(tenant), statement])));
  return {
    capabilities: POSTGRES_CAPABILITIES,
    points: reading(lanes.points),
    lists: reading(lanes.lists),
    writes: kyselyByTenant((tenant, statement) => lastOf(lanes.writes.run([...tenantForWriting(tenant), statement]))),
    async readTogether(tenant, queries) {
      const begin = plain('begin isolation level repeatable read, read only');
      const answers = await runAlone(lanes.points, [begin, tenantOf(tenant), ...queries, plain('commit')]);
      return answers.slice(2, -1).map((answer) => toQueryResult(answer));
    },
    async writeTogether(tenant, queries) {
      // Of several statements two such could wait for each other's rows.
      await lanes.writes.run([plain(LOCK_ALONE), tenantOf(tenant), ...queries]);
    },
    transact: (operation) => transact(lanes.transactions, transactionMs, operation),
    // Connections are replaced for as long as the client is open.
    failed: new Promise<DbError>(() => undefined),
    close() {
      closing ??= Promise.all([...new Set<ConnectionLane>(Object.values(lanes))].map((lane) => lane.close())).then(
        () => undefined,
      );
      return closing;
    },
  };
}

/** With a transaction of its own in it, which a failure may leave open. */
async function runAlone(lane: ConnectionLane, statements: readonly Statement[]): Promise<readonly Answer[]> {
  const connection = await lane.hold();
  let isDone = false;
  try {
    const answers = await connection.run(statements);
    isDone = true;
    return answers;
  } finally {
    connection.release(!isDone);
  }
}

async function lastOf(answering: Promise<readonly Answer[]>): Promise<Answer> {
  return (await answering).at(-1) as Answer;
}

/** Tenants whose Kysely is kept. */
const TENANTS_KEPT_MAX = 1_000;

function kyselyByTenant(run: (tenant: string, statement: Statement) => Promise<Answer>): DbClient['points'] {
  const known = new Map<string, Kysely<Tables>>();
  return (tenant) => {
    const found = known.get(tenant);
    if (found !== undefined) return found;
    if (known.size >= TENANTS_KEPT_MAX) known.clear();
    const made = new Kysely<Tables>({ dialect: postgresDialect((statement) => run(tenant, statement)) });
    known.set(tenant, made);
    return made;
  };
}
