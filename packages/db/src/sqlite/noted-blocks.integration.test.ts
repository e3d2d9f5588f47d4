import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_ENTRIES } from '../audit-terms.ts';
import { INSTANCE_SCOPE } from '../client.ts';
import type { JournalHarness } from '../conformance/harness.ts';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { runInTransaction } from '../transaction.ts';
import { createSqliteCallJournal, type SqliteCallJournal } from './call-journal.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

let harness: JournalHarness;
let journal: SqliteCallJournal;
let calls: number;

beforeEach(async () => {
  harness = await makeSqliteHarness();
  journal = createSqliteCallJournal(harness.client, { node: 'node', boot: 'boot', now: () => harness.clock.nowMs });
  calls = 0;
});
afterEach(() => harness.close());

/** Two entries each; `change` by number. */
async function makeCalls(count: number, change: (call: number) => object = () => ({})): Promise<void> {
  const numbers = Array.from({ length: count }, () => ++calls);
  await Promise.all(numbers.map((call) => journal.commitIntent(intentOf(`r-${call}`, { at: call, ...change(call) }))));
  for (const call of numbers)
    journal.recordOutcome(outcomeOf(`r-${call}`, { at: call + 7, ...tenantOf(change(call)) }));
  await journal.flush();
}

function tenantOf(change: { readonly tenant?: string }): { tenant?: string } {
  return change.tenant === undefined ? {} : { tenant: change.tenant };
}

function blocks(): Promise<readonly { block: number }[]> {
  return harness.client
    .points(INSTANCE_SCOPE)
    .selectFrom('audit_blocks')
    .selectAll()
    .orderBy('log')
    .orderBy('block')
    .execute();
}

async function summaries(): Promise<object> {
  const terms = await harness.client
    .points(INSTANCE_SCOPE)
    .selectFrom('audit_block_terms')
    .selectAll()
    .orderBy('log')
    .orderBy('block')
    .orderBy('field')
    .execute();
  return { blocks: await blocks(), terms };
}

/** As read from the entries. */
async function summariesAnew(): Promise<object> {
  const writes = harness.client.writes(INSTANCE_SCOPE);
  for (const table of ['audit_blocks', 'audit_block_terms', 'audit_spans', 'audit_span_terms'] as const) {
    await writes.deleteFrom(table).execute();
  }
  return summariseAll();
}

async function summariseAll(): Promise<object> {
  while ((await harness.repositories.audit.summarise(1_000)) > 0);
  return summaries();
}

/** As an administrator's change: in a transaction of its own, which may not be committed. */
async function change(isKept: boolean): Promise<void> {
  const { audit } = harness.repositories;
  const changing = runInTransaction(harness.client, async (context) => {
    await audit.append({ at: 5, tenant: 'acme', type: 'denied', agent: 'admin' }, context);
    if (!isKept) throw new Error('not kept');
  });
  await changing.catch(() => undefined);
}

describe('a block whose entries come through the journal', () => {
  test('is summarised in the commit of its last entry, as it would be from the entries', async () => {
    await makeCalls(1_300, (call) => ({
      agent: `agent-${call % 7}`,
      integration: call % 3 === 0 ? 'github' : 'slack',
      ...(call % 5 === 0 ? { action: undefined } : {}),
      at: (call * 37) % 1_000,
    }));
    expect((await blocks()).map(({ block }) => block)).toEqual([0, 1]);
    const noted = await summaries();
    expect(await harness.repositories.audit.summarise(10)).toBe(0);
    expect(await summariesAnew()).toEqual(noted);
  });

  test('is summarised log by log', async () => {
    await makeCalls(1_100, (call) => ({ tenant: call % 2 === 0 ? 'acme' : 'beta', agent: `agent-${call % 9}` }));
    expect((await blocks()).map(({ block }) => block)).toEqual([0, 0]);
    const noted = await summaries();
    expect(await summariesAnew()).toEqual(noted);
  });

  test('is read where a change of the configuration lies in it; the next one is not', async () => {
    await makeCalls(100);
    await change(true);
    await makeCalls(1_000);
    expect((await blocks()).map(({ block }) => block)).toEqual([1]);
    expect(await harness.repositories.audit.summarise(1_000)).toBe(1);
    const all = await summaries();
    expect((await blocks()).map(({ block }) => block)).toEqual([0, 1]);
    expect(await summariesAnew()).toEqual(all);
  });

  test('is noted on where a change was not kept', async () => {
    await makeCalls(100);
    await change(false);
    await makeCalls(500);
    expect((await blocks()).map(({ block }) => block)).toEqual([0]);
    const noted = await summaries();
    expect(await summariesAnew()).toEqual(noted);
  });

  test('is read where a value may not stand in the entry as it was given', async () => {
    await makeCalls(100);
    await makeCalls(1, () => ({ action: 'a'.repeat(76), url: 'u'.repeat(70_000) }));
    await makeCalls(500);
    expect(await blocks()).toEqual([]);
    expect(await harness.repositories.audit.summarise(10)).toBe(1);
  });

  test('another process on the file leaves it to be read', async () => {
    await makeCalls(100);
    const other = await harness.openJournal({ node: 'other' });
    await other.commitIntent(intentOf('of another'));
    await makeCalls(500);
    expect(await blocks()).toEqual([]);
    expect(await harness.repositories.audit.summarise(10)).toBe(1);
  });
});

const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('calls' as const), count: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('change' as const), isKept: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: 'refused' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'summarise' as const }) },
);

test('whatever happens between the calls, what is noted is what stands in the log', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 12, maxLength: 20 }), fc.nat(), async (steps, seed) => {
      for (const step of steps) {
        if (step.do === 'calls') await makeCalls(step.count, (call) => ({ agent: `agent-${(call * seed) % 11}` }));
        else if (step.do === 'change') await change(step.isKept);
        else if (step.do === 'summarise') await harness.repositories.audit.summarise(2);
        else await refusedAmongOthers();
      }
      const all = await summariseAll();
      expect(await summariesAnew()).toEqual(all);
    }),
    { numRuns: 6 },
  );
}, 60_000);

/** One record of a batch cannot be stored: its neighbours are, each for itself. */
async function refusedAmongOthers(): Promise<void> {
  const again = intentOf(`r-${++calls}`);
  const committing = [again, intentOf(`r-${++calls}`), again, intentOf(`r-${++calls}`)].map((draft) =>
    journal.commitIntent(draft),
  );
  const results = await Promise.allSettled(committing);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
}

test('a block may hold more entries than a commit', async () => {
  await makeCalls(BLOCK_ENTRIES);
  expect((await blocks()).map(({ block }) => block)).toEqual([0, 1]);
});
