import { setImmediate as endOfTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
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
