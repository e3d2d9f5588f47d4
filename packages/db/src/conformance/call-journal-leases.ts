import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { JournalHarness, MakeJournalHarness } from './harness.ts';
import { countOutcomes, intentOf, outcomeOf, readLog } from './journal-calls.ts';

const LEASE_MS = 15_000;
/** More than a third of a lease, so that the next record renews it. */
const LATER_MS = 6_000;

export function describeCallJournalLeases(makeHarness: MakeJournalHarness): void {
  describe('the calls of a boot over the terms of its lease', () => {
    let harness: JournalHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      harness.clock.nowMs = 100_000;
    });
    afterEach(() => harness.close());

    const expectOneOutcomeEach = async (tenant: string, ids: readonly string[]) => {
      const outcomes = countOutcomes(await readLog(harness.repositories, tenant));
      expect([...outcomes].sort()).toEqual(ids.map((id) => [id, 1]).sort());
    };

    test('a call that outlives terms of the lease is closed by its outcome, and recovery leaves it alone', async () => {
      const before = await harness.openJournal({ node: 'one', boot: 'boot-1' });
      await before.commitIntent(intentOf('r-long'));
      for (const id of ['r-1', 'r-2', 'r-3']) {
        harness.clock.nowMs += LATER_MS;
        await before.commitIntent(intentOf(id));
        before.recordOutcome(outcomeOf(id));
      }
      before.recordOutcome(outcomeOf('r-long'));
      await before.flush();
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      expect(await after.recover()).toBe(0);
      await expectOneOutcomeEach('acme', ['r-long', 'r-1', 'r-2', 'r-3']);
    });

    test('recovery closes each call that is open, from whichever term it is', async () => {
      const before = await harness.openJournal({ node: 'one', boot: 'boot-1' });
      const ids = ['r-1', 'r-2', 'r-3', 'r-4'];
      for (const id of ids) {
        await before.commitIntent(intentOf(id));
        await before.commitIntent(intentOf(`${id}-of-beta`, { tenant: 'beta' }));
        harness.clock.nowMs += LATER_MS;
      }
      // Its intent lies before the last renewal, its outcome after it.
      before.recordOutcome(outcomeOf('r-2'));
      await before.flush();
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      expect(await after.recover()).toBe(7);
      expect(await after.recover()).toBe(0);
      await expectOneOutcomeEach('acme', ids);
      await expectOneOutcomeEach(
        'beta',
        ids.map((id) => `${id}-of-beta`),
      );
    });

    test('an outcome in the commit that renews the lease closes its call', async () => {
      const before = await harness.openJournal({ node: 'one', boot: 'boot-1' });
      await before.commitIntent(intentOf('r-1'));
      harness.clock.nowMs += LATER_MS;
      before.recordOutcome(outcomeOf('r-1'));
      await before.commitIntent(intentOf('r-2'));
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      expect(await after.recover()).toBe(1);
      await expectOneOutcomeEach('acme', ['r-1', 'r-2']);
    });

    test('recovery closes calls of the boot that is over and of no other', async () => {
      const [dead, alive] = [await harness.openJournal({ node: 'dead' }), await harness.openJournal({ node: 'alive' })];
      const ids = ['1', '2', '3'];
      for (const id of ids) {
        await Promise.all([dead.commitIntent(intentOf(`dead-${id}`)), alive.commitIntent(intentOf(`alive-${id}`))]);
        harness.clock.nowMs += LATER_MS;
      }
      harness.clock.nowMs += LEASE_MS - LATER_MS - 1;
      await alive.commitIntent(intentOf('alive-4'));
      harness.clock.nowMs += 1;
      expect(await alive.recover()).toBe(3);
      for (const id of [...ids, '4']) alive.recordOutcome(outcomeOf(`alive-${id}`));
      await alive.flush();
      const log = await readLog(harness.repositories);
      expect(log.filter((entry) => entry.result === 'unknown').map((entry) => entry.requestId)).toEqual(
        ids.map((id) => `dead-${id}`),
      );
      await expectOneOutcomeEach('acme', [
        ...ids.map((id) => `dead-${id}`),
        ...[...ids, '4'].map((id) => `alive-${id}`),
      ]);
    });

    test('a boot whose calls were closed by another goes on with a lease of its own', async () => {
      const [slow, other] = [await harness.openJournal({ node: 'slow' }), await harness.openJournal({ node: 'other' })];
      await slow.commitIntent(intentOf('r-1'));
      harness.clock.nowMs += LEASE_MS;
      expect(await other.recover()).toBe(1);
      slow.recordOutcome(outcomeOf('r-1'));
      await slow.commitIntent(intentOf('r-2'));
      expect(await other.recover()).toBe(0);
      await slow.commitIntent(intentOf('r-3'));
      slow.recordOutcome(outcomeOf('r-3'));
      await slow.flush();
      harness.clock.nowMs += LEASE_MS;
      expect(await other.recover()).toBe(1);
      await expectOneOutcomeEach('acme', ['r-1', 'r-2', 'r-3']);
    });

    test('a boot without open calls gives its lease up, and has one again with the next call', async () => {
      const leases = () => harness.client.points(INSTANCE_SCOPE).selectFrom('node_leases').selectAll().execute();
      const journal = await harness.openJournal({ node: 'one', boot: 'boot-1', leaseMs: 60 });
      for (const id of ['r-1', 'r-2']) {
        await journal.commitIntent(intentOf(id));
        expect(await leases()).toMatchObject([{ boot: 'boot-1', node: 'one' }]);
        journal.recordOutcome(outcomeOf(id));
        await vi.waitFor(async () => expect(await leases()).toEqual([]));
      }
      await journal.commitIntent(intentOf('r-3'));
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      expect(await after.recover()).toBe(1);
      expect(await leases()).toEqual([]);
      await expectOneOutcomeEach('acme', ['r-1', 'r-2', 'r-3']);
    });
  });
}
