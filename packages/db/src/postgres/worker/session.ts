import type { Client, ClientConfig } from 'pg';
import { INSTANCE_SCOPE } from '../../client.ts';
import { DbError } from '../../ports/db-error.ts';
import { TENANT_SETTING } from '../capabilities.ts';
import { connectionTo } from '../connection-config.ts';
import { toDbError } from '../postgres-error.ts';
import { type PreparedStatements, prepareStatements } from '../prepared-statements.ts';
import { type Answer, runBatch, type Statement } from '../statement-batch.ts';
import { plain } from '../tenant-statements.ts';
import { textList } from './list-literals.ts';

/** What the server gives a statement, and a lock that it waits for. */
const STATEMENT_MS = 5_000;
/** Between two round trips of a transaction lie milliseconds: whoever takes longer stands still, and all others wait for his locks. */
const IDLE_TRANSACTION_MS = 2_000;
/** Somewhat later the client gives up on a server that stands still itself. */
const ANSWER_MS = 6_000;
const CONNECT_MS = 2_000;
const RETRY_MS_FIRST = 20;
const RETRY_MS_MAX = 250;

/** Of the session, whatever is set for the role, the database or the URL. */
const SETTINGS: Readonly<Record<string, string>> = {
  [TENANT_SETTING]: INSTANCE_SCOPE,
  statement_timeout: `${STATEMENT_MS}ms`,
  lock_timeout: `${STATEMENT_MS}ms`,
  idle_in_transaction_session_timeout: `${IDLE_TRANSACTION_MS}ms`,
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  row_security: 'on',
  // All is looked up by keys. A plan made while tables are small must not be one that reads them whole when they are large.
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
};

const SET = 'select set_config(name, value, false) from unnest($1::text[], $2::text[]) as setting (name, value)';

/** What is told durable must be so. Stronger settings stay. */
const DURABLE = `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`;

/**
 * The journal's one connection: made when it is needed, and made anew when it broke, after a while that grows from one try that failed to
 * the next.
 */
export class Session {
  readonly #url: string;
  readonly #onConnect: () => void;
  #client: Client | undefined;
  #prepared: PreparedStatements = prepareStatements();
  #retryMs = RETRY_MS_FIRST;
  #retryAt = 0;
  #lastError: DbError | undefined;

  /** `onConnect`: what was known of the server's rows may be so no more. */
  constructor(url: string, onConnect: () => void) {
    this.#url = url;
    this.#onConnect = onConnect;
  }

  get isConnected(): boolean {
    return this.#client !== undefined;
  }

  /** Fails `unavailable` at once while the next try is not due. */
  async connect(): Promise<void> {
    if (this.#client !== undefined) return;
    if (this.#lastError !== undefined && performance.now() < this.#retryAt) throw this.#lastError;
    try {
      this.#client = await this.#open();
      this.#onConnect();
      this.#retryMs = RETRY_MS_FIRST;
      this.#lastError = undefined;
    } catch (error) {
      this.#lastError = toDbError(error);
      this.#retryAt = performance.now() + this.#retryMs;
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
      throw this.#lastError;
    }
  }

  /** As `runBatch`: one round trip. Rejects with what the driver says, so that one sees whether the server said it. */
  async run(statements: readonly Statement[]): Promise<readonly Answer[]> {
    if (this.#client === undefined) throw new DbError('unavailable', 'PostgreSQL: the connection broke');
    return runBatch(this.#client, this.#prepared, statements, ANSWER_MS);
  }

  /** Ends the connection, and with it whatever transaction is open. */
  discard(): void {
    const client = this.#client;
    this.#client = undefined;
    void client?.end().catch(() => undefined);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #open(): Promise<Client> {
    const { default: pg } = await import('pg');
    const client = new pg.Client(configOf(this.#url));
    const forget = () => {
      if (this.#client === client) this.#client = undefined;
    };
    client.on('error', forget);
    client.on('end', forget);
    await client.connect();
    this.#prepared = prepareStatements();
    const parameters = [textList(Object.keys(SETTINGS)), textList(Object.values(SETTINGS))];
    const setting: Statement = { sql: SET, parameters, isSilent: true };
    try {
      await runBatch(client, this.#prepared, [setting, plain(DURABLE)], CONNECT_MS);
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
    return client;
  }
}

function configOf(url: string): ClientConfig {
  return {
    ...connectionTo(url, SETTINGS),
    connectionTimeoutMillis: CONNECT_MS,
    application_name: 'postern-journal',
  };
}
