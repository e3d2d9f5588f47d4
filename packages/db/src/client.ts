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
  /** SQL of a member of a column that holds JSON text: a text or an integer, null when it is absent. */
  readonly jsonMember: (column: string, member: string) => string;
  /** SQL that is true when the column's text is JSON. */
  readonly isJson: (column: string) => string;
}

/** One write transaction that is open. */
export interface TransactionScope {
  readonly kysely: Kysely<Tables>;
  /** Numbers, encodes and inserts an audit entry in this transaction. */
  appendEntry(draft: EntryDraft): Promise<Entry>;
}

/** One database, whatever its engine. The application opens it, passes it to the repositories and closes it. */
export interface DbClient {
  readonly capabilities: EngineCapabilities;
  /** Statements that change rows, each for itself. */
  readonly writes: Kysely<Tables>;
  /** Reads by key: they never wait behind a list or an open transaction. */
  readonly points: Kysely<Tables>;
  /** Lists and searches. */
  readonly lists: Kysely<Tables>;
  /** Runs several reads on one consistent snapshot, in one go. */
  readTogether(queries: readonly CompiledQuery[]): Promise<readonly QueryResult<unknown>[]>;
  /** Runs several writes in one transaction, in one go. */
  writeTogether(queries: readonly CompiledQuery[]): Promise<void>;
  /** Runs `operation` in a write transaction of its own; rolls back when it throws or takes longer than 5 s. */
  transact<T>(operation: (scope: TransactionScope) => Promise<T>): Promise<T>;
  /** Resolves when the client can work no more (its worker died); pending only while all is well. Not by `close`. */
  readonly failed: Promise<DbError>;
  close(): Promise<void>;
}
