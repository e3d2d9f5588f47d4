import type { EntryDraft } from '@postern/schemas';
import { Kysely } from 'kysely';
import type { TransactionScope } from '../client.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { createEntryAppender } from './append-entry.ts';
import type { ConnectionLane, HeldConnection } from './connection-lane.ts';
import { postgresDialect } from './dialect.ts';
import type { Answer, Statement } from './statement-batch.ts';
import { plain, tenantOf } from './tenant-statements.ts';
import { LOCK_ALONE } from './write-lock.ts';

const BEGIN = [plain('begin isolation level read committed'), plain(LOCK_ALONE)];

/**
 * Runs `operation` in a transaction in which nobody else changes anything, from its begin to its end: with the lock that all writers
 * take. It is rolled back when `operation` throws, when a statement of it failed (whether or not `operation` caught that), and after
 * `transactionMs`.
 */
export async function transact<T>(
  lane: ConnectionLane,
  transactionMs: number,
  operation: (scope: TransactionScope) => Promise<T>,
): Promise<T> {
  const open = await begin(lane, transactionMs);
  let result: T;
  try {
    result = await operation(scopeOn(open));
  } catch (error) {
    await open.rollback();
    throw error;
  }
  await open.commit();
  return result;
}

interface OpenTransaction {
  run(statements: readonly Statement[]): Promise<readonly Answer[]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

async function begin(lane: ConnectionLane, transactionMs: number): Promise<OpenTransaction> {
  const connection = await lane.hold();
  try {
    await connection.run(BEGIN);
  } catch (error) {
    connection.release(true);
    throw error;
  }
  return openOn(connection, transactionMs);
}

function openOn(connection: HeldConnection, transactionMs: number): OpenTransaction {
  let failure: unknown;
  let isOver = false;
  /** Statements run one after the other, whoever asks for them at once. */
  let tail: Promise<unknown> = Promise.resolve();
  // The server rolls back what its client leaves.
  const timer = setTimeout(() => end(true, tooLong(transactionMs)), transactionMs);

  function end(isBroken: boolean, reason?: DbError): void {
    if (isOver) return;
    isOver = true;
    failure = reason ?? failure;
    clearTimeout(timer);
    connection.release(isBroken);
  }

  async function runNow(statements: readonly Statement[]): Promise<readonly Answer[]> {
    if (failure !== undefined) throw failure;
    if (isOver) throw new DbError('invalid', 'the transaction is over');
    try {
      return await connection.run(statements);
    } catch (error) {
      failure ??= error;
      throw failure;
    }
  }

  function run(statements: readonly Statement[]): Promise<readonly Answer[]> {
    const running = tail.then(() => runNow(statements));
    tail = running.catch(() => undefined);
    return running;
  }

  return {
    run,
    async commit() {
      try {
        const [answer] = await run([plain('commit')]);
        // So it answers when something failed that nobody told us of.
        if (answer?.command !== 'COMMIT')
          throw new DbError('unavailable', 'PostgreSQL: the transaction was rolled back');
        end(false);
      } catch (error) {
        end(true);
        throw error;
      }
    },
    async rollback() {
      await tail;
      if (isOver) return;
      const isRolledBack = await connection.run([plain('rollback')]).then(
        () => true,
        () => false,
      );
      end(!isRolledBack);
    },
  };
}

function scopeOn({ run }: OpenTransaction): TransactionScope {
  const one = async (tenant: string, statement: Statement) =>
    (await run([tenantOf(tenant), statement])).at(-1) as Answer;
  const append = createEntryAppender(run);
  return {
    kysely: (tenant) => new Kysely<Tables>({ dialect: postgresDialect((statement) => one(tenant, statement)) }),
    appendEntry: (draft: EntryDraft) => append(draft),
  };
}

function tooLong(transactionMs: number): DbError {
  return new DbError('unavailable', `the transaction took longer than ${transactionMs} ms and was rolled back`);
}
