/**
 * What a durable intent costs without everything around it: the call journal on its worker thread, with `synchronous=FULL`, as a
 * process of its own. An intent is closed by its outcome as in a call; the outcome rides on a later commit.
 */
import { randomUUID } from 'node:crypto';
import { createSqliteCallJournal, openSqlite } from '@postern/db';
import { createRequestIds } from '@postern/gateway/request-id';
import { answerQuestions } from '../ask.ts';
import { createHistogram } from '../histogram.ts';
import { readProcessTime, timeBetween } from '../measure-process.ts';
import { usualIntent } from '../usual-intent.ts';

/** `apart`: one intent at a time, the next `everyMs` after the one before, or at once when that is 0. `together`: so many callers at once, for `forMs`. */
export type CommitQuestion =
  | { readonly kind: 'apart'; readonly intents: number; readonly everyMs: number }
  | { readonly kind: 'together'; readonly callers: number; readonly forMs: number };

export interface CommitAnswer {
  readonly intents: number;
  readonly seconds: number;
  /** Bucket counts of `histogram.ts`: from handing an intent over until it is known to be durable. */
  readonly latencies: readonly number[];
  /** Entries (intents and outcomes) of one commit. */
  readonly entriesPerCommit: number;
  /** Processor time of one intent and its outcome, in microseconds. */
  readonly mainUs: number;
  readonly workerUs: number;
}

const db = await openSqlite({ file: process.env['COMMIT_FILE'] ?? '' });
const journal = createSqliteCallJournal(db, { node: 'bench', boot: randomUUID(), now: Date.now });
await journal.recover();
/** As the gateway makes them: others would lie anywhere in the log's index, and a commit would write more pages than it does. */
const newRequestId = createRequestIds(Date.now);

answerQuestions<CommitQuestion>((question) => measure(question));

async function measure(question: CommitQuestion): Promise<CommitAnswer> {
  const latencies = createHistogram();
  const [beganMs, stats, time] = [performance.now(), journal.stats(), readProcessTime(process.pid)];
  let intents = 0;

  async function commitOne(): Promise<void> {
    const requestId = newRequestId();
    const startedMs = performance.now();
    await journal.commitIntent(usualIntent(requestId));
    latencies.add((performance.now() - startedMs) * 1_000);
    journal.recordOutcome({ tenant: 'default', requestId, at: Date.now(), result: 'done', status: 200, latencyMs: 1 });
    intents += 1;
  }

  if (question.kind === 'apart') await commitApart(question, commitOne);
  else await commitTogether(question, commitOne);
  const seconds = (performance.now() - beganMs) / 1_000;
  await journal.flush();
  const after = journal.stats();
  const used = timeBetween(time, readProcessTime(process.pid));
  return {
    intents,
    seconds,
    latencies: latencies.counts(),
    entriesPerCommit: (after.records - stats.records) / (after.commits - stats.commits),
    mainUs: used.main / intents,
    workerUs: used.worker / intents,
  };
}

async function commitApart(
  { intents, everyMs }: { readonly intents: number; readonly everyMs: number },
  commitOne: () => Promise<void>,
): Promise<void> {
  const beganMs = performance.now();
  for (let index = 0; index < intents; index += 1) {
    const waitMs = beganMs + index * everyMs - performance.now();
    if (everyMs > 0 && waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    await commitOne();
  }
}

async function commitTogether(
  { callers, forMs }: { readonly callers: number; readonly forMs: number },
  commitOne: () => Promise<void>,
): Promise<void> {
  const endMs = performance.now() + forMs;
  const caller = async () => {
    while (performance.now() < endMs) await commitOne();
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

console.log('ready');
