import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IntentRefused, STORED_ANSWER_BYTES_MAX } from '../ports/call-journal.ts';
import type { ClaimState } from '../ports/claims.ts';
import type { CountingJournal, JournalHarness, MakeJournalHarness } from './harness.ts';
import {
  commit,
  FINGERPRINT,
  findClaim,
  heldIntent,
  OTHER_FINGERPRINT,
  scopeOf,
  settle,
  takeOf,
} from './held-calls.ts';
import { countOutcomes, intentOf, outcomeOf, readLog } from './journal-calls.ts';

const LEASE_MS = 15_000;
const range = (length: number) => Array.from({ length }, (_, index) => index);

export function describeCallClaims(makeHarness: MakeJournalHarness): void {
  describe('the claims of calls', () => {
    let harness: JournalHarness;
    let journal: CountingJournal;
    beforeEach(async () => {
      harness = await makeHarness();
      journal = await harness.openJournal({ node: 'one', boot: 'boot-1' });
    });
    afterEach(() => harness.close());

    const expectLost = (promise: Promise<void>, found: ClaimState | 'fingerprint_mismatch') =>
      expect(promise).rejects.toMatchObject({
        name: 'DbError',
        code: 'conflict',
        condition: { lost: 'claim_lost', found },
      });

    test('a key that is free is taken with the intent, and is free no more', async () => {
      await commit(journal, 'r-1', { claim: takeOf() });
      expect(await findClaim(harness)).toMatchObject({
        ...scopeOf(),
        fingerprint: FINGERPRINT,
        state: 'dispatching',
        fence: 1,
        requestId: 'r-1',
        createdAt: harness.clock.nowMs,
        expiresAt: 90_000_000,
        isRetryAllowed: false,
        owner: { node: 'one', boot: 'boot-1', leaseUntil: harness.clock.nowMs + LEASE_MS },
      });
      await expectLost(commit(journal, 'r-2', { claim: takeOf() }), 'dispatching');
      const log = await readLog(harness.repositories);
      expect(log.map((entry) => [entry.type, entry.requestId, entry.fingerprint])).toEqual([
        ['intent', 'r-1', FINGERPRINT],
      ]);
    });

    test('the loser is told with a typed error, and its request id can be used again', async () => {
      await commit(journal, 'r-1', { claim: takeOf() });
      const lost = await commit(journal, 'r-2', { claim: takeOf() }).catch((error: unknown) => error);
      expect(lost).toBeInstanceOf(IntentRefused);
      await commit(journal, 'r-2', { claim: takeOf('key-2') });
      expect(journal.stats()).toMatchObject({ refusedRecords: 0, lostIntents: 1 });
    });

    test('each member of the scope makes another key', async () => {
      await commit(journal, 'r-0', { claim: takeOf() });
      await commit(journal, 'r-1', { claim: takeOf('key-2') });
      await commit(journal, 'r-2', { claim: takeOf('key-1', { agent: 'other' }) });
      await commit(journal, 'r-3', { claim: takeOf('key-1', { integration: 'slack' }) });
      await journal.commitIntent(intentOf('r-4', { tenant: 'beta' }), { claim: takeOf() });
      const { claims } = harness.repositories;
      const { nowMs } = harness.clock;
      expect((await claims.list('acme', {}, { limit: 10, nowMs })).items).toHaveLength(4);
      expect((await claims.list('beta', {}, { limit: 10, nowMs })).items).toHaveLength(1);
    });

    test('of two hundred equal calls at once exactly one takes the key, in however many commits', async () => {
      const results = await Promise.allSettled(
        range(200).map((index) => commit(journal, `r-${index}`, { claim: takeOf() })),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(await readLog(harness.repositories)).toHaveLength(1);
      expect(await findClaim(harness)).toMatchObject({ fence: 1, state: 'dispatching' });
    });

    test('of two hundred equal calls over two processes exactly one takes the key, again and again', async () => {
      const other = await harness.openJournal({ node: 'two' });
      for (const round of range(5)) {
        const results = await Promise.allSettled(
          range(200).map((index) => {
            const taker = index % 2 === 0 ? journal : other;
            return commit(taker, `r-${round}-${index}`, { claim: takeOf() }).then(() => ({ taker, index }));
          }),
        );
        const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        expect(winners).toHaveLength(1);
        const [{ taker, index } = { taker: journal, index: -1 }] = winners;
        await settle(taker, `r-${round}-${index}`, { claim: { to: 'failed_not_sent' } }, { result: 'not_sent' });
        expect(await findClaim(harness)).toMatchObject({ fence: round + 1, state: 'failed_not_sent' });
      }
    });

    test('the neighbours of a loser in its commit stand, with and without keys', async () => {
      const results = await Promise.allSettled([
        commit(journal, 'r-1', { claim: takeOf() }),
        journal.commitIntent(intentOf('r-2')),
        commit(journal, 'r-3', { claim: takeOf() }),
        commit(journal, 'r-4', { claim: takeOf('key-2') }),
        journal.commitIntent(intentOf('r-5', { at: 0.5 })),
        commit(journal, 'r-6', { claim: takeOf() }),
      ]);
      expect(results.map((result) => result.status)).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'rejected',
      ]);
      expect(results[5]).toMatchObject({ reason: { condition: { found: 'dispatching' } } });
      const log = await readLog(harness.repositories);
      expect(log.map((entry) => entry.requestId)).toEqual(['r-1', 'r-2', 'r-4']);
    });

    test('an intent that cannot be stored takes no claim', async () => {
      const broken = journal.commitIntent({ ...heldIntent('r-1'), at: Number.NaN }, { claim: takeOf() });
      await expect(broken).rejects.toMatchObject({ code: 'invalid' });
      expect(await findClaim(harness)).toBeUndefined();
      await commit(journal, 'r-1', { claim: takeOf() });
      const twice = journal.commitIntent(heldIntent('r-1'), { claim: takeOf('key-2') });
      await expect(twice).rejects.toMatchObject({ code: 'conflict' });
      await expect(twice).rejects.not.toHaveProperty('condition');
      expect(await findClaim(harness, 'key-2')).toBeUndefined();
    });

    test('another fingerprint is told so, whatever state the claim is in', async () => {
      const take = takeOf('key-1', { fingerprint: OTHER_FINGERPRINT, mayRepeat: true });
      await commit(journal, 'r-1', { claim: takeOf() });
      await expectLost(commit(journal, 'r-2', { claim: take }), 'fingerprint_mismatch');
      await settle(journal, 'r-1', { claim: { to: 'failed_not_sent' } });
      await expectLost(commit(journal, 'r-3', { claim: take }), 'fingerprint_mismatch');
    });

    test('a call with a key costs no commit of its own', async () => {
      await commit(journal, 'r-0', { claim: takeOf('key-0') });
      const before = journal.stats().commits;
      const ids = range(64).map((index) => `r-k${index}`);
      await Promise.all(
        ids.map((id, index) =>
          index % 2 === 0 ? commit(journal, id, { claim: takeOf(id) }) : journal.commitIntent(intentOf(id)),
        ),
      );
      for (const id of ids) journal.recordOutcome(outcomeOf(id), { claim: { to: 'succeeded' } });
      await journal.flush();
      expect(journal.stats().commits - before).toBeLessThanOrEqual(3);
    });

    describe('settled with the outcome', () => {
      const sealed = Uint8Array.from(range(5_000), (index) => index % 251);

      test('an answer is stored as it was sealed, and comes along with the claim', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed } });
        const claim = await findClaim(harness);
        expect(claim).toMatchObject({ state: 'succeeded', answer: { bytes: 5_000 }, requestId: 'r-1' });
        expect(claim).not.toHaveProperty('owner');
        expect(Buffer.from(claim?.answer?.sealed ?? []).equals(sealed)).toBe(true);
        await expectLost(commit(journal, 'r-2', { claim: takeOf() }), 'succeeded');
      });

      test('of a view on larger memory the view is stored', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed: sealed.subarray(10, 20) } });
        const stored = (await findClaim(harness))?.answer?.sealed;
        expect(Buffer.from(stored ?? []).equals(sealed.subarray(10, 20))).toBe(true);
      });

      test('a long answer stays behind, and is read whole', async () => {
        const long = Uint8Array.from(range(1_100_000), (index) => index % 253);
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed: long } });
        const claim = await findClaim(harness);
        expect(claim?.answer).toEqual({ id: claim?.answer?.id, bytes: long.length });
        const { claims } = harness.repositories;
        const read = await claims.readAnswer('acme', claim?.answer?.id ?? '');
        expect(Buffer.from(read ?? []).equals(long)).toBe(true);
        expect(await claims.readAnswer('beta', claim?.answer?.id ?? '')).toBeUndefined();
        for (const id of ['', '0', '999', 'x', '1 or 1=1']) expect(await claims.readAnswer('acme', id)).toBeUndefined();
      });

      test('past the limit there is no answer, and the key is used up all the same', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'succeeded' } });
        expect(await findClaim(harness)).toMatchObject({ state: 'succeeded' });
        expect(await findClaim(harness)).not.toHaveProperty('answer');
      });

      test('an answer above the limit is none', async () => {
        for (const [key, bytes] of [
          ['fits', STORED_ANSWER_BYTES_MAX],
          ['does-not', STORED_ANSWER_BYTES_MAX + 1],
        ] as const) {
          await commit(journal, `r-${key}`, { claim: takeOf(key) });
          await settle(journal, `r-${key}`, { claim: { to: 'succeeded', sealed: new Uint8Array(bytes) } });
        }
        expect((await findClaim(harness, 'fits'))?.answer?.bytes).toBe(STORED_ANSWER_BYTES_MAX);
        expect(await findClaim(harness, 'does-not')).toMatchObject({ state: 'succeeded' });
        expect(await findClaim(harness, 'does-not')).not.toHaveProperty('answer');
      });

      test('many long answers at once are stored in several commits', async () => {
        const keys = range(12).map((index) => `key-${index}`);
        await Promise.all(keys.map((key) => commit(journal, `r-${key}`, { claim: takeOf(key) })));
        const before = journal.stats().commits;
        const long = new Uint8Array(1_048_576);
        for (const key of keys)
          journal.recordOutcome(outcomeOf(`r-${key}`), { claim: { to: 'succeeded', sealed: long } });
        await journal.flush();
        expect(journal.stats().commits - before).toBeGreaterThanOrEqual(3);
        for (const key of keys) expect((await findClaim(harness, key))?.answer?.bytes).toBe(long.length);
      });

      test('a problem is told until its time, and then the key is free', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        const until = harness.clock.nowMs + 60_000;
        const problem = { code: 'redirect_refused', status: 502, until };
        await settle(journal, 'r-1', { claim: { to: 'failed_final', problem } }, { result: 'failed' });
        harness.clock.nowMs = until - 1;
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_final', problem });
        await expectLost(commit(journal, 'r-2', { claim: takeOf() }), 'failed_final');
        harness.clock.nowMs = until;
        expect(await findClaim(harness)).toBeUndefined();
        await commit(journal, 'r-3', { claim: takeOf('key-1', { fingerprint: OTHER_FINGERPRINT }) });
        const claim = await findClaim(harness);
        expect(claim).toMatchObject({ fence: 2, fingerprint: OTHER_FINGERPRINT, createdAt: until });
        expect(claim).not.toHaveProperty('problem');
      });

      test('a problem without an end is told as long as the key lives', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        const problem = { code: 'response_too_large', status: 502 };
        await settle(journal, 'r-1', { claim: { to: 'failed_final', problem } }, { result: 'failed' });
        expect((await findClaim(harness))?.problem).toEqual({ ...problem, until: 90_000_000 });
      });

      test('what provably was not sent may be sent at once', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'failed_not_sent' } }, { result: 'not_sent' });
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_not_sent', fence: 1 });
        await commit(journal, 'r-2', { claim: takeOf() });
        expect(await findClaim(harness)).toMatchObject({ state: 'dispatching', fence: 2, requestId: 'r-2' });
      });

      test('what is unknown is sent again only where that is allowed', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'unknown' } }, { result: 'unknown' });
        await expectLost(commit(journal, 'r-2', { claim: takeOf() }), 'unknown');
        await commit(journal, 'r-3', { claim: takeOf('key-1', { mayRepeat: true }) });
        expect(await findClaim(harness)).toMatchObject({ state: 'dispatching', fence: 2 });
      });

      test.each([
        ['done', 200, 'succeeded'],
        ['done', 500, 'succeeded'],
        ['done', 429, 'failed_not_sent'],
        ['not_sent', undefined, 'failed_not_sent'],
        ['failed', 502, 'unknown'],
        ['unknown', undefined, 'unknown'],
      ] as const)(
        'an outcome %s with status %s that says nothing of the claim leaves it %s',
        async (result, status, state) => {
          await commit(journal, 'r-1', { claim: takeOf() });
          journal.recordOutcome({ tenant: 'acme', requestId: 'r-1', at: 1, result, ...(status && { status }) });
          await journal.flush();
          expect(await findClaim(harness)).toMatchObject({ state, fence: 1 });
        },
      );

      test('an outcome that cannot be stored as it is leaves the claim unknown, not dispatching', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        await commit(journal, 'r-2', { claim: takeOf('key-2') });
        journal.recordOutcome(outcomeOf('r-1', { latencyMs: Number.NaN }), { claim: { to: 'succeeded', sealed } });
        await settle(journal, 'r-2', { claim: { to: 'succeeded', sealed: 'text' as unknown as Uint8Array } });
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
        expect(await findClaim(harness, 'key-2')).toMatchObject({ state: 'unknown' });
        expect([...countOutcomes(await readLog(harness.repositories)).values()]).toEqual([1, 1]);
      });

      test('a second outcome of the same call changes nothing', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'unknown' } }, { result: 'unknown' });
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed } });
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
      });

      test('whoever reads the claim before the outcome is durable can wait for it', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        expect(journal.settling('r-1')).toBeUndefined();
        journal.recordOutcome(outcomeOf('r-1'), { claim: { to: 'succeeded', sealed } });
        await journal.settling('r-1');
        expect(journal.settling('r-1')).toBeUndefined();
        expect(await findClaim(harness)).toMatchObject({ state: 'succeeded' });
      });
    });

    describe('over leases and crashes', () => {
      test('a claim whose lease ran out reads unknown, before anybody recovered it', async () => {
        const now = harness.clock.nowMs;
        await commit(journal, 'r-1', { claim: takeOf() });
        harness.clock.nowMs = now + LEASE_MS - 1;
        expect(await findClaim(harness)).toMatchObject({ state: 'dispatching' });
        harness.clock.nowMs = now + LEASE_MS;
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
        expect(await findClaim(harness)).not.toHaveProperty('owner');
      });

      test('recovery makes unknown what an earlier boot was sending, and nothing else', async () => {
        await commit(journal, 'r-1', { claim: takeOf('key-1') });
        await commit(journal, 'r-2', { claim: takeOf('key-2') });
        await settle(journal, 'r-2', { claim: { to: 'succeeded' } });
        const other = await harness.openJournal({ node: 'two' });
        await commit(other, 'r-3', { claim: takeOf('key-3') });
        const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
        expect(await after.recover()).toBe(1);
        const states = await Promise.all(['key-1', 'key-2', 'key-3'].map((key) => findClaim(harness, key)));
        expect(states.map((claim) => claim?.state)).toEqual(['unknown', 'succeeded', 'dispatching']);
        await expectLost(commit(after, 'r-4', { claim: takeOf('key-1') }), 'unknown');
      });

      test('a boot whose calls were recovered settles none of their claims', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
        await after.recover();
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed: new Uint8Array(9) } });
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
        const log = await readLog(harness.repositories);
        expect(log.map((entry) => entry.type)).toEqual(['intent', 'outcome', 'violation']);
      });

      test('a call whose claim another has taken on settles its own intent and not that claim', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        harness.clock.nowMs += LEASE_MS;
        const other = await harness.openJournal({ node: 'two' });
        await commit(other, 'r-2', { claim: takeOf('key-1', { mayRepeat: true }) });
        await settle(journal, 'r-1', { claim: { to: 'failed_not_sent' } });
        expect(await findClaim(harness)).toMatchObject({ state: 'dispatching', fence: 2, requestId: 'r-2' });
        await settle(other, 'r-2', { claim: { to: 'succeeded', sealed: Uint8Array.of(7) } });
        expect(await findClaim(harness)).toMatchObject({ state: 'succeeded', answer: { bytes: 1 } });
      });

      test('a boot that slept past its lease and was not recovered tells the truth', async () => {
        await commit(journal, 'r-1', { claim: takeOf() });
        harness.clock.nowMs += 10 * LEASE_MS;
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed: Uint8Array.of(7) } });
        expect(await findClaim(harness)).toMatchObject({ state: 'succeeded', fence: 1 });
      });

      test('a clock that goes back gives no key away twice', async () => {
        harness.clock.nowMs = 50_000_000;
        await commit(journal, 'r-1', { claim: takeOf('key-1', { expiresAt: 50_060_000 }) });
        for (const nowMs of [0, 1, 49_999_999]) {
          harness.clock.nowMs = nowMs;
          await expectLost(commit(journal, `r-at-${nowMs}`, { claim: takeOf() }), 'dispatching');
        }
        await settle(journal, 'r-1', { claim: { to: 'succeeded' } });
        harness.clock.nowMs = 10;
        await expectLost(commit(journal, 'r-2', { claim: takeOf() }), 'succeeded');
      });
    });

    describe('and their lifetime', () => {
      test('ends exactly at its end; from then on the key is new', async () => {
        await commit(journal, 'r-1', { claim: takeOf('key-1', { expiresAt: 2_000_000 }) });
        await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed: Uint8Array.of(1) } });
        harness.clock.nowMs = 1_999_999;
        const before = await findClaim(harness);
        await expectLost(commit(journal, 'r-2', { claim: takeOf() }), 'succeeded');
        harness.clock.nowMs = 2_000_000;
        expect(await findClaim(harness)).toBeUndefined();
        await commit(journal, 'r-3', { claim: takeOf('key-1', { fingerprint: OTHER_FINGERPRINT }) });
        const after = await findClaim(harness);
        expect(after).toMatchObject({ state: 'dispatching', fence: 2, createdAt: 2_000_000, expiresAt: 90_000_000 });
        expect(after?.id).not.toBe(before?.id);
        const { claims } = harness.repositories;
        expect(await claims.getById('acme', before?.id ?? '', harness.clock.nowMs)).toBeUndefined();
        // The answer of the old claim went with it.
        expect(await claims.readAnswer('acme', before?.answer?.id ?? '')).toBeUndefined();
      });

      test('does not end while it is being sent, and not while it is unknown', async () => {
        await commit(journal, 'r-1', { claim: takeOf('key-1', { expiresAt: 1_000_001 }) });
        harness.clock.nowMs = 1_010_000;
        expect(await findClaim(harness)).toMatchObject({ state: 'dispatching' });
        await settle(journal, 'r-1', { claim: { to: 'unknown' } }, { result: 'unknown' });
        harness.clock.nowMs = 900_000_000;
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
        await expectLost(commit(journal, 'r-2', { claim: takeOf() }), 'unknown');
      });

      test('begins again with each dispatch', async () => {
        await commit(journal, 'r-1', { claim: takeOf('key-1', { expiresAt: 2_000_000 }) });
        await settle(journal, 'r-1', { claim: { to: 'failed_not_sent' } });
        await commit(journal, 'r-2', { claim: takeOf('key-1', { expiresAt: 3_000_000 }) });
        await settle(journal, 'r-2', { claim: { to: 'succeeded' } });
        harness.clock.nowMs = 2_500_000;
        expect(await findClaim(harness)).toMatchObject({ state: 'succeeded', createdAt: 1_000_000 });
      });
    });
  });
}
