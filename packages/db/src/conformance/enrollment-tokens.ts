import { describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { ENROLLMENT_TOKEN_LIFE_MS } from '../ports/enrollment-tokens.ts';
import type { MakeDbHarness } from './harness.ts';
import { hashOf, range, shareHarness } from './shared-harness.ts';

export function describeEnrollmentTokensPort(makeHarness: MakeDbHarness): void {
  describe('enrolment tokens', () => {
    const shared = shareHarness(makeHarness);
    const tokens = () => shared.repositories.enrollmentTokens;
    const now = () => shared.clock.nowMs;
    let hashes = 0;
    const newAgent = async () => {
      const tenant = await shared.newTenant();
      return { tenant, agentId: await shared.newAgent(tenant) };
    };
    const issue = (of: { tenant: string; agentId: string }, tokenHash = hashOf(++hashes)) =>
      tokens().issueEnrollmentToken({ ...of, tokenHash, issuedBy: 'root' }, now());

    test('one lives 900 seconds, and is consumed once', async () => {
      const agent = await newAgent();
      const token = await issue(agent);
      expect(token).toEqual({
        ...agent,
        id: expect.any(String),
        tokenHash: hashOf(hashes),
        issuedBy: 'root',
        issuedAt: now(),
        expiresAt: now() + 900_000,
        state: 'open',
      });
      const consumed = await tokens().consumeEnrollmentTokenOnce(token.tokenHash, now() + 899_999);
      expect(consumed).toEqual({
        isConsumed: true,
        token: { ...token, state: 'consumed', consumedAt: now() + 899_999 },
      });
      expect(await tokens().consumeEnrollmentTokenOnce(token.tokenHash, now())).toEqual({
        isConsumed: false,
        lost: 'consumed',
      });
    });

    test('at its end it is over, and one that nobody made is unknown', async () => {
      const token = await issue(await newAgent());
      const late = tokens().consumeEnrollmentTokenOnce(token.tokenHash, token.expiresAt);
      expect(await late).toEqual({ isConsumed: false, lost: 'expired' });
      const unknown = tokens().consumeEnrollmentTokenOnce(hashOf(999_999), now());
      expect(await unknown).toEqual({ isConsumed: false, lost: 'unknown' });
    });

    test('of many that consume one at once, over two processes, one has it', async () => {
      const token = await issue(await newAgent());
      const second = await shared.secondProcess();
      const tries = await Promise.all(
        range(10).map((number) =>
          (number % 2 === 0 ? tokens() : second.enrollmentTokens).consumeEnrollmentTokenOnce(token.tokenHash, now()),
        ),
      );
      expect(tries.filter(({ isConsumed }) => isConsumed)).toHaveLength(1);
      expect(tries.filter((each) => !each.isConsumed && each.lost === 'consumed')).toHaveLength(9);
    });

    test('a new one voids the open one of its agent, and no other', async () => {
      const [agent, other] = [await newAgent(), await newAgent()];
      const [old, foreign] = [await issue(agent), await issue(other)];
      const next = await issue(agent);
      expect(await tokens().consumeEnrollmentTokenOnce(old.tokenHash, now())).toEqual({
        isConsumed: false,
        lost: 'voided',
      });
      expect(await tokens().consumeEnrollmentTokenOnce(foreign.tokenHash, now())).toMatchObject({ isConsumed: true });
      expect(await tokens().consumeEnrollmentTokenOnce(next.tokenHash, now())).toMatchObject({ isConsumed: true });
    });

    test('of two that are issued at once one is open', async () => {
      const agent = await newAgent();
      const second = await shared.secondProcess();
      const token = (tokenHash: string) => ({ ...agent, tokenHash, issuedBy: 'root' });
      const [one, other] = [hashOf(++hashes), hashOf(++hashes)];
      await Promise.all([
        tokens().issueEnrollmentToken(token(one), now()),
        second.enrollmentTokens.issueEnrollmentToken(token(other), now()),
      ]);
      const consumed = [
        await tokens().consumeEnrollmentTokenOnce(one, now()),
        await tokens().consumeEnrollmentTokenOnce(other, now()),
      ];
      expect(consumed.filter(({ isConsumed }) => isConsumed)).toHaveLength(1);
      expect(consumed.filter((each) => !each.isConsumed && each.lost === 'voided')).toHaveLength(1);
    });

    test('a token that fails to be issued voids nothing', async () => {
      const agent = await newAgent();
      const token = await issue(agent);
      await expect(issue(agent, token.tokenHash)).rejects.toMatchObject({ code: 'conflict' });
      expect(await tokens().consumeEnrollmentTokenOnce(token.tokenHash, now())).toMatchObject({ isConsumed: true });
    });

    test('a consumption that is rolled back was none', async () => {
      const token = await issue(await newAgent());
      const failed = shared.within(async (context) => {
        await tokens().consumeEnrollmentTokenOnce(token.tokenHash, now(), context);
        throw new Error('the certificate could not be made');
      });
      await expect(failed).rejects.toThrow('could not be made');
      expect(await tokens().consumeEnrollmentTokenOnce(token.tokenHash, now())).toMatchObject({ isConsumed: true });
    });

    test('tokens go with their agent, and are swept once they are over', async () => {
      const agent = await newAgent();
      const gone = await issue(agent);
      await shared.repositories.agents.remove(agent.tenant, agent.agentId);
      expect(await tokens().consumeEnrollmentTokenOnce(gone.tokenHash, now())).toMatchObject({ lost: 'unknown' });
      const kept = await issue(await newAgent());
      const rows = async () =>
        shared.harness.client.points(INSTANCE_SCOPE).selectFrom('enrollment_tokens').select('token_hash').execute();
      await tokens().sweep(kept.expiresAt, 1_000);
      expect(await rows()).toContainEqual({ token_hash: kept.tokenHash });
      expect(await tokens().sweep(kept.expiresAt + 1, 1_000)).toBeGreaterThanOrEqual(1);
      expect(await rows()).toEqual([]);
      expect(ENROLLMENT_TOKEN_LIFE_MS).toBe(900_000);
    });

    test.each([
      [{ tokenHash: 'the token in clear' }, 'invalid'],
      [{ tokenHash: '' }, 'invalid'],
      [{ tenant: '' }, 'invalid'],
      [{ agentId: '' }, 'invalid'],
      [{ agentId: 'nobody' }, 'not_found'],
      [{ issuedBy: '' }, 'invalid'],
    ])('one with %j is refused as %s', async (change, code) => {
      const token = { ...(await newAgent()), tokenHash: hashOf(++hashes), issuedBy: 'root', ...change };
      await expect(tokens().issueEnrollmentToken(token, now())).rejects.toMatchObject({ code });
    });

    test('a token in clear is not looked for', async () => {
      await expect(tokens().consumeEnrollmentTokenOnce('in clear', now())).rejects.toMatchObject({ code: 'invalid' });
    });
  });
}
