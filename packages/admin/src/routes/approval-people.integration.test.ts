import { describe, expect, test } from 'vitest';
import { decide, holdCall } from '../approvals/held-call.fixture.ts';
import { startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const one = async (plane: TestControlPlane, id: string, token?: string) =>
  await plane.call({ url: `/v1/approvals/${id}`, ...(token === undefined ? {} : { token }) });
const list = async (plane: TestControlPlane, query = '', token?: string) =>
  await plane.call({ url: `/v1/approvals${query}`, ...(token === undefined ? {} : { token }) });

describe('people', () => {
  const TWO_GROUPS = { groups: ['security', 'legal'] };

  test('of each group must approve, and one who is in both takes one seat', async () => {
    await using plane = await startTestControlPlane();
    const both = await plane.createAdmin('both', 'approver', undefined, ['security', 'legal']);
    const legal = await plane.createAdmin('lea', 'approver', undefined, ['legal']);
    const other = await plane.createAdmin('otto', 'approver', undefined, ['sales']);
    const { id } = await holdCall(plane, { terms: TWO_GROUPS });
    expect((await one(plane, id)).body.missing.words).toBe(
      '1 more person of security and 1 more person of legal must approve',
    );
    expect((await decide(plane, id, 'approve', { token: both })).body).toMatchObject({
      status: 'pending',
      missing: { words: '1 more person of legal or security must approve' },
    });
    expect(await decide(plane, id, 'approve', { token: both })).toMatchObject({
      status: 409,
      body: {
        code: 'conflict',
        detail: 'You have approved this already: 1 more person of legal or security must approve.',
      },
    });
    for (const token of [other, plane.ownerToken]) {
      expect(await decide(plane, id, 'approve', { token })).toMatchObject({
        status: 403,
        body: { code: 'forbidden', detail: 'Only members of security or legal may approve this, and you are none.' },
      });
    }
    expect((await decide(plane, id, 'approve', { token: legal })).body.status).toBe('approved');
  });

  test.each(['alice', 'Alice', 'ALICE'])(
    'named as the agent’s owner (%s) cannot approve its calls, and can deny',
    async (name) => {
      await using plane = await startTestControlPlane();
      const owner = await plane.createAdmin(name, 'admin');
      const { id } = await holdCall(plane);
      expect(await decide(plane, id, 'approve', { token: owner })).toMatchObject({
        status: 403,
        body: { code: 'forbidden', detail: 'You own the agent coder: somebody else must approve its calls.' },
      });
      expect((await one(plane, id)).body.votes).toEqual([]);
      expect((await decide(plane, id, 'deny', { token: owner })).body.decidedBy).toBe(name);
    },
  );

  test('vote with the groups that they have at that moment; a change afterwards takes nothing back', async () => {
    await using plane = await startTestControlPlane();
    const bob = await plane.createAdmin('bob', 'approver', undefined, ['security']);
    const eve = await plane.createAdmin('eve', 'approver');
    const groups = (name: string, names: string[]) =>
      plane.call({ method: 'PATCH', url: `/v1/admins/${name}`, body: { groups: names } });
    const { id } = await holdCall(plane, { terms: TWO_GROUPS });
    await decide(plane, id, 'approve', { token: bob });
    expect((await groups('bob', [])).status).toBe(200);
    expect((await one(plane, id)).body).toMatchObject({
      missing: { words: '1 more person of legal must approve' },
      votes: [{ by: 'bob', groups: ['security'], counts: true }],
    });
    expect((await decide(plane, id, 'approve', { token: eve })).status).toBe(403);
    await groups('eve', ['legal']);
    expect((await decide(plane, id, 'approve', { token: eve })).body.status).toBe('approved');
  });

  test('who are no administrators any more no longer count, nor can they vote', async () => {
    await using plane = await startTestControlPlane();
    const bob = await plane.createAdmin('bob', 'approver');
    const eve = await plane.createAdmin('eve', 'approver');
    const { id } = await holdCall(plane, { terms: { approvers: 2 } });
    await decide(plane, id, 'approve', { token: bob });
    await plane.call({ method: 'DELETE', url: '/v1/admins/bob' });
    expect((await one(plane, id)).body).toMatchObject({
      missing: { words: '2 more people must approve' },
      votes: [{ by: 'bob', counts: false }],
    });
    expect((await decide(plane, id, 'approve', { token: bob })).status).toBe(401);
    expect((await decide(plane, id, 'approve', { token: eve })).body).toMatchObject({
      status: 'pending',
      missing: { words: '1 more person must approve' },
    });
    expect((await decide(plane, id, 'approve')).body.status).toBe('approved');
  });

  test('whose token is revoked while their request is on its way decide nothing', async () => {
    await using plane = await startTestControlPlane();
    const bob = await plane.createAdmin('bob', 'approver');
    const { id } = await holdCall(plane);
    const { runInTransaction } = plane.dependencies;
    // By then the request has been admitted.
    const revokeFirst: typeof runInTransaction = async (operation, context) => {
      await plane.repositories.admins.revoke('bob', plane.clock.now);
      return await runInTransaction(operation, context);
    };
    Object.assign(plane.dependencies, { runInTransaction: revokeFirst });
    expect((await decide(plane, id, 'approve', { token: bob })).status).toBe(401);
    expect((await decide(plane, id, 'deny', { token: bob })).status).toBe(401);
    expect((await one(plane, id)).body).toMatchObject({ status: 'pending', votes: [] });
  });

  test.each([
    ['owner', 200, 200],
    ['admin', 200, 200],
    ['approver', 200, 200],
    ['auditor', 200, 403],
    ['operator', 200, 403],
  ] as const)('with the role %s read with %i and decide with %i', async (role, read, decided) => {
    await using plane = await startTestControlPlane();
    const token = await plane.createAdmin('someone', role);
    const [first, second] = [await holdCall(plane), await holdCall(plane)];
    expect((await list(plane, '', token)).status).toBe(read);
    expect((await one(plane, first.id, token)).status).toBe(read);
    expect((await decide(plane, first.id, 'approve', { token })).status).toBe(decided);
    expect((await decide(plane, second.id, 'deny', { token })).status).toBe(decided);
  });

  test('of another tenant find nothing, whatever they do', async () => {
    await using plane = await startTestControlPlane();
    await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
    const token = await plane.createAdmin('foreign', 'admin', 'acme');
    const { id } = await holdCall(plane);
    for (const answer of [
      await one(plane, id, token),
      await decide(plane, id, 'approve', { token }),
      await decide(plane, id, 'deny', { token }),
      await decide(plane, 'nothing', 'approve'),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { code: 'unknown_approval' } });
    }
    expect((await list(plane, '', token)).body.items).toEqual([]);
    expect((await one(plane, id)).body.status).toBe('pending');
  });
});
