import { describe, expect, test } from 'vitest';
import { CERTIFICATE_LIFE_MS_MAX, type NewAgentCertificate } from '../ports/agent-certificates.ts';
import { AGENT, type MakeDbHarness, readPages } from './harness.ts';
import { hashOf, range, shareHarness } from './shared-harness.ts';

export function describeAgentCertificatesPort(makeHarness: MakeDbHarness): void {
  describe('agents by certificate', () => {
    const shared = shareHarness(makeHarness);
    const agents = () => shared.repositories.agents;
    let issued = 0;
    const uriOf = (tenant: string, name = 'coder') => `spiffe://example.org/${tenant}/${name}`;
    const newIdentity = async (name?: string) => {
      const tenant = await shared.newTenant();
      const agentId = await shared.newAgent(tenant, name);
      await agents().setSanUri(tenant, agentId, uriOf(tenant));
      return { tenant, agentId, sanUri: uriOf(tenant) };
    };
    const certificateOf = (of: Pick<NewAgentCertificate, 'tenant' | 'agentId' | 'sanUri'>, change: object = {}) => {
      const number = ++issued;
      const times = { notBefore: shared.clock.nowMs, notAfter: shared.clock.nowMs + CERTIFICATE_LIFE_MS_MAX };
      return { ...of, serial: number.toString(16), fingerprint: hashOf(number), ...times, ...change };
    };

    test('an agent is found by its SAN URI over all tenants, disabled or not', async () => {
      const { tenant, agentId, sanUri } = await newIdentity();
      expect(await agents().getBySanUri(sanUri)).toEqual(await agents().getById(tenant, agentId));
      expect(await agents().getSanUri(tenant, agentId)).toBe(sanUri);
      expect(await agents().getSanUri(await shared.newTenant(), agentId)).toBeUndefined();
      await agents().update(tenant, agentId, { ...AGENT, disabled: true }, {});
      expect((await agents().getBySanUri(sanUri))?.disabled).toBe(true);
      expect(await agents().getBySanUri(`${sanUri}/more`)).toBeUndefined();
      expect(await agents().getBySanUri(sanUri.toUpperCase())).toBeUndefined();
    });

    test('an agent has one SAN URI, and a URI one agent of all tenants', async () => {
      const { tenant, agentId, sanUri } = await newIdentity();
      const other = await newIdentity();
      const taken = agents().setSanUri(other.tenant, other.agentId, sanUri);
      await expect(taken).rejects.toMatchObject({ code: 'conflict' });
      expect((await agents().getBySanUri(other.sanUri))?.id).toBe(other.agentId);
      const next = uriOf(tenant, 'next');
      await agents().setSanUri(tenant, agentId, next);
      expect(await agents().getBySanUri(sanUri)).toBeUndefined();
      expect((await agents().getBySanUri(next))?.id).toBe(agentId);
      await agents().setSanUri(tenant, agentId, undefined);
      expect(await agents().getBySanUri(next)).toBeUndefined();
    });

    test('a URI goes with its agent', async () => {
      const { tenant, agentId, sanUri } = await newIdentity();
      await agents().remove(tenant, agentId);
      expect(await agents().getBySanUri(sanUri)).toBeUndefined();
      const again = await shared.newAgent(tenant);
      await agents().setSanUri(tenant, again, sanUri);
      expect((await agents().getBySanUri(sanUri))?.id).toBe(again);
    });

    test.each(['', 'coder', 'mailto:a@example.org', 'spiffe://', 'spiffe://ex ample/a', 'spiffe://ä/a', 'x\u0000://a'])(
      'the URI %j is refused',
      async (sanUri) => {
        const { tenant, agentId } = await newIdentity();
        await expect(agents().setSanUri(tenant, agentId, sanUri)).rejects.toMatchObject({ code: 'invalid' });
      },
    );

    test('a URI belongs to an agent that is there', async () => {
      const { tenant } = await newIdentity();
      const nobody = agents().setSanUri(tenant, 'nobody', uriOf(tenant, 'nobody'));
      await expect(nobody).rejects.toMatchObject({ code: 'not_found' });
      const foreign = await newIdentity();
      const across = agents().setSanUri(tenant, foreign.agentId, uriOf(tenant, 'x'));
      await expect(across).rejects.toMatchObject({ code: 'not_found' });
    });

    test('the tenant of an agent is found by its id, and an id of two tenants is refused', async () => {
      const { tenant, agentId } = await newIdentity();
      expect(await agents().resolveTenantByAgent(agentId)).toBe(tenant);
      expect(await agents().resolveTenantByAgent('nobody')).toBeUndefined();
      const twin = await shared.newTenant();
      const row = await shared.harness.client
        .points(tenant)
        .selectFrom('agents')
        .selectAll()
        .where('id', '=', agentId)
        .executeTakeFirstOrThrow();
      await shared.harness.client
        .writes(twin)
        .insertInto('agents')
        .values({ ...row, tenant: twin })
        .execute();
      await expect(agents().resolveTenantByAgent(agentId)).rejects.toMatchObject({ code: 'invalid' });
    });

    test('a certificate is recorded, and found by its fingerprint and in the list of its agent', async () => {
      const identity = await newIdentity();
      const certificate = certificateOf(identity);
      const record = await agents().issueCertificate(certificate);
      expect(record).toEqual({ ...certificate, createdAt: shared.clock.nowMs });
      expect(await agents().findCertificate(certificate.fingerprint)).toEqual(record);
      expect(await agents().findCertificate(hashOf(999_999))).toBeUndefined();
      const { tenant, agentId } = identity;
      expect((await agents().listCertificates(tenant, { agentId }, { limit: 9 })).items).toEqual([record]);
      expect((await agents().listCertificates(tenant, { agentId: 'nobody' }, { limit: 9 })).items).toEqual([]);
      expect((await agents().listCertificates(await shared.newTenant(), {}, { limit: 9 })).items).toEqual([]);
    });

    test('a serial is known once in a tenant, a fingerprint once at all', async () => {
      const [one, other] = [await newIdentity(), await newIdentity()];
      const first = certificateOf(one);
      await agents().issueCertificate(first);
      const sameSerial = certificateOf(one, { serial: first.serial });
      await expect(agents().issueCertificate(sameSerial)).rejects.toMatchObject({ code: 'conflict' });
      const samePrint = certificateOf(other, { fingerprint: first.fingerprint });
      await expect(agents().issueCertificate(samePrint)).rejects.toMatchObject({ code: 'conflict' });
      expect((await agents().issueCertificate(certificateOf(other, { serial: first.serial }))).serial).toBe(
        first.serial,
      );
    });

    test.each([
      [{ serial: '' }, 'invalid'],
      [{ serial: 'FF' }, 'invalid'],
      [{ serial: 'f'.repeat(41) }, 'invalid'],
      [{ fingerprint: 'ab' }, 'invalid'],
      [{ fingerprint: 'F'.repeat(64) }, 'invalid'],
      [{ agentId: 'nobody' }, 'not_found'],
      [{ tenant: '' }, 'invalid'],
      [{ sanUri: 'spiffe://example.org/another' }, 'invalid'],
      [{ notAfter: 0, notBefore: 0 }, 'invalid'],
      [{ notBefore: 1, notAfter: 1 + CERTIFICATE_LIFE_MS_MAX + 1 }, 'invalid'],
      [{ notBefore: 1.5 }, 'invalid'],
    ])('a certificate with %j is refused as %s', async (change, code) => {
      const certificate = certificateOf(await newIdentity(), change);
      await expect(agents().issueCertificate(certificate)).rejects.toMatchObject({ code });
    });

    test('it is revoked once, by whoever is first, and its sessions end with it', async () => {
      const { sessions } = shared.repositories;
      const identity = await newIdentity();
      const [lost, kept] = [certificateOf(identity), certificateOf(identity)];
      const { tenant, agentId } = identity;
      for (const certificate of [lost, kept]) {
        await agents().issueCertificate(certificate);
        const session = {
          tenant,
          id: `session-${certificate.serial}`,
          agentId,
          tokenHash: hashOf(1_000_000 + Number.parseInt(certificate.serial, 16)),
          certificateFingerprint: certificate.fingerprint,
          scopes: ['call'],
          expiresAt: shared.clock.nowMs + 900_000,
        } as const;
        await sessions.upsertSession(session, shared.clock.nowMs);
      }
      const second = await shared.secondProcess();
      const revocation = { at: 55, by: 'root', reason: 'stolen' };
      const revoked = await Promise.all([
        agents().revokeCertificate(tenant, lost.serial, revocation),
        second.agents.revokeCertificate(tenant, lost.serial, { at: 55, by: 'root', reason: 'stolen' }),
      ]);
      expect(revoked.sort()).toEqual([false, true]);
      expect((await agents().findCertificate(lost.fingerprint))?.revoked).toEqual(revocation);
      expect((await agents().findCertificate(kept.fingerprint))?.revoked).toBeUndefined();
      const states = await Promise.all(
        [lost, kept].map(({ serial }) =>
          sessions.getSessionByTokenHash(hashOf(1_000_000 + Number.parseInt(serial, 16)), shared.clock.nowMs),
        ),
      );
      expect(states.map((session) => session?.state)).toEqual(['revoked', 'active']);
      expect(await agents().revokeCertificate(await shared.newTenant(), kept.serial, revocation)).toBe(false);
      expect(await agents().revokeCertificate(tenant, 'ffff', revocation)).toBe(false);
    });

    test('a revoked one stays revoked when its agent is gone, and counts for no agent of the same URI', async () => {
      const { tenant, agentId, sanUri } = await newIdentity();
      const certificate = certificateOf({ tenant, agentId, sanUri });
      await agents().issueCertificate(certificate);
      await agents().revokeCertificate(tenant, certificate.serial, { at: 5, by: 'root' });
      await agents().remove(tenant, agentId);
      const again = await shared.newAgent(tenant);
      await agents().setSanUri(tenant, again, sanUri);
      const found = await agents().findCertificate(certificate.fingerprint);
      expect(found).toMatchObject({ agentId, revoked: { at: 5, by: 'root' } });
      expect((await agents().getBySanUri(sanUri))?.id).not.toBe(found?.agentId);
    });

    test('lists go newest first, in pages', async () => {
      const identity = await newIdentity();
      const made: string[] = [];
      for (const _ of range(5)) {
        shared.clock.nowMs += 1;
        const certificate = certificateOf(identity);
        await agents().issueCertificate(certificate);
        made.unshift(certificate.serial);
      }
      const { items, sizes } = await readPages((cursor) =>
        agents().listCertificates(identity.tenant, {}, { limit: 2, ...(cursor && { cursor }) }),
      );
      expect(items.map(({ serial }) => serial)).toEqual(made);
      expect(sizes).toEqual([2, 2, 1]);
    });
  });
}
