import type { Client, Pool, PoolClient, PoolConfig } from 'pg';
import { DbError } from '../ports/db-error.ts';
import { connectionTo } from './connection-config.ts';
import { toDbError } from './postgres-error.ts';
import { type PreparedStatements, prepareStatements } from './prepared-statements.ts';
import { type Answer, runBatch, type Statement } from './statement-batch.ts';

export interface LaneSettings {
  readonly url: string;
  /** Connections at most. */
  readonly connectionsMax: number;
  /** How long somebody waits for a connection to be made or to be free. */
  readonly waitMs: number;
  /** How long the server lets a statement run. Somewhat later the client gives up on it, in case the server stands still. */
  readonly statementMs: number;
  /** How long the server lets a statement wait for a lock. */
  readonly lockMs: number;
  /** How long a transaction may last in all. Enforced by servers from version 17 on, in case this process stands still. */
  readonly transactionMs: number;
}

/** One connection that somebody holds. */
export interface HeldConnection {
  /** As `runBatch`; rejects with a `DbError`. */
  run(statements: readonly Statement[]): Promise<readonly Answer[]>;
  /** Gives it back; `isBroken`: as one that is to be replaced, with all that it had open. */
  release(isBroken: boolean): void;
}

/** Some connections that one kind of work shares. Those that break are replaced when somebody needs them. */
export interface ConnectionLane {
  /** On any connection, in one round trip and one transaction. Rejects with a `DbError`; never tried twice. */
  run(statements: readonly Statement[]): Promise<readonly Answer[]>;
  hold(): Promise<HeldConnection>;
  /** Waits for what is under way. */
  close(): Promise<void>;
}

/** A transaction that nobody moves on holds its locks no longer; a frozen node is such a nobody. */
const IDLE_TRANSACTION_MS = 5_000;
/** What an answer may take on its way beyond the time that the server gives itself. */
const ANSWER_SLACK_MS = 1_000;
const IDLE_CONNECTION_MS = 60_000;
/** A DNS name may lead elsewhere by and by, and a backend's memory grows. */
const CONNECTION_LIFE_SECONDS = 3_600;

type PoolConstructor = new (config: PoolConfig) => Pool;

export function openLane(PoolOfDriver: PoolConstructor, settings: LaneSettings): ConnectionLane {
  const pool = new PoolOfDriver(configOf(settings));
  const prepared = new WeakMap<Client, PreparedStatements>();
  // A connection that breaks while nobody uses it is removed by the pool; one in use tells its statement.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });

  function preparedOf(client: PoolClient): PreparedStatements {
    const known = prepared.get(client as unknown as Client);
    if (known !== undefined) return known;
    const made = prepareStatements();
    prepared.set(client as unknown as Client, made);
    return made;
  }

  async function hold(): Promise<HeldConnection> {
    const client = await pool.connect().catch((error: unknown) => {
      throw toDbError(error);
    });
    const statements = preparedOf(client);
    const answerMs = settings.statementMs + ANSWER_SLACK_MS;
    return {
      run: (batch) =>
        runBatch(client as unknown as Client, statements, batch, answerMs).catch((error: unknown) => {
          throw toDbError(error);
        }),
      release: (isBroken) => client.release(isBroken),
    };
  }

  return {
    hold,
    async run(batch) {
      const connection = await hold();
      let isBroken = false;
      try {
        return await connection.run(batch);
      } catch (error) {
        // A server that ends a connection says so before it does: what fails so may have no connection any more.
        isBroken = error instanceof DbError && error.code === 'unavailable';
        throw error;
      } finally {
        connection.release(isBroken);
      }
    },
    close: () => pool.end(),
  };
}

function configOf({ url, connectionsMax, waitMs, statementMs, lockMs, transactionMs }: LaneSettings): PoolConfig {
  return {
    ...connectionTo(url, {
      statement_timeout: statementMs,
      lock_timeout: lockMs,
      idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
      default_transaction_isolation: 'read committed',
      default_transaction_read_only: 'off',
      default_transaction_deferrable: 'off',
      bytea_output: 'hex',
      extra_float_digits: 1,
      row_security: 'on',
    }),
    max: connectionsMax,
    connectionTimeoutMillis: waitMs,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    maxLifetimeSeconds: CONNECTION_LIFE_SECONDS,
    application_name: 'postern',
    onConnect: (client) => limitTransactions(client as Client, transactionMs),
  };
}

/** A setting that servers below version 17 do not know; the startup message cannot ask first. */
async function limitTransactions(client: Client, transactionMs: number): Promise<void> {
  const limiting = `select set_config(name, $1, false) from pg_settings where name = 'transaction_timeout'`;
  await client.query(limiting, [String(transactionMs)]);
}
