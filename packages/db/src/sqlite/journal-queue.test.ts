import { setImmediate as endOfTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import type { CallSettlement } from '../ports/call-journal.ts';
import { DbError } from '../ports/db-error.ts';
import { JournalQueue, type JournalQueueOptions } from './journal-queue.ts';
import { OUTCOME } from './protocol.ts';

/** A queue whose batches are answered by the test. */
function makeQueue() {
  const posted: number[] = [];
  const answers: Parameters<JournalQueueOptions['post']>[1][] = [];
  const post: JournalQueueOptions['post'] = (batch, settle) => {
    posted.push(batch.drafts.length);
    answers.push(settle);
  };
  const queue = new JournalQueue({ now: () => 0, spoolMax: 256, post });
  const add = (requestId: string) => void queue.addIntent(intentOf(requestId));
  return { queue, add, posted, answerOldest: () => answers.shift()?.(undefined, { refused: [] }) };
}

test('an intent that comes alone is posted at the end of its turn', async () => {
  const { add, posted } = makeQueue();
  add('r-1');
  expect(posted).toEqual([]);
  await endOfTurn();
  expect(posted).toEqual([1]);
});

test('intents of one turn go out together, a turn later at most', async () => {
  const { add, posted } = makeQueue();
  for (const id of ['r-1', 'r-2', 'r-3']) add(id);
  await endOfTurn();
  await endOfTurn();
  expect(posted).toEqual([3]);
});

test('while each turn brings intents they wait for three turns, and no longer', async () => {
  const { add, posted } = makeQueue();
  const turns: number[] = [];
  for (const turn of [1, 2, 3, 4]) {
    add(`r-${turn}-a`);
    add(`r-${turn}-b`);
    await endOfTurn();
    turns.push(posted.length);
  }
  expect(turns).toEqual([0, 0, 1, 1]);
  expect(posted).toEqual([6]);
});

test('what collects while a batch is under way goes out together after its answer', async () => {
  const { queue, add, posted, answerOldest } = makeQueue();
  add('r-1');
  await endOfTurn();
  for (const id of ['r-2', 'r-3']) {
    add(id);
    queue.addFollower(OUTCOME, outcomeOf('r-1'));
    await endOfTurn();
  }
  expect(posted).toEqual([1]);
  answerOldest();
  expect(posted).toEqual([1]);
  await endOfTurn();
  expect(posted).toEqual([1, 4]);
});

describe('stored answers', () => {
  const MEBIBYTE = 1_048_576;
  const settled = (bytes: number): CallSettlement => ({ claim: { to: 'succeeded', sealed: new Uint8Array(bytes) } });

  /** A queue with the bytes of answers in each batch; `answer` says how the oldest that is under way ended. */
  function makeAnswerQueue() {
    const posted: number[][] = [];
    const answers: Parameters<JournalQueueOptions['post']>[1][] = [];
    const post: JournalQueueOptions['post'] = ({ effects }, settle) => {
      posted.push([...(effects as Map<number, CallSettlement>).values()].map(answerBytes));
      answers.push(settle);
    };
    const queue = new JournalQueue({ now: () => 0, spoolMax: 256, post });
    const settle = (id: string, bytes: number) => queue.addFollower(OUTCOME, outcomeOf(id), settled(bytes));
    return { queue, settle, posted, answer: (error?: DbError) => answers.shift()?.(error, { refused: [] }) };
  }

  const answerBytes = ({ claim }: CallSettlement) =>
    claim !== undefined && 'sealed' in claim ? (claim.sealed?.byteLength ?? 0) : 0;

  test('go out in batches of four MiB, and alone where one is longer', () => {
    const { queue, settle, posted, answer } = makeAnswerQueue();
    for (const [index, mebibytes] of [1, 1, 2, 1, 1.5, 1.9, 1].entries()) settle(`r-${index}`, mebibytes * MEBIBYTE);
    const flushed = queue.flush();
    while (posted.length < 3) answer();
    answer();
    expect(posted.map((batch) => batch.map((bytes) => bytes / MEBIBYTE))).toEqual([
      [1, 1, 2],
      [1, 1.5],
      [1.9, 1],
    ]);
    return flushed;
  });

  test('that wait after a failed write are kept up to sixteen MiB, the oldest first; no outcome is lost', async () => {
    const { queue, settle, posted, answer } = makeAnswerQueue();
    for (let index = 0; index < 20; index += 1) settle(`r-${index}`, MEBIBYTE);
    const flushed = queue.flush();
    answer(new DbError('unavailable', 'the disk is full'));
    await expect(flushed).rejects.toMatchObject({ code: 'unavailable' });
    for (let index = 20; index < 25; index += 1) settle(`r-${index}`, MEBIBYTE);
    expect(queue.lag().entries).toBe(25);
    posted.length = 0;
    const again = queue.flush();
    for (let batch = 0; batch < 20; batch += 1) answer();
    await again;
    const kept = posted.flat().filter((bytes) => bytes > 0);
    expect([posted.flat().length, kept.length]).toEqual([25, 16]);
    expect(posted.flat().slice(0, 16)).toEqual(kept);
    expect(queue.settling('r-24')).toBeUndefined();
  });
});
