import type { CallJournal } from '../ports/call-journal.ts';
import { DbError } from '../ports/db-error.ts';
import { type JournalAnswer, type JournalOperation, OUTCOME, REFUSAL } from './batch.ts';
import { JournalQueue, type JournalStats } from './journal-queue.ts';
import { packBatch } from './pack-batch.ts';

export interface CallJournalOptions {
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
  /** A tenant's own, where it has one. */
  readonly spoolMaxOf?: (tenant: string) => number | undefined;
}

export type CountingCallJournal = CallJournal & { stats(): JournalStats };

/** The worker in which the journal's transactions are made. */
export interface JournalWorker {
  request<T>(operation: JournalOperation): Promise<T>;
  send(operation: JournalOperation, settle: (error: DbError | undefined, value: unknown) => void): void;
  /** Resolves when it died without being closed. */
  readonly failed: Promise<DbError>;
}

/** The main thread's half of a call journal: here records are only collected; encoding, numbering and commits happen in the worker. */
export function createCallJournal(worker: JournalWorker, options: CallJournalOptions): CountingCallJournal {
  const { node, boot, now, leaseMs = 15_000, spoolMax = 256, spoolMaxOf } = options;
  if (node === '' || boot === '')
    throw new DbError('invalid', 'node_leases.node and node_leases.boot must not be empty');
  // A failure here shows at the first batch, for which this was needed.
  worker.send({ op: 'journal.open', node, boot, leaseMs }, () => undefined);
  const queue = new JournalQueue({
    now,
    spoolMax,
    spoolMaxOf,
    post: (batch, settle) =>
      worker.send({ op: 'journal.write', batch: packBatch(batch) }, (error, answer) =>
        settle(error, answer as JournalAnswer),
      ),
  });
  void worker.failed.then((error) => queue.end(error));
  const renewal = setInterval(() => {
    worker.send({ op: 'journal.renew', now: now() }, () => undefined);
  }, leaseMs / 3).unref();

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    clearInterval(renewal);
    try {
      await queue.flush();
    } finally {
      queue.end(new DbError('unavailable', 'the call journal is closed'));
      await worker.request({ op: 'journal.close' });
    }
  }

  return {
    commitIntent: (draft, conditions) => queue.addIntent(draft, conditions),
    recordOutcome: (draft, settlement) => queue.addFollower(OUTCOME, draft, settlement),
    recordRefusal: (draft) => queue.addFollower(REFUSAL, draft),
    settling: (requestId) => queue.settling(requestId),
    flush: () => queue.flush(),
    lag: () => queue.lag(),
    recover: () => worker.request<number>({ op: 'journal.recover', now: now() }),
    stats: () => queue.stats(),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
