import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { ClaimRecord, ClaimResolution, ClaimState, NewClaim } from '../ports/claims.ts';
import { runInTransaction } from '../transaction.ts';
import { type CountingJournal, type JournalHarness, type MakeJournalHarness, readPages } from './harness.ts';
import {
  approvalOf,
  commit,
  FINGERPRINT,
  findClaim,
  OTHER_FINGERPRINT,
  scopeOf,
  settle,
  TERMS,
  takeOf,
} from './held-calls.ts';
import { readLog } from './journal-calls.ts';

const DAY_MS = 86_400_000;
const range = (length: number) => Array.from({ length }, (_, index) => index);

export function describeClaimsPort(makeHarness: MakeJournalHarness): void {
  describe('claims', () => {
    let harness: JournalHarness;
    let journal: CountingJournal;
    beforeEach(async () => {
      harness = await makeHarness();
      journal = await harness.openJournal({ node: 'one', boot: 'boot-1' });
    });
    afterEach(() => harness.close());

    const claims = () => harness.repositories.claims;
    const now = () => harness.clock.nowMs;
    const newClaim = (key = 'key-1', change: Partial<NewClaim> = {}): NewClaim => ({
      ...scopeOf(key),
      fingerprint: FINGERPRINT,
      requestId: 'r-queued',
      expiresAt: now() + DAY_MS,
      ...change,
    });
    const word = (outcome: ClaimResolution['outcome'], change: Partial<ClaimResolution> = {}): ClaimResolution => ({
      outcome,
      note: 'looked it up',
      by: 'olga',
      at: now(),
      ...change,
    });

    /** One claim of each state there is, by its name as key. */
    async function makeAll(): Promise<void> {
      const expiresAt = now() + DAY_MS;
      const take = (key: string) => commit(journal, `r-${key}`, { claim: takeOf(key, { expiresAt }) });
      await claims().reserve(newClaim('reserved'), now());
      const awaiting = approvalOf({ claim: { key: 'awaiting_approval', expiresAt } });
      await harness.repositories.approvals.create(awaiting, now());
      for (const key of ['dispatching', 'succeeded', 'failed_not_sent', 'failed_final', 'unknown']) await take(key);
      await settle(journal, 'r-succeeded', { claim: { to: 'succeeded', sealed: Uint8Array.of(1) } });
      await settle(journal, 'r-failed_not_sent', { claim: { to: 'failed_not_sent' } });
      const problem = { code: 'redirect_refused', status: 502 };
      await settle(journal, 'r-failed_final', { claim: { to: 'failed_final', problem } });
      await settle(journal, 'r-unknown', { claim: { to: 'unknown' } });
    }

    describe('of calls that are queued', () => {
      test('are reserved once, for one call, and dispatched by it', async () => {
        expect(await claims().reserve(newClaim(), now())).toMatchObject({
          isDone: true,
          claim: { ...newClaim(), state: 'reserved', fence: 0 },
        });
        const other = await claims().reserve(newClaim('key-1', { fingerprint: OTHER_FINGERPRINT }), now());
        expect(other).toMatchObject({ isDone: false, found: { state: 'reserved', fingerprint: FINGERPRINT } });
        await commit(journal, 'r-1', { claim: takeOf() });
        expect(await findClaim(harness)).toMatchObject({ state: 'dispatching', fence: 1 });
      });

      test.each([
        ['reserved', true],
        ['failed_not_sent', true],
        ['awaiting_approval', false],
        ['dispatching', false],
        ['succeeded', false],
        ['failed_final', false],
        ['unknown', false],
      ] as const)('where one is %s, reserving it is done: %s', async (state, isDone) => {
        await makeAll();
        const verdict = await claims().reserve(newClaim(state), now());
        expect(verdict.isDone).toBe(isDone);
        expect(await findClaim(harness, state)).toMatchObject({ state: isDone ? 'reserved' : state });
      });

      test('are given back only while they are reserved', async () => {
        await makeAll();
        for (const state of ['dispatching', 'succeeded', 'awaiting_approval', 'unknown', 'never']) {
          expect(await claims().release(scopeOf(state), now())).toBe(false);
        }
        expect(await claims().release(scopeOf('reserved'), now())).toBe(true);
        expect(await findClaim(harness, 'reserved')).toBeUndefined();
      });

      test('of two at once one is reserved when their bytes differ', async () => {
        const both = await Promise.all(
          [FINGERPRINT, OTHER_FINGERPRINT].map((fingerprint) =>
            claims().reserve(newClaim('k', { fingerprint }), now()),
          ),
        );
        expect(both.map(({ isDone }) => isDone).sort()).toEqual([false, true]);
      });

      test('take part in the caller’s transaction', async () => {
        const failed = runInTransaction(harness.client, async (context) => {
          await claims().reserve(newClaim(), now(), context);
          expect(await claims().find(scopeOf(), now(), context)).toMatchObject({ state: 'reserved' });
          throw new Error('changed my mind');
        });
        await expect(failed).rejects.toThrow('changed my mind');
        expect(await findClaim(harness)).toBeUndefined();
      });

      test.each(['', 'a b', 'ä', 'tab\t', 'x'.repeat(256)])('the key %j is refused', async (key) => {
        await expect(claims().reserve(newClaim(key), now())).rejects.toMatchObject({ code: 'invalid' });
      });

      test.each(['x', 'x'.repeat(255), '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'])('the key %j is taken', async (key) => {
        expect(await claims().reserve(newClaim(key), now())).toMatchObject({ isDone: true, claim: { key } });
      });
    });

    describe('that an operator resolves', () => {
      const makeUnknown = async (expiresAt = now() + DAY_MS): Promise<ClaimRecord> => {
        await commit(journal, 'r-1', { claim: takeOf('key-1', { expiresAt }) });
        await settle(journal, 'r-1', { claim: { to: 'unknown' } }, { result: 'unknown' });
        return (await findClaim(harness)) as ClaimRecord;
      };

      test('as done are used up, without an answer', async () => {
        const { id } = await makeUnknown();
        const resolved = await claims().resolve('acme', id, word('done'));
        expect(resolved).toMatchObject({ isDone: true, claim: { id, state: 'succeeded', resolution: word('done') } });
        await expect(commit(journal, 'r-2', { claim: takeOf('key-1', { mayRepeat: true }) })).rejects.toMatchObject({
          condition: { found: 'succeeded' },
        });
      });

      test('as not done may be used at once', async () => {
        const { id } = await makeUnknown();
        await claims().resolve('acme', id, word('not_done'));
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_not_sent', resolution: word('not_done') });
        await commit(journal, 'r-2', { claim: takeOf() });
      });

      test('to be retried let one re-send through, and not two', async () => {
        const { id } = await makeUnknown();
        await claims().resolve('acme', id, word('retry'));
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown', isRetryAllowed: true });
        const results = await Promise.allSettled(
          range(20).map((index) => commit(journal, `r-a${index}`, { claim: takeOf() })),
        );
        expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
        const winner = results.findIndex((result) => result.status === 'fulfilled');
        await settle(journal, `r-a${winner}`, { claim: { to: 'unknown' } }, { result: 'unknown' });
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown', isRetryAllowed: false });
        await expect(commit(journal, 'r-b', { claim: takeOf() })).rejects.toMatchObject({ code: 'conflict' });
      });

      test('have their entry, with who said what', async () => {
        const { id } = await makeUnknown();
        await claims().resolve('acme', id, word('not_done'));
        const entry = (await readLog(harness.repositories)).at(-1);
        expect(entry).toMatchObject({
          type: 'claim.resolved',
          actor: 'olga',
          reason: 'looked it up',
          result: 'not_sent',
          subject: `claim:${id}`,
          requestId: 'r-1',
          agent: 'coder',
          integration: 'github',
          fingerprint: FINGERPRINT,
        });
      });

      test('are those that are unknown, and no others', async () => {
        await makeAll();
        const before = (await readLog(harness.repositories)).length;
        for (const state of [
          'reserved',
          'awaiting_approval',
          'dispatching',
          'succeeded',
          'failed_not_sent',
          'failed_final',
        ]) {
          const { id = '' } = (await findClaim(harness, state)) ?? {};
          const verdict = await claims().resolve('acme', id, word('done'));
          expect(verdict).toMatchObject({ isDone: false, found: { state } });
          expect(await findClaim(harness, state)).toMatchObject({ state });
        }
        expect(await readLog(harness.repositories)).toHaveLength(before);
      });

      test('are resolved by one of two who do it at once', async () => {
        const { id } = await makeUnknown();
        const both = await Promise.all([
          claims().resolve('acme', id, word('done')),
          claims().resolve('acme', id, word('not_done', { by: 'otto' })),
        ]);
        expect(both.map(({ isDone }) => isDone).sort()).toEqual([false, true]);
      });

      test('leave nothing to a worker that still believes to be sending', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        harness.clock.nowMs += 15_000;
        const { id = '' } = (await findClaim(harness)) ?? {};
        expect(await claims().resolve('acme', id, word('not_done'))).toMatchObject({ isDone: true });
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed: Uint8Array.of(1) } });
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_not_sent' });
      });

      test('long after their end live once more', async () => {
        const { id } = await makeUnknown(now() + 60_000);
        harness.clock.nowMs += 10 * DAY_MS;
        await claims().resolve('acme', id, word('done'));
        harness.clock.nowMs += 59_999;
        expect(await findClaim(harness)).toMatchObject({ state: 'succeeded' });
        harness.clock.nowMs += 1;
        expect(await findClaim(harness)).toBeUndefined();
      });

      test('are there, and of the tenant', async () => {
        const { id } = await makeUnknown();
        for (const [tenant, wanted] of [
          ['beta', id],
          ['acme', 'x'],
          ['acme', ''],
          ['acme', `${id}0`],
          ['acme', '1-2-3'],
          ['acme', '999-1'],
        ] as const) {
          await expect(claims().resolve(tenant, wanted, word('done'))).rejects.toMatchObject({ code: 'not_found' });
        }
        await expect(claims().resolve('acme', id, word('done', { by: '' }))).rejects.toMatchObject({ code: 'invalid' });
        await expect(claims().resolve('acme', id, word('later' as 'done'))).rejects.toMatchObject({ code: 'invalid' });
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
      });
    });

    describe('that await an approval', () => {
      beforeEach(async () => {
        const claim = { key: 'key-1', expiresAt: now() + DAY_MS };
        await harness.repositories.approvals.create(approvalOf({ claim }), now());
      });

      test('tell for 60 s that it has expired, without the sweeper, and are free then', async () => {
        const endsAt = now() + TERMS.pendingSeconds * 1_000;
        harness.clock.nowMs = endsAt - 1;
        expect(await findClaim(harness)).toMatchObject({ state: 'awaiting_approval' });
        harness.clock.nowMs = endsAt;
        const problem = { code: 'approval_expired', status: 410, until: endsAt + 60_000 };
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_final', problem });
        await expect(commit(journal, 'r-1', { claim: takeOf() })).rejects.toMatchObject({
          condition: { lost: 'claim_lost', found: 'failed_final' },
        });
        harness.clock.nowMs = endsAt + 60_000;
        expect(await findClaim(harness)).toBeUndefined();
        await commit(journal, 'r-2', { claim: takeOf('key-1', { fingerprint: OTHER_FINGERPRINT }) });
      });

      test('tell the same once the sweeper was there, however late it came', async () => {
        const endsAt = now() + TERMS.pendingSeconds * 1_000;
        harness.clock.nowMs = endsAt + 30_000;
        await harness.repositories.approvals.sweep(now(), 10);
        const problem = { code: 'approval_expired', status: 410, until: endsAt + 60_000 };
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_final', problem });
        harness.clock.nowMs = endsAt + 60_000;
        expect(await findClaim(harness)).toBeUndefined();
      });
    });

    describe('in lists', () => {
      test.each([
        'reserved',
        'awaiting_approval',
        'dispatching',
        'succeeded',
        'failed_not_sent',
        'failed_final',
        'unknown',
      ] as const)('by the state %s are those that read so', async (state) => {
        await makeAll();
        const { items } = await claims().list('acme', { state }, { limit: 10, nowMs: now() });
        expect(items.map(({ key }) => key)).toEqual([state]);
      });

      test('are those that read so later, when leases, approvals and lifetimes are over', async () => {
        await makeAll();
        const keysAt = async (nowMs: number, state: ClaimState | undefined) => {
          const { items } = await claims().list('acme', state === undefined ? {} : { state }, { limit: 10, nowMs });
          for (const item of items) expect(item).toEqual(await claims().getById('acme', item.id, nowMs));
          return items.map(({ key }) => key).sort();
        };
        const afterLease = now() + 15_000;
        expect(await keysAt(afterLease, 'unknown')).toEqual(['dispatching', 'unknown']);
        expect(await keysAt(afterLease, 'dispatching')).toEqual([]);
        const afterApproval = now() + TERMS.pendingSeconds * 1_000;
        expect(await keysAt(afterApproval, 'failed_final')).toEqual(['awaiting_approval', 'failed_final']);
        expect(await keysAt(afterApproval, 'awaiting_approval')).toEqual([]);
        expect(await keysAt(afterApproval + 60_000, undefined)).not.toContain('awaiting_approval');
        expect(await keysAt(now() + DAY_MS, undefined)).toEqual(['dispatching', 'unknown']);
      });

      test('go from the newest down, in pages, within the tenant, and by agent and integration', async () => {
        for (const key of ['a', 'b', 'c', 'd', 'e']) await claims().reserve(newClaim(key), now());
        await claims().reserve({ ...newClaim('f'), tenant: 'beta' }, now());
        await claims().reserve({ ...newClaim('g'), agent: 'other' }, now());
        await claims().reserve({ ...newClaim('h'), integration: 'slack' }, now());
        const { items, sizes } = await readPages((cursor) =>
          claims().list(
            'acme',
            { agent: 'coder', integration: 'github' },
            { limit: 2, nowMs: now(), ...(cursor && { cursor }) },
          ),
        );
        expect(items.map(({ key }) => key)).toEqual(['e', 'd', 'c', 'b', 'a']);
        expect(sizes).toEqual([2, 2, 1]);
      });

      test('have no bytes of answers', async () => {
        await makeAll();
        const { items } = await claims().list('acme', { state: 'succeeded' }, { limit: 10, nowMs: now() });
        expect(items[0]?.answer).toEqual({ id: expect.any(String), bytes: 1 });
      });

      test.each(['x', 'WyJjbGFpbXMiLCI1Il0'])('refuse the cursor %j', async (cursor) => {
        const reading = claims().list('acme', {}, { limit: 2, nowMs: now(), cursor });
        await expect(reading).rejects.toMatchObject({ code: 'invalid' });
      });
    });

    describe('that are swept', () => {
      test('are those that are over, with their answers; no answer of any method changes', async () => {
        await makeAll();
        const answer = (await findClaim(harness, 'succeeded'))?.answer?.id ?? '';
        harness.clock.nowMs += DAY_MS - 1;
        expect(await claims().sweep(now(), 100)).toBe(0);
        harness.clock.nowMs += 1;
        const list = () => claims().list('acme', {}, { limit: 100, nowMs: now() });
        const before = await list();
        expect(await claims().sweep(now(), 100)).toBe(5);
        expect(await list()).toEqual(before);
        expect(await claims().readAnswer('acme', answer)).toBeUndefined();
        const left = await harness.client
          .points(INSTANCE_SCOPE)
          .selectFrom('claims')
          .select('key')
          .orderBy('key')
          .execute();
        expect(left.map(({ key }) => key)).toEqual(['dispatching', 'unknown']);
      });

      test('are not more than were asked for', async () => {
        for (const index of range(25)) await claims().reserve(newClaim(`key-${index}`), now());
        harness.clock.nowMs += DAY_MS;
        const counts: number[] = [];
        do counts.push(await claims().sweep(now(), 10));
        while (counts.at(-1) !== 0);
        expect(counts).toEqual([10, 10, 5, 0]);
      });

      test('and are being sent under a lease that is gone are unknown', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        expect(await claims().sweep(now(), 10)).toBe(0);
        await harness.client.writes(INSTANCE_SCOPE).deleteFrom('node_leases').execute();
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
        expect(await claims().sweep(now(), 10)).toBe(1);
        expect(await claims().sweep(now(), 10)).toBe(0);
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
      });

      test('stay gone beside calls that use the same keys', async () => {
        for (const round of range(10)) {
          const expiresAt = now() + 1_000;
          await commit(journal, `r-${round}`, { claim: takeOf('key-1', { expiresAt }) });
          await settle(journal, `r-${round}`, { claim: { to: 'succeeded', sealed: Uint8Array.of(round) } });
          harness.clock.nowMs += 1_000;
          const [, taken] = await Promise.all([
            claims().sweep(now(), 10),
            commit(journal, `r-${round}-again`, { claim: takeOf('key-1', { expiresAt: now() + 1_000 }) }),
          ]);
          expect(taken).toBeUndefined();
          expect(await findClaim(harness)).toMatchObject({ state: 'dispatching', requestId: `r-${round}-again` });
          await settle(journal, `r-${round}-again`, { claim: { to: 'failed_not_sent' } });
        }
      });
    });
  });
}
