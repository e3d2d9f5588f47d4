import type { Entry, EntryDraft } from '@postern/schemas';
import type { CompiledQuery, Kysely, QueryResult } from 'kysely';
import type { DbError } from './ports/db-error.ts';
import type { Tables } from './tables.ts';

/** What the engines do differently, by name. Repositories and migrations ask for these and never for the engine. */
export interface EngineCapabilities {
  /** Column type of integers up to 2^53. */
  readonly integerType: string;
  /** Column definition of a primary key that the engine counts up by itself, in the order of insertion. */
  readonly countedKey: string;
  readonly jsonType: string;
  readonly bytesType: string;
  /** What ends `create table` when rows are clustered by the primary key, where the engine can. */
  readonly clusteredTableEnding: string;
  readonly tableEnding: string;
  /** SQL of a member of a JSON column, or of JSON text: null when it is absent, a text unless it is said to be an integer. */
  readonly jsonMember: (column: string, member: string, kind?: 'text' | 'integer') => string;
  /** SQL of a text column that holds JSON, with nothing in it that the engine's JSON cannot hold. */
  readonly jsonText: (column: string) => string;
  /** SQL that is true when the column's text is JSON. */
  readonly isJson: (column: string) => string;
  /** As `jsonMember`, of text that is JSON and of which no more than this member is wanted. */
  readonly textMember: (text: string, member: string, kind?: 'text' | 'integer') => string;
  /** SQL that finds a text in another: its place counted from 1, or 0. */
  readonly placeOfText: 'instr' | 'strpos';
  /**
   * What stands before and behind a selection of few values, one of which a column is: it is made first, and looked up then. Without
   * that PostgreSQL may join it, and by its guess of how many there are read the whole table for ten.
   */
  readonly oneOfFew: readonly [before: string, behind: string];
  /** SQL of the store's own clock, in whole milliseconds since the epoch. */
  readonly clockMs: string;
  /** A statement that makes a table or a column, such that its texts are compared and ordered byte by byte, whatever the database's rule. */
  readonly inByteOrder: (statement: string) => string;
  /**
   * Statements after which a table shows and takes only the rows of the tenant that a statement names; none where the engine knows no row
   * security. `isOwn` makes the SQL that is true for a row of the tenant whose SQL expression it is given.
   */
  readonly rowSecurity: (table: string, isOwn: (tenant: string) => string) => readonly string[];
}

/** The tenant whose rows a statement may see and write, or `INSTANCE_SCOPE`. */
export type TenantScope = string;

/**
 * Every tenant's rows: asked for by name where no tenant is known (a key found by its public id, the directory, sweeps, recovery,
 * delivery). The value of `GLOBAL_TENANT`, whose rules are the whole instance's.
 */
export const INSTANCE_SCOPE: TenantScope = '*';

/** One write transaction that is open. */
export interface TransactionScope {
  /** Statements of this transaction within a tenant's rows; what it did not see stays so when another tenant is named next. */
  kysely(tenant: TenantScope): Kysely<Tables>;
  /** Numbers, encodes and inserts an audit entry in this transaction. */
  appendEntry(draft: EntryDraft): Promise<Entry>;
}

/**
 * One database, whatever its engine. The application opens it, passes it to the repositories and closes it. Every statement names the
 * tenant whose rows it is about, or `INSTANCE_SCOPE`: a second wall behind the conditions of the statement itself, where the engine has one.
 */
export interface DbClient {
  readonly capabilities: EngineCapabilities;
  /** Statements that change rows, each for itself. */
  writes(tenant: TenantScope): Kysely<Tables>;
  /** Reads by key: they never wait behind a list or an open transaction. */
  points(tenant: TenantScope): Kysely<Tables>;
  /** Lists and searches. */
  lists(tenant: TenantScope): Kysely<Tables>;
  /** Runs several reads on one consistent snapshot, in one go. */
  readTogether(tenant: TenantScope, queries: readonly CompiledQuery[]): Promise<readonly QueryResult<unknown>[]>;
  /** Runs several writes in one transaction, in one go. */
  writeTogether(tenant: TenantScope, queries: readonly CompiledQuery[]): Promise<void>;
  /** Runs `operation` in a write transaction of its own; rolls back when it throws or takes longer than 5 s. */
  transact<T>(operation: (scope: TransactionScope) => Promise<T>): Promise<T>;
  /** Resolves when the client can work no more (its worker died); pending only while all is well. Not by `close`. */
  readonly failed: Promise<DbError>;
  close(): Promise<void>;
}
