import { describe, expect, test } from 'vitest';
import type { AdminIdentityStatus, AdminRoleBinding, NewAdminIdentity, SignupMode } from '../ports/admin-auth.ts';
import { type MakeDbHarness, readPages } from './harness.ts';
import { range, shareHarness } from './shared-harness.ts';

export function describeAdminAuthPort(makeHarness: MakeDbHarness): void {
  describe('administrators by identity', () => {
    const shared = shareHarness(makeHarness);
    const auth = () => shared.repositories.adminAuth;
    let people = 0;
    const identityOf = (change: Partial<NewAdminIdentity> = {}): NewAdminIdentity => ({
      issuer: 'https://issuer.example',
      subject: `subject-${++people}`,
      email: 'Ann@Example.org',
      isEmailVerified: true,
      name: 'Ann',
      status: 'pending',
      ...change,
    });
    const newIdentity = (change: Partial<NewAdminIdentity> = {}) => auth().createAdminIdentity(identityOf(change));

    describe('the sign-up policy', () => {
      test('blocks everybody until somebody decides otherwise', async () => {
        expect(await auth().getAdminSignupPolicy()).toEqual({ mode: 'blocked', allowedDomains: [], version: 0 });
        const policy = { mode: 'allowed_domains', allowedDomains: ['example.org'] } as const;
        const set = await auth().setAdminSignupPolicy(policy, { updatedBy: 'root', ifVersion: 0 });
        expect(set).toEqual({ ...policy, version: 1, updatedBy: 'root', updatedAt: shared.clock.nowMs });
        expect(await auth().getAdminSignupPolicy()).toEqual(set);
        const stale = auth().setAdminSignupPolicy(policy, { updatedBy: 'root', ifVersion: 0 });
        await expect(stale).rejects.toMatchObject({ code: 'stale' });
        const again = await auth().setAdminSignupPolicy({ mode: 'blocked', allowedDomains: [] }, { updatedBy: 'eve' });
        expect(again).toMatchObject({ mode: 'blocked', allowedDomains: [], version: 2, updatedBy: 'eve' });
      });

      test('of two that set one over the same version, one is told that it is stale', async () => {
        const { version } = await auth().getAdminSignupPolicy();
        const second = await shared.secondProcess();
        const policy = { mode: 'verified_email', allowedDomains: [] } as const;
        const by = { updatedBy: 'root', ifVersion: version };
        const set = await Promise.allSettled([
          auth().setAdminSignupPolicy(policy, by),
          second.adminAuth.setAdminSignupPolicy(policy, by),
        ]);
        expect(set.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        expect((await auth().getAdminSignupPolicy()).version).toBe(version + 1);
      });

      test.each([
        ['open', []],
        ['allowed_domains', []],
        ['verified_email', ['example.org']],
        ['blocked', ['example.org']],
        ['allowed_domains', ['Example.org']],
        ['allowed_domains', ['org']],
        ['allowed_domains', ['*.example.org']],
        ['allowed_domains', ['10.0.0.1']],
        ['allowed_domains', ['example.org', 'example.org']],
      ])('refuses the mode %s with the domains %j', async (mode, allowedDomains) => {
        const policy = { mode: mode as SignupMode, allowedDomains };
        const before = await auth().getAdminSignupPolicy();
        await expect(auth().setAdminSignupPolicy(policy, { updatedBy: 'root' })).rejects.toMatchObject({
          code: 'invalid',
        });
        expect(await auth().getAdminSignupPolicy()).toEqual(before);
      });
    });

    describe('identities', () => {
      test('one is found by id and by the exact issuer and subject, and by nothing else', async () => {
        const made = await newIdentity({ subject: 'Exact' });
        expect(made).toEqual({
          id: expect.any(String),
          issuer: 'https://issuer.example',
          subject: 'Exact',
          email: 'ann@example.org',
          isEmailVerified: true,
          name: 'Ann',
          status: 'pending',
          bindings: [],
          version: 1,
          createdAt: shared.clock.nowMs,
          updatedAt: shared.clock.nowMs,
        });
        expect(await auth().getAdminIdentityById(made.id)).toEqual(made);
        expect(await auth().findAdminIdentityByIssuerSubject('https://issuer.example', 'Exact')).toEqual(made);
        expect(await auth().findAdminIdentityByIssuerSubject('https://issuer.example', 'exact')).toBeUndefined();
        expect(await auth().findAdminIdentityByIssuerSubject('https://issuer.example/', 'Exact')).toBeUndefined();
        expect(await auth().getAdminIdentityById('nobody')).toBeUndefined();
      });

      test('issuer and subject are known once, also when two sign up at once', async () => {
        const identity = identityOf();
        const second = await shared.secondProcess();
        const made = await Promise.allSettled([
          auth().createAdminIdentity(identity),
          second.adminAuth.createAdminIdentity(identity),
        ]);
        expect(made.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        await expect(auth().createAdminIdentity(identity)).rejects.toMatchObject({ code: 'conflict' });
        // Another issuer may call another person so.
        expect((await newIdentity({ ...identity, issuer: 'https://other.example' })).id).toBeDefined();
      });

      test.each([
        ['pending', 'active', true],
        ['pending', 'disabled', true],
        ['active', 'disabled', true],
        ['disabled', 'active', true],
        ['active', 'pending', false],
        ['disabled', 'pending', false],
        ['pending', 'pending', false],
        ['active', 'active', false],
      ] as const)('from %s to %s: %s', async (from, to, isAllowed) => {
        const { id } = await newIdentity({ status: from });
        const change = auth().updateAdminIdentityStatus(id, { from, to });
        if (isAllowed) expect(await change).toMatchObject({ status: to, version: 2 });
        else await expect(change).rejects.toMatchObject({ code: 'invalid' });
        expect((await auth().getAdminIdentityById(id))?.status).toBe(isAllowed ? to : from);
      });

      test('a status changes from the one that was seen, once', async () => {
        const { id } = await newIdentity();
        const second = await shared.secondProcess();
        const changes = await Promise.allSettled([
          auth().updateAdminIdentityStatus(id, { from: 'pending', to: 'active' }),
          second.adminAuth.updateAdminIdentityStatus(id, { from: 'pending', to: 'disabled' }),
        ]);
        const lost = changes.filter((change) => change.status === 'rejected');
        expect(lost).toMatchObject([{ reason: { code: 'stale' } }]);
        const unknown = auth().updateAdminIdentityStatus('nobody', { from: 'pending', to: 'active' });
        await expect(unknown).rejects.toMatchObject({ code: 'not_found' });
        const bad = { from: 'pending', to: 'gone' as AdminIdentityStatus } as const;
        await expect(auth().updateAdminIdentityStatus(id, bad)).rejects.toMatchObject({ code: 'invalid' });
      });

      test('bindings are replaced as a whole, or set one by one', async () => {
        const [one, two] = [await shared.newTenant(), await shared.newTenant()];
        const inOne: AdminRoleBinding = { tenant: one, role: 'admin', groups: [] };
        const inTwo: AdminRoleBinding = { tenant: two, role: 'approver', groups: ['ops'] };
        const { id } = await newIdentity({ bindings: [inOne] });
        expect(await auth().upsertAdminRoleBindings(id, [inTwo])).toMatchObject({
          bindings: [inOne, inTwo],
          version: 2,
        });
        const changed = { ...inTwo, role: 'auditor', groups: [] } as const;
        expect(await auth().upsertAdminRoleBindings(id, [changed])).toMatchObject({ bindings: [inOne, changed] });
        const stale = auth().updateAdminIdentityBindings(id, { bindings: [], ifVersion: 2 });
        await expect(stale).rejects.toMatchObject({ code: 'stale' });
        const replaced = await auth().updateAdminIdentityBindings(id, { bindings: [inTwo], ifVersion: 3 });
        expect(replaced).toMatchObject({ bindings: [inTwo], version: 4 });
        expect(await auth().getAdminIdentityById(id)).toEqual(replaced);
      });

      test('a change of bindings of which one is bad changes nothing', async () => {
        const tenant = await shared.newTenant();
        const binding: AdminRoleBinding = { tenant, role: 'admin', groups: [] };
        const made = await newIdentity({ bindings: [binding] });
        const bad: readonly [AdminRoleBinding, string][] = [
          [{ ...binding, tenant: 'nowhere' }, 'not_found'],
          [{ ...binding, tenant: '' }, 'invalid'],
          [{ ...binding, tenant: '*' }, 'invalid'],
          [{ ...binding, role: 'boss' as 'admin' }, 'invalid'],
          [{ ...binding, groups: [''] }, 'invalid'],
          [binding, 'invalid'],
        ];
        for (const [one, code] of bad) {
          const change = { bindings: [{ ...binding, role: 'operator' as const }, one] };
          await expect(auth().updateAdminIdentityBindings(made.id, change)).rejects.toMatchObject({ code });
          await expect(auth().upsertAdminRoleBindings(made.id, change.bindings)).rejects.toMatchObject({ code });
        }
        expect(await auth().getAdminIdentityById(made.id)).toEqual(made);
        await expect(auth().upsertAdminRoleBindings('nobody', [binding])).rejects.toMatchObject({ code: 'not_found' });
      });

      test('the whole instance is owned, and nothing less', async () => {
        const owner: AdminRoleBinding = { tenant: '*', role: 'owner', groups: [] };
        expect((await newIdentity({ bindings: [owner] })).bindings).toEqual([owner]);
      });

      test('lists go newest first, in pages, by status and by tenant', async () => {
        const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
        const made: string[] = [];
        for (const number of range(5)) {
          const bindings: AdminRoleBinding[] = [
            { tenant, role: 'admin', groups: [] },
            { tenant: other, role: 'auditor', groups: [] },
          ];
          const status = number % 2 === 0 ? 'active' : 'pending';
          shared.clock.nowMs += 1;
          made.unshift((await newIdentity({ status, bindings })).id);
        }
        await newIdentity({ bindings: [{ tenant: other, role: 'admin', groups: [] }] });
        const list = (filter: Parameters<ReturnType<typeof auth>['listAdminIdentities']>[0]) =>
          readPages((cursor) => auth().listAdminIdentities(filter, { limit: 2, ...(cursor && { cursor }) }));
        const { items, sizes } = await list({ tenant });
        expect(items.map(({ id }) => id)).toEqual(made);
        expect(sizes).toEqual([2, 2, 1]);
        expect(items.every(({ bindings }) => bindings.length === 2)).toBe(true);
        expect((await list({ tenant, status: 'pending' })).items).toHaveLength(2);
        expect((await list({ tenant: other })).items).toHaveLength(6);
        expect((await list({})).items.length).toBeGreaterThanOrEqual(6);
        const bad = auth().listAdminIdentities({ status: 'gone' as AdminIdentityStatus }, { limit: 2 });
        await expect(bad).rejects.toMatchObject({ code: 'invalid' });
      });

      test.each([{ issuer: '' }, { subject: '' }, { email: 'nobody' }, { name: '' }, { status: 'gone' as 'active' }])(
        'one with %j is refused',
        async (change) => {
          await expect(newIdentity(change)).rejects.toMatchObject({ code: 'invalid' });
        },
      );
    });

    describe('access requests', () => {
      const at = () => shared.clock.nowMs;
      const ask = async (tenant: string, identityId?: string) => {
        const id = identityId ?? (await newIdentity()).id;
        return auth().createAdminAccessRequest({ tenant, identityId: id, role: 'approver', reason: 'on call' });
      };

      test('one is pending for each identity and tenant, also when two ask at once', async () => {
        const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
        const { id } = await newIdentity();
        const second = await shared.secondProcess();
        const asked = await Promise.allSettled([
          ask(tenant, id),
          second.adminAuth.createAdminAccessRequest({ tenant, identityId: id, role: 'admin' }),
        ]);
        expect(asked.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        await expect(ask(tenant, id)).rejects.toMatchObject({ code: 'conflict' });
        expect(await ask(other, id)).toEqual({
          tenant: other,
          id: expect.any(String),
          identityId: id,
          role: 'approver',
          reason: 'on call',
          createdAt: at(),
          status: 'pending',
        });
      });

      test('it is decided once, whoever decides, and may then be asked anew', async () => {
        const tenant = await shared.newTenant();
        const request = await ask(tenant);
        const second = await shared.secondProcess();
        const decisions = await Promise.all([
          auth().transitionAdminAccessRequestStatus(tenant, request.id, { to: 'approved', by: 'root', at: at() }),
          second.adminAuth.transitionAdminAccessRequestStatus(tenant, request.id, {
            to: 'denied',
            by: 'eve',
            at: at(),
            reason: 'no',
          }),
        ]);
        expect(decisions.filter(({ isDone }) => isDone)).toHaveLength(1);
        const [one, other] = decisions;
        expect(one.request).toEqual(other.request);
        const late = { to: 'cancelled', by: 'ann', at: at() } as const;
        expect(await auth().transitionAdminAccessRequestStatus(tenant, request.id, late)).toEqual({
          isDone: false,
          request: one.request,
        });
        expect((await ask(tenant, request.identityId)).status).toBe('pending');
      });

      test('it tells who decided, when and why', async () => {
        const tenant = await shared.newTenant();
        const { id } = await ask(tenant);
        const denied = { to: 'denied', by: 'root', at: 77, reason: 'not now' } as const;
        const { isDone, request } = await auth().transitionAdminAccessRequestStatus(tenant, id, denied);
        expect(isDone).toBe(true);
        expect(request).toMatchObject({
          status: 'denied',
          decidedBy: 'root',
          decidedAt: 77,
          decisionReason: 'not now',
        });
      });

      test('another tenant, a bad decision and a denial without a reason are refused', async () => {
        const tenant = await shared.newTenant();
        const { id } = await ask(tenant);
        const approve = { to: 'approved', by: 'root', at: 1 } as const;
        const move = (owner: string, change: object) =>
          auth().transitionAdminAccessRequestStatus(owner, id, { ...approve, ...change } as typeof approve);
        await expect(move(await shared.newTenant(), {})).rejects.toMatchObject({ code: 'not_found' });
        for (const change of [{ to: 'pending' }, { to: 'denied' }, { by: '' }, { at: -1 }, { reason: '' }]) {
          await expect(move(tenant, change)).rejects.toMatchObject({ code: 'invalid' });
        }
        const [request] = (await auth().listAdminAccessRequests({ tenant }, { limit: 9 })).items;
        expect(request?.status).toBe('pending');
      });

      test('a role is given in the transaction of the decision, or neither is', async () => {
        const tenant = await shared.newTenant();
        const request = await ask(tenant);
        const approve = (then: () => void) =>
          shared.within(async (context) => {
            const change = { to: 'approved', by: 'root', at: at() } as const;
            await auth().transitionAdminAccessRequestStatus(tenant, request.id, change, context);
            const binding = { tenant, role: request.role, groups: [] };
            await auth().upsertAdminRoleBindings(request.identityId, [binding], context);
            then();
          });
        await expect(
          approve(() => {
            throw new Error('changed my mind');
          }),
        ).rejects.toThrow('changed my mind');
        expect((await auth().getAdminIdentityById(request.identityId))?.bindings).toEqual([]);
        await approve(() => undefined);
        expect((await auth().getAdminIdentityById(request.identityId))?.bindings).toHaveLength(1);
      });

      test('lists go newest first, in pages, by tenant, status and identity', async () => {
        const tenant = await shared.newTenant();
        const asked: string[] = [];
        for (const _ of range(3)) {
          shared.clock.nowMs += 1;
          asked.unshift((await ask(tenant)).id);
        }
        const list = (filter: object) =>
          readPages((cursor) =>
            auth().listAdminAccessRequests({ tenant, ...filter }, { limit: 2, ...(cursor && { cursor }) }),
          );
        const { items, sizes } = await list({});
        expect(items.map(({ id }) => id)).toEqual(asked);
        expect(sizes).toEqual([2, 1]);
        const [newest] = items;
        expect((await list({ identityId: newest?.identityId })).items).toEqual([newest]);
        expect((await list({ status: 'approved' })).items).toEqual([]);
        const all = await auth().listAdminAccessRequests({}, { limit: 100 });
        expect(all.items.length).toBeGreaterThan(3);
      });

      test.each([
        [{ tenant: 'nowhere' }, 'not_found'],
        [{ tenant: '' }, 'invalid'],
        [{ tenant: '*' }, 'invalid'],
        [{ identityId: 'nobody' }, 'not_found'],
        [{ identityId: '' }, 'invalid'],
        [{ role: 'boss' as 'admin' }, 'invalid'],
        [{ reason: '' }, 'invalid'],
      ])('one with %j is refused as %s', async (change, code) => {
        const request = {
          tenant: await shared.newTenant(),
          identityId: (await newIdentity()).id,
          role: 'admin',
        } as const;
        await expect(auth().createAdminAccessRequest({ ...request, ...change })).rejects.toMatchObject({ code });
      });
    });
  });
}
