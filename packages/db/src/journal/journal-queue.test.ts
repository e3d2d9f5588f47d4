import { setImmediate as endOfTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import type { CallSettlement } from '../ports/call-journal.ts';
import { DbError } from '../ports/db-error.ts';
import { OUTCOME } from './batch.ts';
import { JournalQueue, type JournalQueueOptions } from './journal-queue.ts';

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

describe('a batch of which nobody knows whether it is stored', () => {
  const LOST = new DbError('unavailable', 'the connection broke');

  /** A queue that shows what each batch was, and whose batches are answered by the test. */
  function makeDoubtfulQueue() {
    const batches: string[][] = [];
    const answers: Parameters<JournalQueueOptions['post']>[1][] = [];
    const post: JournalQueueOptions['post'] = ({ drafts, kinds }, settle) => {
      batches.push(
        drafts.map((draft, index) => `${kinds[index]} ${draft.requestId} ${'result' in draft ? draft.result : ''}`),
      );
      answers.push(settle);
    };
    const queue = new JournalQueue({ now: () => 0, spoolMax: 256, post });
    const answer = (...values: Parameters<(typeof answers)[number]>) => answers.shift()?.(...values);
    const doubt = () => answer(undefined, { refused: [], doubt: 'the connection broke' });
    const lost = { lost: 'claim_lost', found: 'succeeded' } as const;
    const refused = [{ index: 1, error: { code: 'conflict', message: 'lost', condition: lost } as const }];
    return { queue, batches, answer, doubt, refused };
  }

  /** One refusal, and intents of which the second loses its key. */
  async function postAndDoubt() {
    const made = makeDoubtfulQueue();
    const { queue, doubt } = made;
    const intents = Promise.allSettled([queue.addIntent(intentOf('r-1')), queue.addIntent(intentOf('r-2'))]);
    queue.addFollower(OUTCOME, outcomeOf('r-0'));
    await endOfTurn();
    await endOfTurn();
    doubt();
    for (const result of await intents) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    }
    expect(queue.lag().entries).toBe(1);
    return made;
  }

  test('is asked about before anything else, also by an intent that comes meanwhile, which is refused while there is no answer', async () => {
    const { queue, batches, answer } = await postAndDoubt();
    const later = queue.addIntent(intentOf('r-3'));
    await endOfTurn();
    expect(batches.slice(1)).toEqual([[]]);
    answer(LOST, { refused: [] });
    await expect(later).rejects.toMatchObject({ code: 'unavailable' });
    expect(queue.lag().entries).toBe(1);
  });

  test('is not stored again when it was stored, and its intents are closed as not sent', async () => {
    const { queue, batches, answer, refused } = await postAndDoubt();
    const flushed = queue.flush();
    answer(undefined, { refused, wasStored: true });
    expect(batches.slice(1)).toEqual([[], ['1 r-1 not_sent']]);
    answer(undefined, { refused: [] });
    await flushed;
    expect(queue.stats()).toMatchObject({ commits: 2, lostIntents: 1 });
    expect(queue.lag().entries).toBe(0);
  });

  test('is stored again without its intents when it was not', async () => {
    const { queue, batches, answer } = await postAndDoubt();
    const flushed = queue.flush();
    const later = queue.addIntent(intentOf('r-3'));
    answer(undefined, { refused: [], wasStored: false });
    expect(batches.slice(1)).toEqual([[], ['1 r-0 done', '0 r-3 ']]);
    answer(undefined, { refused: [] });
    await Promise.all([flushed, later]);
    expect(queue.stats()).toMatchObject({ commits: 1, failedCommits: 1 });
  });

  test('counts for the share of its tenant that may wait', async () => {
    const made = makeDoubtfulQueue();
    const queue = made.queue;
    for (let count = 0; count < 300; count += 1) queue.addFollower(OUTCOME, outcomeOf(`r-${count}`));
    const flushed = queue.flush();
    made.doubt();
    await expect(flushed).rejects.toMatchObject({ code: 'unavailable' });
    await expect(queue.addIntent(intentOf('r-1'))).rejects.toThrow('wait to be written');
  });
});
