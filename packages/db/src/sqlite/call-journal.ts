import type { DbClient } from '../client.ts';
import type { CallJournal } from '../ports/call-journal.ts';
import { DbError } from '../ports/db-error.ts';
import { JournalQueue, type JournalStats } from './journal-queue.ts';
import { workersOf } from './open-sqlite.ts';
import { packBatch } from './pack-batch.ts';
import { type JournalAnswer, OUTCOME, REFUSAL } from './protocol.ts';

export interface SqliteCallJournalOptions {
  /** Stable name of this node. Two running processes that share it would close each other's calls. */
  readonly node: string;
  /** Unique to this start of the process. */
  readonly boot: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** How long calls of this boot stay its own without a sign of life. Default 15 s. */
  readonly leaseMs?: number;
  /** Outcomes and refusals of a tenant that may wait after a failed write before its calls are refused. Default 256. */
  readonly spoolMax?: number;
}

export type SqliteCallJournal = CallJournal & { stats(): JournalStats };

/**
 * The call journal on the writing worker of a client that `openSqlite` made. One journal a client. Here records are only
 * collected; encoding, numbering and commits happen in the worker.
 */
export function createSqliteCallJournal(dbClient: DbClient, options: SqliteCallJournalOptions): SqliteCallJournal {
  const { node, boot, now, leaseMs = 15_000, spoolMax = 256 } = options;
  if (node === '' || boot === '')
    throw new DbError('invalid', 'node_leases.node and node_leases.boot must not be empty');
  const { writer } = workersOf(dbClient);
  // A failure here shows at the first batch, for which this was needed.
  writer.send({ op: 'journal.open', node, boot, leaseMs }, () => undefined);
  const queue = new JournalQueue({
    now,
    spoolMax,
    post: (batch, settle) =>
      writer.send({ op: 'journal.write', batch: packBatch(batch) }, (error, answer) =>
        settle(error, answer as JournalAnswer),
      ),
  });
  void dbClient.failed.then((error) => queue.end(error));
  const renewal = setInterval(() => {
    writer.send({ op: 'journal.renew', now: now() }, () => undefined);
  }, leaseMs / 3).unref();

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    clearInterval(renewal);
    try {
      await queue.flush();
    } finally {
      queue.end(new DbError('unavailable', 'the call journal is closed'));
      await writer.request({ op: 'journal.close' });
    }
  }

  return {
    commitIntent: (draft, conditions) => queue.addIntent(draft, conditions),
    recordOutcome: (draft, settlement) => queue.addFollower(OUTCOME, draft, settlement),
    recordRefusal: (draft) => queue.addFollower(REFUSAL, draft),
    settling: (requestId) => queue.settling(requestId),
    flush: () => queue.flush(),
    lag: () => queue.lag(),
    recover: () => writer.request<number>({ op: 'journal.recover', now: now() }),
    stats: () => queue.stats(),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
