import { describe, expect, test } from 'vitest';
import { expectInvalid, type MakeVolatileStores } from './harness.ts';

/** What is replaced by what is newer: statuses of approvals, answers of names; and the history of names, and hints. */
export function describeNewest(make: MakeVolatileStores): void {
  describe('approval status', () => {
    test('an earlier change never takes the place of a later one', async () => {
      const { stores, otherNode, now } = await make();
      const [atMs, expiresAtMs] = [now(), now() + 60_000];
      const put = (status: 'pending' | 'approved' | 'executed', changedAtMs: number) =>
        otherNode.approvalStatus.put('t', 'a', { status, changedAtMs, expiresAtMs });
      expect(await put('approved', atMs + 5)).toBe('applied');
      expect(await put('pending', atMs + 4)).toBe('skipped_stale');
      expect(await stores.approvalStatus.get('t', 'a')).toEqual({ status: 'approved', changedAtMs: atMs + 5 });
      expect(await put('executed', atMs + 6)).toBe('applied');
      expect(await stores.approvalStatus.get('t', 'a')).toEqual({ status: 'executed', changedAtMs: atMs + 6 });
      expect(await stores.approvalStatus.get('u', 'a')).toBeUndefined();
      await stores.approvalStatus.drop('t', 'a');
      expect(await otherNode.approvalStatus.get('t', 'a')).toBeUndefined();
    });

    test('of many at once the latest stays', async () => {
      const { stores, now } = await make();
      const expiresAtMs = now() + 60_000;
      const order = [7, 3, 9, 1, 8, 2];
      await Promise.all(
        order.map((changedAtMs) =>
          stores.approvalStatus.put('t', 'a', { status: 'pending', changedAtMs, expiresAtMs }),
        ),
      );
      expect(await stores.approvalStatus.get('t', 'a')).toMatchObject({ changedAtMs: 9 });
    });

    test('it is kept until the approval ends, and one that has ended for a second', async () => {
      const { stores, now, pass } = await make();
      await stores.approvalStatus.put('t', 'a', { status: 'pending', changedAtMs: now(), expiresAtMs: now() + 60_000 });
      await stores.approvalStatus.put('t', 'b', { status: 'expired', changedAtMs: now(), expiresAtMs: now() - 60_000 });
      await pass(500);
      expect(await stores.approvalStatus.get('t', 'b')).toMatchObject({ status: 'expired' });
      await pass(501);
      expect(await stores.approvalStatus.get('t', 'b')).toBeUndefined();
      expect(await stores.approvalStatus.get('t', 'a')).toMatchObject({ status: 'pending' });
      await pass(59_001);
      expect(await stores.approvalStatus.get('t', 'a')).toBeUndefined();
    });

    test('words that are no status, and ends that are too far, are refused by name', async () => {
      const { stores, now } = await make();
      const known = { status: 'pending', changedAtMs: 1, expiresAtMs: now() } as const;
      await expectInvalid(
        () => stores.approvalStatus.put('t', 'a', { ...known, status: 'maybe' as 'pending' }),
        'status must be one of pending',
      );
      await expectInvalid(
        () => stores.approvalStatus.put('t', 'a', { ...known, changedAtMs: -1 }),
        'changedAtMs must be milliseconds',
      );
      await expectInvalid(
        () => stores.approvalStatus.put('t', 'a', { ...known, expiresAtMs: now() + 40 * 86_400_000 }),
        'expiresAtMs must be at most',
      );
      await expectInvalid(() => stores.approvalStatus.get('t', ''), 'approval must be a text');
    });
  });

  describe('DNS answers', () => {
    const answer = { addresses: ['192.0.2.1', '2001:db8::1'], resolvedAtMs: 1_000, ttlSeconds: 30 };

    test('an answer that was resolved earlier is skipped', async () => {
      const { stores, otherNode } = await make();
      expect(await stores.dnsAnswers.put('t', 'a.test', answer)).toBe('applied');
      const earlier = { ...answer, addresses: ['192.0.2.9'], resolvedAtMs: 999 };
      expect(await otherNode.dnsAnswers.put('t', 'a.test', earlier)).toBe('skipped_stale');
      const found = await otherNode.dnsAnswers.get('t', 'a.test');
      expect(found).toMatchObject({ addresses: answer.addresses, resolvedAtMs: 1_000 });
      expect(found?.usableMs).toBeGreaterThan(25_000);
      expect(found?.usableMs).toBeLessThanOrEqual(30_000);
      expect(await otherNode.dnsAnswers.put('t', 'a.test', { ...earlier, resolvedAtMs: 1_001 })).toBe('applied');
      expect(await stores.dnsAnswers.get('t', 'a.test')).toMatchObject({ addresses: ['192.0.2.9'] });
      expect(await stores.dnsAnswers.get('u', 'a.test')).toBeUndefined();
    });

    test('it ends with its time, and then any answer is new', async () => {
      const { stores, pass } = await make();
      await stores.dnsAnswers.put('t', 'a.test', { ...answer, ttlSeconds: 1 });
      await pass(1_001);
      expect(await stores.dnsAnswers.get('t', 'a.test')).toBeUndefined();
      expect(await stores.dnsAnswers.put('t', 'a.test', { ...answer, resolvedAtMs: 1 })).toBe('applied');
    });

    test('ranges are refused by name', async () => {
      const { dnsAnswers } = (await make()).stores;
      for (const ttlSeconds of [0, 61, 1.5])
        await expectInvalid(
          () => dnsAnswers.put('t', 'h', { ...answer, ttlSeconds }),
          'ttlSeconds must be an integer from 1 to 60',
        );
      for (const ttlSeconds of [1, 60])
        expect(await dnsAnswers.put('t', `h${ttlSeconds}`, { ...answer, ttlSeconds })).toBe('applied');
      const many = (count: number) => Array.from({ length: count }, (_, at) => `192.0.2.${at}`);
      for (const count of [0, 65])
        await expectInvalid(
          () => dnsAnswers.put('t', 'h', { ...answer, addresses: many(count) }),
          'addresses must be 1 to 64',
        );
      for (const count of [1, 64])
        expect(await dnsAnswers.put('t', `n${count}`, { ...answer, addresses: many(count) })).toBe('applied');
      await expectInvalid(() => dnsAnswers.put('t', '', answer), 'host must be a text');
      await expectInvalid(
        () => dnsAnswers.put('t', 'h', { ...answer, resolvedAtMs: 1.5 }),
        'resolvedAtMs must be milliseconds',
      );
    });
  });

  describe('rebinding history', () => {
    const change = { before: ['192.0.2.1'], after: ['10.0.0.1'], hasNewClass: true };

    test('observations are listed by host, oldest first, the newest hundred', async () => {
      const { stores, otherNode, now } = await make();
      const startMs = now() - 10_000;
      for (let at = 0; at < 105; at += 1)
        await stores.rebindingHistory.append('t', 'a.test', { ...change, observedAtMs: startMs + at });
      await otherNode.rebindingHistory.append('t', 'b.test', { ...change, observedAtMs: startMs });
      const listed = await otherNode.rebindingHistory.list('t', 'a.test');
      expect(listed.length).toBe(100);
      expect(listed[0]).toEqual({ ...change, observedAtMs: startMs + 5 });
      expect(listed.at(-1)?.observedAtMs).toBe(startMs + 104);
      expect((await stores.rebindingHistory.list('t', 'b.test')).length).toBe(1);
      expect(await stores.rebindingHistory.list('u', 'a.test')).toEqual([]);
    });

    test('they are forgotten after 24 hours, each', async () => {
      const { stores, now, pass } = await make();
      await stores.rebindingHistory.append('t', 'a.test', { ...change, observedAtMs: now() });
      await pass(86_000_000);
      await stores.rebindingHistory.append('t', 'a.test', { ...change, observedAtMs: now() });
      expect((await stores.rebindingHistory.list('t', 'a.test')).length).toBe(2);
      await pass(500_000);
      expect((await stores.rebindingHistory.list('t', 'a.test')).length).toBe(1);
      await pass(86_000_000);
      expect(await stores.rebindingHistory.list('t', 'a.test')).toEqual([]);
    });

    test('times that are none and empty hosts are refused by name', async () => {
      const { rebindingHistory } = (await make()).stores;
      await expectInvalid(
        () => rebindingHistory.append('t', 'h', { ...change, observedAtMs: Number.NaN }),
        'observedAtMs must be milliseconds',
      );
      await expectInvalid(
        () => rebindingHistory.append('t', '', { ...change, observedAtMs: 1 }),
        'host must be a text',
      );
    });
  });

  describe('idempotency hints', () => {
    const scope = { tenant: 't', workload: 'w', integration: 'i', group: 'g', key: 'k' };
    const hint = { claim: 'c1', fingerprint: 'f1' };

    test('the first hint stays until it is forgotten or its time is over', async () => {
      const { stores, otherNode, pass } = await make();
      expect(await stores.idempotencyHints.find(scope)).toBeUndefined();
      expect(await stores.idempotencyHints.remember(scope, hint, 60)).toBe(true);
      expect(await otherNode.idempotencyHints.remember(scope, { claim: 'c2', fingerprint: 'f2' }, 60)).toBe(false);
      expect(await otherNode.idempotencyHints.find(scope)).toEqual(hint);
      expect(await stores.idempotencyHints.find({ ...scope, group: 'other' })).toBeUndefined();
      await otherNode.idempotencyHints.forget(scope);
      expect(await stores.idempotencyHints.find(scope)).toBeUndefined();
      await stores.idempotencyHints.remember(scope, hint, 60);
      await pass(60_001);
      expect(await stores.idempotencyHints.find(scope)).toBeUndefined();
    });

    test('ranges and empty identifiers are refused by name', async () => {
      const { idempotencyHints } = (await make()).stores;
      for (const seconds of [59, 86_401]) {
        await expectInvalid(
          () => idempotencyHints.remember(scope, hint, seconds),
          'ttlSeconds must be an integer from 60 to 86400',
        );
      }
      for (const seconds of [60, 86_400])
        expect(await idempotencyHints.remember({ ...scope, key: `${seconds}` }, hint, seconds)).toBe(true);
      await expectInvalid(() => idempotencyHints.remember(scope, { ...hint, claim: '' }, 60), 'claim must be a text');
      await expectInvalid(() => idempotencyHints.find({ ...scope, workload: '' }), 'workload must be a text');
    });
  });
}
