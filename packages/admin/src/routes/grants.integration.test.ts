import { describe, expect, test } from 'vitest';
import { decide, holdCall } from '../approvals/held-call.fixture.ts';
import { startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

/** Approves a held call; the id of its grant. */
async function give(plane: TestControlPlane, grant: object, agent = 'coder'): Promise<string> {
  const { id } = await holdCall(plane, { agent });
  const answer = await decide(plane, id, 'approve', { body: { grant } });
  expect(answer.status, answer.text).toBe(200);
  plane.clock.now += 1_000;
  const [made] = (await plane.call({ url: `/v1/approvals/${id}` })).body.grants;
  return made.id;
}

const revoke = (plane: TestControlPlane, id: string, body?: object, token?: string) =>
  plane.call({
    method: 'POST',
    url: `/v1/grants/${id}/revoke`,
    ...(body === undefined ? {} : { body }),
    ...(token === undefined ? {} : { token }),
  });

describe('grants', () => {
  test('are listed newest first, by agent, and only those that let something pass', async () => {
    await using plane = await startTestControlPlane();
    const once = await give(plane, { kind: 'once' });
    const rule = await give(plane, { kind: 'rule' }, 'other');
    const times = await give(plane, { kind: 'times', times: 2 });
    await revoke(plane, times);
    const read = async (query: string) =>
      (await plane.call({ url: `/v1/grants${query}` })).body.items.map(({ id }: { id: string }) => id);
    expect(await read('')).toEqual([times, rule, once]);
    expect(await read('?usable=true')).toEqual([rule, once]);
    expect(await read('?usable=false')).toEqual([times]);
    expect(await read('?agent=other')).toEqual([rule]);
    plane.clock.now += 600_000;
    expect(await read('?usable=true')).toEqual([rule]);
    expect((await plane.call({ url: `/v1/grants/${once}` })).body).toMatchObject({ id: once, state: 'expired' });
    expect(await plane.call({ url: '/v1/grants?usable=yes' })).toMatchObject({
      status: 422,
      body: { issues: [{ field: 'usable' }] },
    });
  });

  test('say in words what they let pass', async () => {
    await using plane = await startTestControlPlane();
    const grant = (await plane.call({ url: `/v1/grants/${await give(plane, { kind: 'rule' })}` })).body;
    expect(grant).toMatchObject({
      kind: 'rule',
      agent: 'coder',
      grantedBy: 'bootstrap',
      scope: { integration: 'bank', action: 'pay', method: 'POST', path: '/pay' },
      words: expect.stringMatching(/^All POST requests of agent coder to \/pay of integration bank/),
    });
    expect(grant.fingerprint).toBeUndefined();
  });

  test('are revoked once, with whoever did it in the log; again changes nothing', async () => {
    await using plane = await startTestControlPlane();
    const bob = await plane.createAdmin('bob', 'approver');
    const id = await give(plane, { kind: 'rule' });
    const first = await revoke(plane, id, { reason: 'left the team' }, bob);
    expect(first).toMatchObject({ status: 200, body: { state: 'revoked', revokedBy: 'bob' } });
    plane.clock.now += 1_000;
    expect((await revoke(plane, id)).body).toEqual(first.body);
    expect((await plane.call({ method: 'DELETE', url: `/v1/grants/${id}` })).status).toBe(204);
    const { items } = (await plane.call({ url: '/v1/audit/events?type=grant.revoked' })).body;
    expect(items).toMatchObject([{ actor: 'bob', grant: id, reason: 'left the team' }]);
  });

  test('are revoked by DELETE as well', async () => {
    await using plane = await startTestControlPlane();
    const id = await give(plane, { kind: 'once' });
    expect((await plane.call({ method: 'DELETE', url: `/v1/grants/${id}` })).status).toBe(204);
    expect((await plane.call({ url: `/v1/grants/${id}` })).body.state).toBe('revoked');
  });

  test.each([
    ['admin', 200, 200],
    ['approver', 200, 200],
    ['auditor', 200, 403],
    ['operator', 200, 403],
  ] as const)('are read by the role %s with %i and revoked with %i', async (role, read, revoked) => {
    await using plane = await startTestControlPlane();
    const token = await plane.createAdmin('someone', role);
    const id = await give(plane, { kind: 'once' });
    expect((await plane.call({ url: '/v1/grants', token })).status).toBe(read);
    expect((await plane.call({ url: `/v1/grants/${id}`, token })).status).toBe(read);
    expect((await revoke(plane, id, {}, token)).status).toBe(revoked);
    expect((await plane.call({ method: 'DELETE', url: `/v1/grants/${id}`, token })).status).toBe(
      revoked === 200 ? 204 : 403,
    );
  });

  test('of another tenant are not there', async () => {
    await using plane = await startTestControlPlane();
    await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
    const token = await plane.createAdmin('foreign', 'admin', 'acme');
    const id = await give(plane, { kind: 'rule' });
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/revoke'],
      ['DELETE', ''],
    ] as const) {
      const answer = await plane.call({ method, url: `/v1/grants/${id}${path}`, token });
      expect(answer, method).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect((await plane.call({ url: '/v1/grants', token })).body.items).toEqual([]);
    expect((await plane.call({ url: `/v1/grants/${id}` })).body.state).toBe('usable');
  });
});
