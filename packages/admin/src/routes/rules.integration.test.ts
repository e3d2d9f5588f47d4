import { compilePolicy } from '@postern/policy';
import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

function create(plane: TestControlPlane, body: object) {
  return plane.call({ method: 'POST', url: '/v1/rules', body });
}

async function inForce(plane: TestControlPlane): Promise<string[]> {
  return (await plane.repositories.directory.load('default'))?.rules.map(({ id }) => id) ?? [];
}

test('a rule is created, replaced, disabled and enabled again, and never deleted', async () => {
  await using plane = await startTestControlPlane();
  const created = await create(plane, { id: 'reads', effect: 'allow', methods: ['GET'] });
  expect(created).toMatchObject({ status: 201, body: { id: 'reads', disabled: false, origin: 'api' } });
  const put = (body: object) => plane.call({ method: 'PUT', url: '/v1/rules/reads', body });
  expect((await put({ effect: 'deny', hard: true })).body).toMatchObject({ effect: 'deny', hard: true });
  expect((await put({ ...created.body, paths: ['/x'] })).body).toMatchObject({ effect: 'allow', paths: ['/x'] });
  expect(await inForce(plane)).toEqual(['reads']);
  const disabled = await plane.call({ method: 'POST', url: '/v1/rules/reads/disable' });
  expect(disabled).toMatchObject({ status: 200, body: { disabled: true, disabledAt: '2026-03-01T12:00:00.000Z' } });
  expect(await inForce(plane)).toEqual([]);
  expect((await plane.call({ url: '/v1/rules' })).body.items).toMatchObject([{ id: 'reads', disabled: true }]);
  expect(await create(plane, { id: 'reads', effect: 'allow' })).toMatchObject({
    status: 409,
    body: { code: 'conflict' },
  });
  expect((await put({ effect: 'allow' })).body).toMatchObject({ disabled: false });
  expect(await inForce(plane)).toEqual(['reads']);
  expect((await plane.call({ method: 'DELETE', url: '/v1/rules/reads' })).status).toBe(204);
  expect((await plane.call({ url: '/v1/rules/reads' })).body.disabled).toBe(true);
  expect((await put({ effect: 'allow', disabled: true })).body.disabled).toBe(true);
  expect(await inForce(plane)).toEqual([]);
  expect((await put({ id: 'other', effect: 'allow' })).body.issues).toEqual([
    { field: 'id', message: 'cannot be changed' },
  ]);
  expect((await plane.call({ method: 'PUT', url: '/v1/rules/nothing', body: { effect: 'allow' } })).status).toBe(404);
});

test('the entry of an activation names the version that the data plane computes', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/integrations', body: { name: 'a', baseUrl: 'https://a.example' } });
  await create(plane, { id: 'b', effect: 'allow' });
  await create(plane, { id: 'a', effect: 'deny' });
  const entries = (await plane.call({ url: '/v1/audit/events?type=policy.activated' })).body.items;
  const directory = await plane.repositories.directory.load('default');
  const { version } = compilePolicy({
    integrations: directory?.integrations.map(({ spec }) => spec),
    rules: directory?.rules.map(({ spec }) => spec),
    global: { rules: directory?.globalRules.map(({ spec }) => spec) },
  });
  expect(entries[0]).toMatchObject({ type: 'policy.activated', policyVersion: version });
  expect(entries).toHaveLength(3);
  expect(new Set(entries.map((entry: { policyVersion: string }) => entry.policyVersion)).size).toBe(3);
});

test('a write that leaves the policy as it is activates nothing', async () => {
  await using plane = await startTestControlPlane();
  await create(plane, { id: 'a', effect: 'deny' });
  await plane.call({ method: 'PUT', url: '/v1/rules/a', body: { effect: 'deny', disabled: false } });
  expect((await plane.call({ url: '/v1/audit/events?type=policy.activated' })).body.items).toHaveLength(1);
});

test.each<[object, string, string]>([
  [{ effect: 'allow' }, 'id', 'is required'],
  [{ id: 'a', effect: 'permit' }, 'effect', 'must be one of allow, deny, require_approval'],
  [{ id: 'a', effect: 'allow', when: 'true' }, 'when', 'is not supported by this version'],
  [{ id: 'a', effect: 'rate_limit', limit: {} }, 'effect', 'must be one of allow, deny, require_approval'],
  [{ id: 'a', effect: 'allow', shadow: true }, 'shadow', 'is not supported by this version'],
  [{ id: 'a', effect: 'allow', hard: true }, 'hard', 'goes with effect deny only'],
  [{ id: 'a', effect: 'allow', agents: ['trust>=9'] }, 'agents[0]', expect.stringContaining('must compare trust')],
  [{ id: 'a', effect: 'allow', paths: ['/x*y'] }, 'paths[0]', expect.any(String)],
  [{ id: 'a', effect: 'allow', methods: ['get'] }, 'methods[0]', 'must be an upper-case HTTP method such as GET'],
  [{ id: 'a', effect: 'allow', integrations: [] }, 'integrations', 'must have at least 1 item'],
])('the rule %j is refused with its field', async (body, field, message) => {
  const plane = shared();
  expect(await create(plane, body)).toMatchObject({ status: 422, body: { issues: [{ field, message }] } });
  expect((await plane.call({ url: '/v1/rules' })).body.items).toEqual([]);
});

test('an edit under a stale tag is refused', async () => {
  await using plane = await startTestControlPlane();
  const { headers } = await create(plane, { id: 'a', effect: 'deny' });
  const ifMatch = { 'if-match': headers['etag'] ?? '' };
  const put = () => plane.call({ method: 'PUT', url: '/v1/rules/a', body: { effect: 'allow' }, headers: ifMatch });
  expect((await put()).status).toBe(200);
  expect(await put()).toMatchObject({ status: 412, body: { code: 'precondition_failed' } });
  expect(await plane.call({ method: 'DELETE', url: '/v1/rules/a', headers: ifMatch })).toMatchObject({ status: 412 });
});
