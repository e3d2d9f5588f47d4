import { describe, expect, test } from 'vitest';
import { AWKWARD_NAMES, expectInvalid, type MakeVolatileStores } from './harness.ts';

/** What happens once: a token consumed, a proof used, an approval taken. */
export function describeOnce(make: MakeVolatileStores): void {
  describe('enrolment tokens', () => {
    test('one of many at once consumes a token, and then it is consumed', async () => {
      const { stores, otherNode } = await make();
      const tries = Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? stores : otherNode).enrolmentTokens.begin('t', 'hash', 30),
      );
      const locks = await Promise.all(tries);
      const owners = locks.flatMap((lock) => (lock.state === 'locked' ? [lock.owner] : []));
      expect(owners.length).toBe(1);
      expect(locks.filter(({ state }) => state === 'busy').length).toBe(19);
      const [owner = ''] = owners;
      expect(await stores.enrolmentTokens.finish('t', 'hash', { owner: 'another', keepSeconds: 900 })).toBe(false);
      expect(await otherNode.enrolmentTokens.finish('t', 'hash', { owner, keepSeconds: 900 })).toBe(true);
      expect(await stores.enrolmentTokens.begin('t', 'hash', 30)).toEqual({ state: 'consumed' });
      expect(await stores.enrolmentTokens.abandon('t', 'hash', owner)).toBe(false);
      expect(await stores.enrolmentTokens.abandon('t', 'hash', 'consumed')).toBe(false);
      expect(await stores.enrolmentTokens.begin('t', 'hash', 30)).toEqual({ state: 'consumed' });
      expect(await stores.enrolmentTokens.begin('u', 'hash', 30)).toMatchObject({ state: 'locked' });
    });

    test('a lock that is abandoned, or whose time is over, frees the token', async () => {
      const { stores, otherNode, pass } = await make();
      const first = await stores.enrolmentTokens.begin('t', 'hash', 1);
      const owner = first.state === 'locked' ? first.owner : '';
      expect(await otherNode.enrolmentTokens.begin('t', 'hash', 1)).toEqual({ state: 'busy' });
      expect(await stores.enrolmentTokens.abandon('t', 'hash', owner)).toBe(true);
      expect(await otherNode.enrolmentTokens.begin('t', 'hash', 1)).toMatchObject({ state: 'locked' });
      await pass(1_001);
      expect(await stores.enrolmentTokens.begin('t', 'hash', 1)).toMatchObject({ state: 'locked' });
      expect(await stores.enrolmentTokens.finish('t', 'hash', { owner, keepSeconds: 1 })).toBe(false);
    });

    test('ranges and empty identifiers are refused by name', async () => {
      const { enrolmentTokens } = (await make()).stores;
      for (const seconds of [0, 61])
        await expectInvalid(
          () => enrolmentTokens.begin('t', 'h', seconds),
          'lockSeconds must be an integer from 1 to 60',
        );
      for (const seconds of [1, 60])
        expect(await enrolmentTokens.begin('t', `h${seconds}`, seconds)).toMatchObject({ state: 'locked' });
      for (const keepSeconds of [0, 3_601]) {
        await expectInvalid(
          () => enrolmentTokens.finish('t', 'h', { owner: 'o', keepSeconds }),
          'keepSeconds must be an integer from 1 to 3600',
        );
      }
      await expectInvalid(() => enrolmentTokens.begin('t', '', 1), 'tokenHash must be a text');
      await expectInvalid(() => enrolmentTokens.abandon('t', 'h', ''), 'owner must be a text');
    });
  });

  describe('DPoP replay', () => {
    const proof = { tenant: 't', scope: 'session 1', jti: 'j', ttlSeconds: 300 };

    test('the first use of many at once wins, for its time', async () => {
      const { stores, otherNode, pass } = await make();
      const uses = Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? stores : otherNode).dpopReplay.firstUse(proof),
      );
      expect((await Promise.all(uses)).filter(Boolean).length).toBe(1);
      await pass(299_000);
      expect(await stores.dpopReplay.firstUse(proof)).toBe(false);
      expect(await otherNode.dpopReplay.firstUse({ ...proof, jti: 'k' })).toBe(true);
      expect(await stores.dpopReplay.firstUse({ ...proof, jti: 'k' })).toBe(false);
    });

    test('proofs of other scopes and tenants are others, whatever their names', async () => {
      const { dpopReplay } = (await make()).stores;
      for (const [scope, jti] of [
        ['ab', 'c'],
        ['a', 'bc'],
        ['3:ab', 'c'],
        ['a', ':bc'],
      ] as const) {
        expect(await dpopReplay.firstUse({ ...proof, scope, jti })).toBe(true);
        expect(await dpopReplay.firstUse({ ...proof, tenant: 'u', scope, jti })).toBe(true);
        expect(await dpopReplay.firstUse({ ...proof, scope, jti })).toBe(false);
      }
      for (const jti of AWKWARD_NAMES.slice(0, -1)) expect(await dpopReplay.firstUse({ ...proof, jti })).toBe(true);
    });

    test('ranges and empty identifiers are refused by name', async () => {
      const { dpopReplay } = (await make()).stores;
      for (const ttlSeconds of [0, 3_601, 0.5]) {
        await expectInvalid(
          () => dpopReplay.firstUse({ ...proof, ttlSeconds }),
          'ttlSeconds must be an integer from 1 to 3600',
        );
      }
      for (const ttlSeconds of [1, 3_600])
        expect(await dpopReplay.firstUse({ ...proof, jti: `${ttlSeconds}`, ttlSeconds })).toBe(true);
      for (const part of ['tenant', 'scope', 'jti'] as const) {
        await expectInvalid(() => dpopReplay.firstUse({ ...proof, [part]: '' }), `${part} must be a text`);
      }
      await expectInvalid(
        () => dpopReplay.firstUse({ ...proof, jti: 'j'.repeat(2_049) }),
        'jti must be a text of 1 to 2048 characters',
      );
    });
  });

  describe('approval once', () => {
    const key = { tenant: 't', agent: 'bot', fingerprint: 'f' };

    test('one of many at once takes it', async () => {
      const { stores, otherNode, now } = await make();
      await stores.approvalOnce.put(key, 'approval 1', now() + 60_000);
      const takes = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? stores : otherNode).approvalOnce.take(key));
      expect((await Promise.all(takes)).filter((id) => id !== undefined)).toEqual(['approval 1']);
      expect(await stores.approvalOnce.take({ ...key, agent: 'other' })).toBeUndefined();
    });

    test('it is kept until its end, and one that has ended takes the earlier away', async () => {
      const { stores, now, pass } = await make();
      await stores.approvalOnce.put(key, 'a', now() + 60_000);
      await pass(60_001);
      expect(await stores.approvalOnce.take(key)).toBeUndefined();
      await stores.approvalOnce.put(key, 'b', now() + 60_000);
      await stores.approvalOnce.put(key, 'c', now() - 1);
      expect(await stores.approvalOnce.take(key)).toBeUndefined();
    });

    test('ends that are too far, and empty identifiers, are refused by name', async () => {
      const { stores, now } = await make();
      const days31Ms = 31 * 86_400_000;
      await stores.approvalOnce.put(key, 'a', now() + days31Ms - 5_000);
      await expectInvalid(
        () => stores.approvalOnce.put(key, 'a', now() + days31Ms + 5_000),
        'expiresAtMs must be at most',
      );
      await expectInvalid(() => stores.approvalOnce.put(key, 'a', Number.NaN), 'expiresAtMs must be milliseconds');
      await expectInvalid(() => stores.approvalOnce.put(key, '', 1), 'approval must be a text');
      await expectInvalid(() => stores.approvalOnce.take({ ...key, fingerprint: '' }), 'fingerprint must be a text');
    });
  });
}
