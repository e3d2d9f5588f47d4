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

  const answerBytes = ({ claim }: CallSettlement) =>
    claim !== undefined && 'sealed' in claim ? (claim.sealed?.byteLength ?? 0) : 0;

  /** A queue that remembers, of each batch that was stored, the bytes of its answers. */
  function makeAnswerQueue() {
    const stored: number[][] = [];
    const underWay: { bytes: number[]; settle: Parameters<JournalQueueOptions['post']>[1] }[] = [];
    const post: JournalQueueOptions['post'] = ({ effects }, settle) => {
      underWay.push({ bytes: [...(effects as Map<number, CallSettlement>).values()].map(answerBytes), settle });
    };
    const queue = new JournalQueue({ now: () => 0, spoolMax: 256, post });
    const settle = (id: string, bytes: number) => queue.addFollower(OUTCOME, outcomeOf(id), settled(bytes));
    const fail = () => underWay.shift()?.settle(new DbError('unavailable', 'the disk is full'), { refused: [] });
    const storeAll = () => {
      for (let batch = underWay.shift(); batch !== undefined; batch = underWay.shift()) {
        stored.push(batch.bytes);
        batch.settle(undefined, { refused: [] });
      }
    };
    return { queue, settle, stored, fail, storeAll };
  }

  test('go out in batches of four MiB, and are none above the limit of one', async () => {
    const { queue, settle, stored, storeAll } = makeAnswerQueue();
    for (const [index, mebibytes] of [1, 1, 2, 1, 1.5, 1.75, 5, 5, 1].entries())
      settle(`r-${index}`, mebibytes * MEBIBYTE);
    const flushed = queue.flush();
    storeAll();
    await flushed;
    // The limit of one answer is below that of a batch; those above it are none.
    const inMebibytes = stored.map((batch) => batch.map((bytes) => bytes / MEBIBYTE));
    expect(inMebibytes).toEqual([
      [1, 1, 2],
      [1, 1.5],
      [1.75, 0, 0, 1],
    ]);
  });

  test('that wait after a failed write are kept up to sixteen MiB, the oldest first; no outcome is lost', async () => {
    const { queue, settle, stored, fail, storeAll } = makeAnswerQueue();
    for (let index = 0; index < 20; index += 1) settle(`r-${index}`, MEBIBYTE);
    const flushed = queue.flush();
    fail();
    await expect(flushed).rejects.toMatchObject({ code: 'unavailable' });
    for (let index = 20; index < 25; index += 1) settle(`r-${index}`, MEBIBYTE);
    expect(queue.lag().entries).toBe(25);
    const again = queue.flush();
    storeAll();
    await again;
    const bytes = stored.flat();
    expect(bytes).toHaveLength(25);
    expect(bytes.slice(0, 16)).toEqual(Array(16).fill(MEBIBYTE));
    // Besides those that wait, one batch may be under way.
    expect(bytes.filter((each) => each > 0).length).toBeLessThanOrEqual(20);
    expect(queue.settling('r-24')).toBeUndefined();
  });
});
