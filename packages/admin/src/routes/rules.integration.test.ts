import { compilePolicy, policyBundle } from '@postern/policy';
import { DEFAULT_RISK } from '@postern/schemas';
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
  const { version } = compilePolicy(
    policyBundle({
      integrations: directory?.integrations.map(({ spec }) => spec) ?? [],
      rules: directory?.rules.map(({ spec }) => spec) ?? [],
      globalRules: [],
      risk: DEFAULT_RISK,
    }),
  );
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
  [{ id: 'a', effect: 'permit' }, 'effect', 'must be one of allow, deny, require_approval, rate_limit'],
  [{ id: 'a', effect: 'allow', when: ' ' }, 'when', 'must be an expression; leave it out to match always'],
  [{ id: 'a', effect: 'rate_limit' }, 'limit', 'must have requests, perSeconds and per'],
  [{ id: 'a', effect: 'rate_limit', limit: { requests: 1 } }, 'limit.perSeconds', 'is required'],
  [{ id: 'a', effect: 'deny', limit: { requests: 1, perSeconds: 1 } }, 'limit', 'goes with effect rate_limit only'],
  [{ id: 'a', effect: 'allow', approval: {} }, 'approval', 'goes with effect require_approval only'],
  [{ id: 'a', effect: 'allow', shadow: 'yes' }, 'shadow', 'must be true or false'],
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

test.each<[object, number, string]>([
  [{ effect: 'allow', when: 'request.bdy == null' }, 8, 'bdy'],
  [{ effect: 'deny', when: 'agent.trust > "3"' }, 0, 'no such overload'],
  [{ effect: 'deny', when: 'true && agent.name' }, 0, ''],
  [{ effect: 'rate_limit', when: 'count.hour > 3', limit: { requests: 1, perSeconds: 1 } }, 6, 'counts by itself'],
  [{ effect: 'allow', when: 'request.path.matches("(a")' }, 21, ''],
  [{ effect: 'allow', when: 'response.status == 200' }, 0, ''],
])('the condition of %j is refused with rule, field and position', async (rule, position, words) => {
  const plane = shared();
  const { status, body } = await create(plane, { id: 'bad', ...rule });
  expect(status).toBe(422);
  expect(body.issues).toEqual([
    { rule: 'bad', field: 'when', position: expect.any(Number), message: expect.stringContaining(`(at character `) },
  ]);
  expect(body.issues[0]).toMatchObject({ position, message: expect.stringContaining(words) });
  expect((await plane.call({ url: '/v1/rules' })).body.items).toEqual([]);
});

test('a condition on a body that nobody sees is refused', async () => {
  await using plane = await startTestControlPlane();
  const actions = [{ name: 'upload', methods: ['PUT'], paths: ['/**'], body: 'stream' }];
  await plane.call({
    method: 'POST',
    url: '/v1/integrations',
    body: { name: 'a', baseUrl: 'https://a.example', actions },
  });
  const rule = { id: 'r', effect: 'allow', when: 'true || request.body == null' };
  expect((await create(plane, { ...rule, actions: ['upload'] })).body.issues).toMatchObject([
    { field: 'when', position: 16 },
  ]);
  expect((await create(plane, rule)).status).toBe(201);
});

test('a rule keeps its condition, limit, terms and shadow', async () => {
  await using plane = await startTestControlPlane();
  const limit = { requests: 5, perSeconds: 60, per: ['agent', 'host'] };
  const pace = { id: 'pace', effect: 'rate_limit', when: 'request.method == "GET"', limit, shadow: true };
  expect(await create(plane, pace)).toMatchObject({ status: 201, body: pace });
  const asks = { id: 'asks', effect: 'require_approval', approval: { approvers: 2, groups: ['ops'] } };
  const terms = { approvers: 2, groups: ['ops'], pendingSeconds: 900, grant: 'once', executeSeconds: 600 };
  expect(await create(plane, asks)).toMatchObject({ status: 201, body: { ...asks, approval: terms } });
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
