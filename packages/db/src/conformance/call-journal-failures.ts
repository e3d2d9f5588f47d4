import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BreakableHarness, MakeBreakableHarness } from './harness.ts';
import { commit, findClaim, takeOf } from './held-calls.ts';
import { countOutcomes, intentOf, outcomeOf, readLog } from './journal-calls.ts';

/** Refusals of a tenant that are kept one by one; the adapter may keep more. */
const MANY_REFUSALS = 5_000;

export function describeCallJournalFailures(makeHarness: MakeBreakableHarness): void {
  describe('the call journal on a store that cannot be written', () => {
    let harness: BreakableHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    test('an intent is refused, and nothing of it is ever stored', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-0'));
      await harness.breakStore();
      const results = await Promise.allSettled(['r-1', 'r-2'].map((id) => journal.commitIntent(intentOf(id))));
      for (const result of results)
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      await harness.mendStore();
      await journal.commitIntent(intentOf('r-3'));
      expect((await readLog(harness.repositories)).map((entry) => entry.requestId)).toEqual(['r-0', 'r-3']);
    });

    test('outcomes and refusals are kept and stored in their order, without another call', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-1'));
      await harness.breakStore();
      journal.recordOutcome(outcomeOf('r-1'));
      journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r-2' });
      await vi.waitFor(() => expect(journal.stats().failedCommits).toBeGreaterThan(1));
      journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r-3' });
      expect(journal.lag().entries).toBe(3);
      await expect(journal.flush()).rejects.toMatchObject({ code: 'unavailable' });
      await harness.mendStore();
      await vi.waitFor(() => expect(journal.lag().entries).toBe(0), { timeout: 5_000 });
      const log = await readLog(harness.repositories);
      expect(log.map((entry) => entry.requestId)).toEqual(['r-1', 'r-1', 'r-2', 'r-3']);
      expect(countOutcomes(log)).toEqual(new Map([['r-1', 1]]));
    });

    test('a call that could not be stored has taken no key', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-0'));
      await harness.breakStore();
      await expect(commit(journal, 'r-1', { claim: takeOf() })).rejects.toMatchObject({ code: 'unavailable' });
      await harness.mendStore();
      expect(await findClaim(harness)).toBeUndefined();
      await commit(journal, 'r-2', { claim: takeOf() });
      expect(await findClaim(harness)).toMatchObject({ requestId: 'r-2', fence: 1 });
    });

    test('a claim whose outcome waits is being sent still, and settled with its answer later', async () => {
      const journal = await harness.openJournal();
      await commit(journal, 'r-1', { claim: takeOf() });
      await harness.breakStore();
      journal.recordOutcome(outcomeOf('r-1'), { claim: { to: 'succeeded', sealed: new Uint8Array(9_000) } });
      await expect(journal.settling('r-1')).rejects.toMatchObject({ code: 'unavailable' });
      expect(await findClaim(harness)).toMatchObject({ state: 'dispatching' });
      await harness.mendStore();
      await vi.waitFor(() => expect(journal.settling('r-1')).toBeUndefined(), { timeout: 5_000 });
      expect(await findClaim(harness)).toMatchObject({ state: 'succeeded', answer: { bytes: 9_000 } });
    });

    test('what is kept is stored before the next call', async () => {
      const journal = await harness.openJournal();
      await journal.commitIntent(intentOf('r-1'));
      await harness.breakStore();
      journal.recordOutcome(outcomeOf('r-1'));
      await expect(journal.commitIntent(intentOf('r-2'))).rejects.toMatchObject({ code: 'unavailable' });
      await harness.mendStore();
      await journal.commitIntent(intentOf('r-3'));
      const log = await readLog(harness.repositories);
      expect(log.map((entry) => `${entry.type} ${entry.requestId}`)).toEqual([
        'intent r-1',
        'outcome r-1',
        'intent r-3',
      ]);
    });

    test('calls of a tenant are refused at once when more than its share waits, and only of that tenant', async () => {
      const journal = await harness.openJournal({ spoolMax: 3 });
      await harness.breakStore();
      const record = () => journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied' });
      for (let count = 0; count < 3; count++) record();
      await expect(journal.flush()).rejects.toMatchObject({ code: 'unavailable' });
      const tried = { code: 'unavailable', message: expect.stringContaining('cannot be written') };
      const refusedAtOnce = { code: 'unavailable', message: expect.stringContaining('wait to be written') };
      await expect(journal.commitIntent(intentOf('r-1'))).rejects.toMatchObject(tried);
      record();
      await expect(journal.commitIntent(intentOf('r-2'))).rejects.toMatchObject(refusedAtOnce);
      await expect(journal.commitIntent(intentOf('r-3', { tenant: 'beta' }))).rejects.toMatchObject(tried);
      await harness.mendStore();
      await vi.waitFor(() => journal.commitIntent(intentOf('r-4')), { timeout: 5_000 });
      expect((await readLog(harness.repositories)).map((entry) => entry.type)).toEqual([
        ...Array(4).fill('denied'),
        'intent',
      ]);
    });

    test('a tenant’s share is its own where it has one', async () => {
      const spoolMaxOf = (tenant: string) => (tenant === 'acme' ? 1 : undefined);
      const journal = await harness.openJournal({ spoolMax: 3, spoolMaxOf });
      await harness.breakStore();
      for (const tenant of ['acme', 'acme', 'beta', 'beta']) journal.recordRefusal({ at: 1, tenant, type: 'denied' });
      await expect(journal.flush()).rejects.toMatchObject({ code: 'unavailable' });
      const refusal = (tenant: string) => journal.commitIntent(intentOf(`r-${tenant}`, { tenant }));
      await expect(refusal('acme')).rejects.toThrow('wait to be written');
      await expect(refusal('beta')).rejects.toThrow('cannot be written');
    });

    test('a flood of refusals is counted rather than kept without end', async () => {
      const journal = await harness.openJournal();
      await harness.breakStore();
      journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied' });
      await expect(journal.flush()).rejects.toMatchObject({ code: 'unavailable' });
      for (let count = 1; count < MANY_REFUSALS; count++)
        journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied' });
      expect(journal.lag().entries).toBeLessThan(MANY_REFUSALS);
      await harness.mendStore();
      await vi.waitFor(() => expect(journal.lag().entries).toBe(0), { timeout: 5_000 });
      const log = await readLog(harness.repositories);
      expect(log.length).toBeLessThan(MANY_REFUSALS);
      expect(log.reduce((sum, entry) => sum + (entry.count ?? 1), 0)).toBe(MANY_REFUSALS);
    });

    test('recovery on a store that cannot be written closes nothing, and all of it later', async () => {
      const before = await harness.openJournal({ node: 'one', boot: 'boot-1' });
      await before.commitIntent(intentOf('r-1'));
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      await harness.breakStore();
      await expect(after.recover()).rejects.toMatchObject({ code: 'unavailable' });
      await harness.mendStore();
      expect(await after.recover()).toBe(1);
      expect(countOutcomes(await readLog(harness.repositories))).toEqual(new Map([['r-1', 1]]));
    });

    test('a transaction fails as a whole', async () => {
      await harness.breakStore();
      await expect(harness.repositories.tenants.create('acme')).rejects.toMatchObject({ code: 'unavailable' });
      await harness.mendStore();
      expect(await harness.repositories.tenants.getByName('acme')).toBeUndefined();
      await harness.repositories.tenants.create('acme');
    });
  });
}
