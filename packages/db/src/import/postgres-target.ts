import type { Client, CustomTypesConfig } from 'pg';
import type { RecordedStep } from '../migration-state.ts';
import { DbError } from '../ports/db-error.ts';
import { toDbError } from '../postgres/postgres-error.ts';
import type { ComparedValue } from './row-digest.ts';
import { messageOf, quoted, type SourceValue } from './sqlite-source.ts';

export interface TargetColumn {
  readonly name: string;
  /** As PostgreSQL writes it: `bigint`, `text`, `jsonb`, `bytea`. */
  readonly type: string;
  /** A row without a value for it is refused. */
  readonly isRequired: boolean;
}

/** One connection with one transaction, in which everything is done: until it is committed nobody sees any of it. */
export interface PostgresTarget {
  columns(table: string): Promise<readonly TargetColumn[]>;
  tables(): Promise<readonly string[]>;
  steps(): Promise<readonly RecordedStep[]>;
  /** Keeps all others from writing to the tables until the end. Fails `unavailable` when that is not to be had in time. */
  lock(tables: readonly string[]): Promise<void>;
  count(table: string, condition?: string): Promise<number>;
  remove(table: string, condition: string): Promise<void>;
  insert(table: string, columns: readonly TargetColumn[], rows: readonly (readonly SourceValue[])[]): Promise<void>;
  /** What is there, a bounded number of rows at a time. */
  batches(
    table: string,
    columns: readonly TargetColumn[],
    orderedBy?: string,
  ): AsyncIterable<readonly (readonly ComparedValue[])[]>;
  /** Statements that answer nothing. Fails `invalid` with what the server says. */
  execute(statements: readonly string[]): Promise<void>;
  /** Of its tables. */
  schema(): Promise<string>;
  /** Lets keys that are counted go on behind the greatest that is there. */
  continueCounting(table: string): Promise<void>;
  commit(): Promise<void>;
  /** After the commit: lets the server look what is in the tables, which it would do by itself a minute later. Never fails. */
  analyse(tables: readonly string[]): Promise<void>;
  /** Rolls back what was not committed. */
  close(): Promise<void>;
}

const ROWS_AT_ONCE = 1_000;
const CONNECT_MS = 10_000;
/** Whoever holds a row longer than this is no statement that happens to be under way. */
const LOCK_WAIT_MS = 5_000;

/** Opens a connection and begins. Fails `unavailable`, with a message that does not tell the URL: it holds a password. */
export async function openPostgresTarget(url: string, lockWaitMs: number = LOCK_WAIT_MS): Promise<PostgresTarget> {
  const client = await connect(url);
  const ask: Ask = async (text, values) => {
    try {
      return (await client.query({ text, values: [...(values ?? [])], rowMode: 'array' })).rows;
    } catch (error) {
      throw refusal(error);
    }
  };
  try {
    await ask('begin');
    await ask("select set_config('postern.tenant', '*', true)");
    await ask('set local statement_timeout = 0');
    await ask('set local idle_in_transaction_session_timeout = 0');
    await ask(`set local lock_timeout = ${lockWaitMs}`);
    await ask("select set_config(name, '0', true) from pg_settings where name = 'transaction_timeout'");
    await ask("set local bytea_output = 'hex'");
  } catch (error) {
    await client.end();
    throw error;
  }
  return targetOn(client, ask);
}

async function connect(url: string): Promise<Client> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    application_name: 'postern command line',
    types: AS_WE_COMPARE,
  });
  // Told by the statement that it fails.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw new DbError('unavailable', `the PostgreSQL database cannot be reached: ${messageOf(error)}`, error);
  }
  return client;
}

const INT8 = 20;
const INT4 = 23;
const BYTEA = 17;
const JSONB = 3802;

/** Integers as numbers, JSON parsed; everything else as its text. */
const AS_WE_COMPARE: CustomTypesConfig = {
  getTypeParser: (oid: number) => (text: string | null) => {
    if (text === null) return null;
    if (oid === INT8 || oid === INT4) return Number(text);
    if (oid === JSONB) return { json: JSON.parse(text) };
    return oid === BYTEA ? Buffer.from(text.slice(2), 'hex') : text;
  },
};

/** Runs one statement; its rows, as lists. Rejects with a `DbError`. */
type Ask = (text: string, values?: readonly unknown[]) => Promise<readonly (readonly unknown[])[]>;

/** What the server says of a value stays there; what it says of rights, tables and connections is told. */
function refusal(error: unknown): DbError {
  const told = toDbError(error);
  const state = String((error as { readonly code?: unknown }).code ?? '');
  if (/^2[23]/.test(state)) return told;
  const code = /^42/.test(state) ? 'invalid' : told.code;
  return new DbError(code, `the PostgreSQL database refuses: ${messageOf(error)}`, error);
}

