import type { KeyScope } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import type { NewSession } from '../ports/sessions.ts';
import type { MakeDbHarness } from './harness.ts';
import { hashOf, range, shareHarness } from './shared-harness.ts';

export function describeSessionsPort(makeHarness: MakeDbHarness): void {
  describe('sessions', () => {
    const shared = shareHarness(makeHarness);
    const sessions = () => shared.repositories.sessions;
    const now = () => shared.clock.nowMs;
    let hashes = 0;
    const sessionOf = async (change: Partial<NewSession> = {}): Promise<NewSession> => {
      const tenant = await shared.newTenant();
      return {
        tenant,
        id: 'session',
        agentId: await shared.newAgent(tenant),
        tokenHash: hashOf(++hashes),
        certificateFingerprint: hashOf(500_000 + hashes),
        scopes: ['call', 'explain'],
        expiresAt: now() + 900_000,
        ...change,
      };
    };
    const store = async (change: Partial<NewSession> = {}) => sessions().upsertSession(await sessionOf(change), now());

    test('one is found by the hash of its token, and reads as its time says', async () => {
      const session = await sessionOf({ dpopThumbprint: 'A'.repeat(43) });
      const stored = await sessions().upsertSession(session, now());
      expect(stored).toEqual({ ...session, createdAt: now(), state: 'active' });
      const read = (atMs: number) => sessions().getSessionByTokenHash(session.tokenHash, atMs);
      expect(await read(session.expiresAt - 1)).toEqual(stored);
      expect(await read(session.expiresAt)).toEqual({ ...stored, state: 'expired' });
      expect(await sessions().getSessionByTokenHash(hashOf(999_999), now())).toBeUndefined();
    });

    test('it is renewed with another token, and the old one leads nowhere', async () => {
      const session = await sessionOf();
      const first = await sessions().upsertSession(session, now());
      const renewal: NewSession = {
        ...session,
        tokenHash: hashOf(++hashes),
        scopes: ['call'],
        expiresAt: now() + 1_000_000,
      };
      const renewed = await sessions().upsertSession(renewal, now() + 500_000);
      expect(renewed).toEqual({ ...first, ...renewal, createdAt: first.createdAt });
      expect(await sessions().getSessionByTokenHash(session.tokenHash, now())).toBeUndefined();
      expect(await sessions().getSessionByTokenHash(renewal.tokenHash, now())).toEqual(renewed);
    });

    test('agent, certificate and thumbprint of a session do not change', async () => {
      const session = await sessionOf({ dpopThumbprint: 'A'.repeat(43) });
      await sessions().upsertSession(session, now());
      const otherAgent = await shared.newAgent(session.tenant, 'other');
      const { dpopThumbprint: _without, ...unbound } = session;
      for (const changed of [
        { ...session, agentId: otherAgent },
        { ...session, certificateFingerprint: hashOf(999_998) },
        { ...session, dpopThumbprint: 'B'.repeat(43) },
        unbound,
      ]) {
        const renewal = sessions().upsertSession({ ...changed, tokenHash: hashOf(++hashes) }, now());
        await expect(renewal).rejects.toMatchObject({ code: 'conflict' });
      }
      expect((await sessions().getSessionByTokenHash(session.tokenHash, now()))?.state).toBe('active');
    });

    test('it is revoked once, and not renewed after that', async () => {
      const session = await sessionOf();
      await sessions().upsertSession(session, now());
      const second = await shared.secondProcess();
      const revoked = await Promise.all([
        sessions().revokeSessionById(session.tenant, session.id, 77),
        second.sessions.revokeSessionById(session.tenant, session.id, 77),
      ]);
      expect(revoked.sort()).toEqual([false, true]);
      const read = await sessions().getSessionByTokenHash(session.tokenHash, now());
      expect(read).toMatchObject({ state: 'revoked', revokedAt: 77 });
      const renewal = sessions().upsertSession({ ...session, tokenHash: hashOf(++hashes) }, now());
      await expect(renewal).rejects.toMatchObject({ code: 'stale' });
      expect(await sessions().revokeSessionById(await shared.newTenant(), session.id, 1)).toBe(false);
      expect(await sessions().revokeSessionById(session.tenant, 'nobody', 1)).toBe(false);
    });

    test('renewing and revoking at once never leaves a revoked session active', async () => {
      const second = await shared.secondProcess();
      for (const _ of range(5)) {
        const session = await sessionOf();
        await sessions().upsertSession(session, now());
        const next = { ...session, tokenHash: hashOf(++hashes) };
        await Promise.allSettled([
          sessions().upsertSession(next, now()),
          second.sessions.revokeSessionById(session.tenant, session.id, now()),
        ]);
        const found = await Promise.all(
          [session, next].map(({ tokenHash }) => sessions().getSessionByTokenHash(tokenHash, now())),
        );
        expect(found.flatMap((each) => each?.state ?? [])).toEqual(['revoked']);
      }
    });

    test('a certificate that is revoked, or another agent’s, carries no session', async () => {
      const { agents } = shared.repositories;
      const tenant = await shared.newTenant();
      const agentId = await shared.newAgent(tenant);
      const sanUri = `spiffe://example.org/${tenant}`;
      await agents.setSanUri(tenant, agentId, sanUri);
      const fingerprint = hashOf(700_000 + ++hashes);
      const times = { notBefore: now(), notAfter: now() + 1_000_000 };
      await agents.issueCertificate({ tenant, agentId, sanUri, serial: '1', fingerprint, ...times });
      const session = (await sessionOf()) satisfies NewSession;
      const bound = { ...session, tenant, agentId, certificateFingerprint: fingerprint };
      const other = { ...bound, agentId: await shared.newAgent(tenant, 'other') };
      await expect(sessions().upsertSession(other, now())).rejects.toMatchObject({ code: 'invalid' });
      await sessions().upsertSession(bound, now());
      await agents.revokeCertificate(tenant, '1', { at: now(), by: 'root' });
      const after = { ...bound, id: 'after', tokenHash: hashOf(++hashes) };
      await expect(sessions().upsertSession(after, now())).rejects.toMatchObject({ code: 'stale' });
    });

    test('a token hash belongs to one session of all tenants', async () => {
      const { tokenHash } = await store();
      await expect(store({ tokenHash })).rejects.toMatchObject({ code: 'conflict' });
    });

    test('sessions go with their agent, and once their time is over', async () => {
      const gone = await store();
      await shared.repositories.agents.remove(gone.tenant, gone.agentId);
      expect(await sessions().getSessionByTokenHash(gone.tokenHash, now())).toBeUndefined();
      const [short, long] = [await store({ expiresAt: now() + 60_000 }), await store({ expiresAt: now() + 3_600_000 })];
      await sessions().deleteExpiredSessions(short.expiresAt - 1, 1_000);
      expect(await sessions().getSessionByTokenHash(short.tokenHash, now())).toBeDefined();
      expect(await sessions().deleteExpiredSessions(short.expiresAt, 1_000)).toBeGreaterThanOrEqual(1);
      expect(await sessions().getSessionByTokenHash(short.tokenHash, now())).toBeUndefined();
      expect(await sessions().getSessionByTokenHash(long.tokenHash, now())).toBeDefined();
    });

    test.each([
      [60_000, true],
      [59_999, false],
      [3_600_000, true],
      [3_600_001, false],
      [0, false],
    ])('a life of %i ms is taken: %s', async (lifeMs, isTaken) => {
      const storing = store({ expiresAt: now() + lifeMs });
      if (isTaken) expect((await storing).state).toBe('active');
      else await expect(storing).rejects.toMatchObject({ code: 'invalid' });
    });

    test.each([
      [{ tokenHash: 'in clear' }, 'invalid'],
      [{ certificateFingerprint: '' }, 'invalid'],
      [{ id: '' }, 'invalid'],
      [{ tenant: '' }, 'invalid'],
      [{ agentId: 'nobody' }, 'not_found'],
      [{ dpopThumbprint: 'short' }, 'invalid'],
      [{ scopes: ['root' as KeyScope] }, 'invalid'],
      [{ scopes: ['call', 'call'] as KeyScope[] }, 'invalid'],
    ])('one with %j is refused as %s', async (change, code) => {
      await expect(store(change)).rejects.toMatchObject({ code });
    });
  });
}
