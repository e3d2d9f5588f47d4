import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { runInTransaction } from '../transaction.ts';
import type { JournalHarness, MakeJournalHarness } from './harness.ts';
import { countOutcomes, intentOf, outcomeOf, readLog } from './journal-calls.ts';

const range = (length: number) => Array.from({ length }, (_, index) => index);

export function describeCallJournal(makeHarness: MakeJournalHarness): void {
  describe('the call journal', () => {
    let harness: JournalHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    test('an intent is in the log when its promise resolves', async () => {
      const journal = await harness.openJournal({ node: 'node-1' });
      await journal.commitIntent(intentOf('r-1', { intent: 'to read', addresses: ['192.0.2.1'] }));
      const [entry] = await readLog(harness.repositories);
      expect(entry).toMatchObject({
        ...intentOf('r-1', { intent: 'to read', addresses: ['192.0.2.1'] }),
        v: 1,
        type: 'intent',
        node: 'node-1',
      });
    });

    test('an outcome closes its intent and repeats what call it was', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-1'));
      journal.recordOutcome(outcomeOf('r-1', { attempt: 2, code: 'upstream_timeout', result: 'unknown' }));
      await journal.flush();
      const [intent, outcome] = await readLog(harness.repositories);
      const { agent, environment, integration, action, kind, method, url, decision, policyVersion } = intentOf('r-1');
      expect(outcome).toMatchObject({
        ...{ agent, environment, integration, action, kind, method, url, decision, policyVersion },
        ...outcomeOf('r-1', { attempt: 2, code: 'upstream_timeout', result: 'unknown' }),
        type: 'outcome',
        node: intent?.node,
      });
    });

    test('outcomes and refusals need no intent to ride on', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-1'));
      journal.recordOutcome(outcomeOf('r-1'));
      journal.recordRefusal({
        at: 3_000,
        tenant: 'acme',
        type: 'denied',
        requestId: 'r-2',
        reason: 'no rule allows it',
      });
      await vi.waitFor(() => expect(journal.lag().entries).toBe(0));
      expect((await readLog(harness.repositories)).map((entry) => entry.type)).toEqual(['intent', 'outcome', 'denied']);
    });

    test('64 intents at once share few commits, and their outcomes need none of their own', async () => {
      const journal = await harness.openJournal();
      const ids = range(64).map((index) => `r-${index}`);
      await Promise.all(ids.map((id) => journal.commitIntent(intentOf(id))));
      const afterIntents = journal.stats().commits;
      expect(afterIntents).toBeLessThanOrEqual(2);
      for (const id of ids) journal.recordOutcome(outcomeOf(id));
      await journal.commitIntent(intentOf('r-last'));
      expect(journal.stats().commits - afterIntents).toBe(1);
      expect(await readLog(harness.repositories)).toHaveLength(129);
    });

    test('one commit takes any number of records, of any tenants', async () => {
      const journal = await harness.openJournal();
      const intents = range(3_000).map((index) =>
        intentOf(`r-${index}`, { tenant: index % 3 === 0 ? 'acme' : 'beta' }),
      );
      await Promise.all(intents.map((intent) => journal.commitIntent(intent)));
      expect(await readLog(harness.repositories, 'acme')).toHaveLength(1_000);
      expect(await readLog(harness.repositories, 'beta')).toHaveLength(2_000);
    });

    test('calls, outcomes, refusals and administrative entries of two processes share one numbering', async () => {
      const [one, two] = [await harness.openJournal({ node: 'one' }), await harness.openJournal({ node: 'two' })];
      const call = async (journal: typeof one, requestId: string) => {
        await journal.commitIntent(intentOf(requestId));
        journal.recordOutcome(outcomeOf(requestId));
        journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: `${requestId}-denied` });
      };
      const administer = () =>
        runInTransaction(harness.client, (context) =>
          harness.repositories.audit.append({ at: 1, tenant: 'acme', type: 'admin.updated' }, context),
        );
      await Promise.all(
        range(40).flatMap((index) => [call(one, `one-${index}`), call(two, `two-${index}`), administer()]),
      );
      await Promise.all([one.flush(), two.flush()]);
      const log = await readLog(harness.repositories);
      expect(log).toHaveLength(80 * 3 + 40);
      expect([...countOutcomes(log).values()]).toEqual(Array(80).fill(1));
    });

    test('a batch that meets an open transaction waits for it and is stored', async () => {
      const journal = await harness.openJournal();
      let committed: Promise<void> = Promise.resolve();
      await runInTransaction(harness.client, async (context) => {
        committed = journal.commitIntent(intentOf('r-1'));
        await harness.repositories.audit.append({ at: 1, tenant: 'acme', type: 'export' }, context);
      });
      await committed;
      expect((await readLog(harness.repositories)).map((entry) => entry.type)).toEqual(['export', 'intent']);
    });

    test('a refusal is stored whatever request id it has', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-1'));
      for (const _ of range(3)) journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r-1' });
      await journal.flush();
      expect(await readLog(harness.repositories)).toHaveLength(4);
    });

    test('a second intent of an open request id is refused, and its neighbours are stored', async () => {
      const journal = await harness.openJournal();
      const results = await Promise.allSettled(
        ['r-1', 'r-1', 'r-2'].map((requestId) => journal.commitIntent(intentOf(requestId))),
      );
      expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'conflict' } });
      expect((await readLog(harness.repositories)).map((entry) => entry.requestId)).toEqual(['r-1', 'r-2']);
    });

    test('one record that cannot be stored does not sink its neighbours', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-0'));
      journal.recordOutcome(outcomeOf('r-0', { latencyMs: Number.NaN }));
      journal.recordRefusal({ at: 1.5, tenant: 'acme', type: 'denied' });
      journal.recordRefusal({ at: 1, tenant: '', type: 'denied' });
      const results = await Promise.allSettled([
        journal.commitIntent(intentOf('r-1')),
        journal.commitIntent(intentOf('r-2', { at: 0.5 })),
        journal.commitIntent(intentOf('', { tenant: '' })),
        journal.commitIntent(intentOf('r-3')),
      ]);
      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
      expect(results[1]).toMatchObject({ reason: { code: 'invalid' } });
      const log = await readLog(harness.repositories);
      // The outcome and the refusal have left a trace; the one without a tenant has no log.
      expect(log.map((entry) => [entry.type, entry.result])).toEqual([
        ['intent', undefined],
        ['outcome', 'unknown'],
        ['violation', undefined],
        ['intent', undefined],
        ['intent', undefined],
      ]);
    });

    test('an outcome without an open intent is kept, but closes nothing twice', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-1'));
      journal.recordOutcome(outcomeOf('r-1'));
      journal.recordOutcome(outcomeOf('r-1', { status: 500 }));
      journal.recordOutcome(outcomeOf('never-begun'));
      await journal.commitIntent(intentOf('r-2', { tenant: 'beta' }));
      journal.recordOutcome(outcomeOf('r-2', { tenant: 'acme' }));
      await journal.flush();
      const log = await readLog(harness.repositories);
      expect(countOutcomes(log)).toEqual(new Map([['r-1', 1]]));
      const late = log.filter((entry) => entry.type === 'violation');
      expect(late.map((entry) => entry.requestId)).toEqual(['r-1', 'never-begun', 'r-2']);
      expect(late[0]).toMatchObject({ status: 500, result: 'done' });
    });

    test('lag tells how much waits and how old it is', async () => {
      const journal = await harness.openJournal();
      expect(journal.lag()).toEqual({ entries: 0, oldestMs: 0 });
      harness.clock.nowMs = 5_000;
      const committed = journal.commitIntent(intentOf('r-1', { at: 4_000 }));
      journal.recordRefusal({ at: 4_500, tenant: 'acme', type: 'denied' });
      expect(journal.lag()).toEqual({ entries: 2, oldestMs: 1_000 });
      await committed;
      expect(journal.lag()).toEqual({ entries: 0, oldestMs: 0 });
    });

    test('closing makes durable what was handed over, and takes nothing more', async () => {
      const journal = await harness.openJournal();
      const committed = journal.commitIntent(intentOf('r-1'));
      journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied' });
      await Promise.all([journal.close(), journal.close()]);
      await committed;
      await expect(journal.commitIntent(intentOf('r-2'))).rejects.toMatchObject({ code: 'unavailable' });
      expect(() => journal.recordOutcome(outcomeOf('r-1'))).not.toThrow();
      expect(await readLog(harness.repositories)).toHaveLength(2);
    });
  });
}