function targetOn(client: Client, ask: Ask): PostgresTarget {
  let isCommitted = false;
  return {
    tables: () => tablesOf(ask),
    columns: (table) => columnsOf(ask, table),
    steps: async () => {
      const rows = await ask('select number, name from schema_migrations order by number');
      return rows.map(([number, name]) => ({ number: Number(number), name: String(name) }));
    },
    lock: async (tables) => {
      await ask(`lock table ${tables.map(quoted).join(', ')} in share row exclusive mode`);
    },
    count: async (table, condition = 'true') => {
      return Number(await firstValue(ask, `select count(*) from ${quoted(table)} where ${condition}`));
    },
    remove: async (table, condition) => {
      await ask(`delete from ${quoted(table)} where ${condition}`);
    },
    insert: (table, columns, rows) => insert(ask, { table, columns, rows }),
    batches: (table, columns, orderedBy) => batches(ask, { table, columns, orderedBy }),
    execute: async (statements) => {
      for (const statement of statements) await ask(statement);
    },
    schema: async () => String(await firstValue(ask, 'select current_schema()')),
    continueCounting: (table) => continueCounting(ask, table),
    commit: async () => {
      await ask('commit');
      isCommitted = true;
    },
    analyse: async (tables) => {
      await client.query(`analyze ${tables.map(quoted).join(', ')}`).catch(() => undefined);
    },
    close: async () => {
      if (!isCommitted) await client.query('rollback').catch(() => undefined);
      await client.end().catch(() => undefined);
    },
  };
}

async function firstValue(ask: Ask, text: string): Promise<unknown> {
  return (await ask(text))[0]?.[0];
}

async function tablesOf(ask: Ask): Promise<readonly string[]> {
  const rows = await ask(
    `select c.relname from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
      order by c.relname`,
  );
  return rows.map(([name]) => String(name));
}

async function columnsOf(ask: Ask, table: string): Promise<readonly TargetColumn[]> {
  const rows = await ask(
    `select a.attname, format_type(a.atttypid, a.atttypmod),
        (a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attgenerated = '')
      from pg_attribute a
      where a.attrelid = (quote_ident(current_schema()) || '.' || quote_ident($1))::regclass and a.attnum > 0 and not a.attisdropped
      order by a.attnum`,
    [table],
  );
  return rows.map(([name, type, isRequired]) => {
    return { name: String(name), type: String(type), isRequired: isRequired === 't' };
  });
}

interface Rows {
  readonly table: string;
  readonly columns: readonly TargetColumn[];
  readonly rows: readonly (readonly SourceValue[])[];
}

/** One array for each column: the statement is the same however many rows it takes. */
async function insert(ask: Ask, { table, columns, rows }: Rows): Promise<void> {
  const names = columns.map(({ name }) => quoted(name)).join(', ');
  const arrays = columns.map(({ type }, place) => `$${place + 1}::${type}[]`).join(', ');
  const values = columns.map((_column, place) => rows.map((row) => row[place] ?? null));
  await ask(`insert into ${quoted(table)} (${names}) overriding system value select * from unnest(${arrays})`, values);
}

interface Selection {
  readonly table: string;
  readonly columns: readonly TargetColumn[];
  readonly orderedBy: string | undefined;
}

async function* batches(
  ask: Ask,
  { table, columns, orderedBy }: Selection,
): AsyncIterable<readonly (readonly ComparedValue[])[]> {
  const order = orderedBy === undefined ? '' : ` order by ${quoted(orderedBy)}`;
  const names = columns.map(({ name }) => quoted(name)).join(', ');
  await ask(`declare imported no scroll cursor for select ${names} from ${quoted(table)}${order}`);
  for (;;) {
    const rows = await ask(`fetch ${ROWS_AT_ONCE} from imported`);
    if (rows.length === 0) break;
    yield rows as readonly (readonly ComparedValue[])[];
  }
  await ask('close imported');
}

async function continueCounting(ask: Ask, table: string): Promise<void> {
  const rows = await ask(
    `select a.attname, pg_get_serial_sequence(quote_ident($1), a.attname)
      from pg_attribute a where a.attrelid = quote_ident($1)::regclass and a.attnum > 0 and not a.attisdropped`,
    [table],
  );
  for (const [name, sequence] of rows) {
    if (sequence === null) continue;
    const greatest = await firstValue(ask, `select max(${quoted(String(name))}) from ${quoted(table)}`);
    if (greatest !== null) await ask('select setval($1::text::regclass, $2)', [sequence, greatest]);
  }
}