export function describeCallJournalRecovery(makeHarness: MakeJournalHarness): void {
  describe('recovery of calls', () => {
    let harness: JournalHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      harness.clock.nowMs = 100_000;
    });
    afterEach(() => harness.close());

    test('what an earlier boot of the node left open is closed once as unknown', async () => {
      const before = await harness.openJournal({ node: 'one', boot: 'boot-1' });
      await Promise.all(['r-1', 'r-2', 'r-3'].map((id) => before.commitIntent(intentOf(id))));
      before.recordOutcome(outcomeOf('r-2'));
      await before.flush();
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      expect(await after.recover()).toBe(2);
      expect(await after.recover()).toBe(0);
      const log = await readLog(harness.repositories);
      expect(countOutcomes(log)).toEqual(new Map(['r-1', 'r-2', 'r-3'].map((id) => [id, 1])));
      const { agent, integration, action, method, url, policyVersion } = intentOf('r-3');
      expect(log.at(-1)).toMatchObject({
        ...{ agent, integration, action, method, url, policyVersion },
        type: 'outcome',
        requestId: 'r-3',
        result: 'unknown',
        at: 100_000,
        node: 'one',
      });
    });

    test('calls of the running boot are left alone, and closed by it', async () => {
      const journal = await harness.openJournal({ node: 'one', boot: 'boot-1' });
      await journal.commitIntent(intentOf('r-1'));
      expect(await journal.recover()).toBe(0);
      journal.recordOutcome(outcomeOf('r-1'));
      await journal.flush();
      expect((await readLog(harness.repositories)).at(-1)).toMatchObject({ type: 'outcome', result: 'done' });
    });

    test('another node’s calls are left alone up to the end of its lease, and closed from there on', async () => {
      const one = await harness.openJournal({ node: 'one', leaseMs: 15_000 });
      const two = await harness.openJournal({ node: 'two', leaseMs: 15_000 });
      await one.recover();
      await one.commitIntent(intentOf('r-1'));
      harness.clock.nowMs += 14_999;
      expect(await two.recover()).toBe(0);
      harness.clock.nowMs += 1;
      expect(await two.recover()).toBe(1);
      one.recordOutcome(outcomeOf('r-1'));
      await one.flush();
      const log = await readLog(harness.repositories);
      expect(countOutcomes(log)).toEqual(new Map([['r-1', 1]]));
      expect(log.at(-1)).toMatchObject({ type: 'violation', requestId: 'r-1', result: 'done' });
    });

    test('a node that works keeps its lease', async () => {
      const one = await harness.openJournal({ node: 'one', leaseMs: 15_000 });
      const two = await harness.openJournal({ node: 'two', leaseMs: 15_000 });
      await one.commitIntent(intentOf('r-1'));
      harness.clock.nowMs += 14_000;
      await one.commitIntent(intentOf('r-2'));
      harness.clock.nowMs += 14_000;
      expect(await two.recover()).toBe(0);
    });

    test('a node that waits for a long call keeps its lease', async () => {
      const one = await harness.openJournal({ node: 'one', leaseMs: 60 });
      const two = await harness.openJournal({ node: 'two', leaseMs: 15_000 });
      await one.commitIntent(intentOf('r-1'));
      harness.clock.nowMs += 59;
      const leaseUntil = async () => {
        const lease = await harness.client
          .points(INSTANCE_SCOPE)
          .selectFrom('node_leases')
          .selectAll()
          .executeTakeFirst();
        return lease?.lease_until;
      };
      await vi.waitFor(async () => expect(await leaseUntil()).toBe(harness.clock.nowMs + 60));
      harness.clock.nowMs += 59;
      expect(await two.recover()).toBe(0);
    });

    test('a closed journal has given its lease back', async () => {
      const one = await harness.openJournal({ node: 'one' });
      const two = await harness.openJournal({ node: 'two' });
      await one.commitIntent(intentOf('r-1'));
      await one.close();
      expect(await two.recover()).toBe(1);
    });

    test('nodes that recover at once close each call once', async () => {
      const dead = await harness.openJournal({ node: 'dead' });
      const ids = range(1_200).map((index) => `r-${index}`);
      await Promise.all(ids.map((id) => dead.commitIntent(intentOf(id))));
      harness.clock.nowMs += 15_000;
      const nodes = await Promise.all(['one', 'two', 'three'].map((node) => harness.openJournal({ node })));
      const counts = await Promise.all(nodes.map((node) => node.recover()));
      expect(counts.reduce((sum, count) => sum + count)).toBe(1_200);
      const log = await readLog(harness.repositories);
      expect([...countOutcomes(log).values()]).toEqual(Array(1_200).fill(1));
    });

    test('an intent that cannot be read any more is closed all the same', async () => {
      const before = await harness.openJournal({ node: 'one', boot: 'boot-1' });
      await before.commitIntent(intentOf('r-1'));
      await harness.client.writes(INSTANCE_SCOPE).updateTable('audit_entries').set({ entry: '{' }).execute();
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      expect(await after.recover()).toBe(1);
      const outcome = await harness.repositories.audit.query('acme', { limit: 1 });
      expect(outcome.items[0]).toMatchObject({ type: 'outcome', requestId: 'r-1', result: 'unknown' });
    });
  });
}
