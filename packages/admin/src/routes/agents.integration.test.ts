import { parseAgentKey, verifyKeyDigest } from '@postern/auth';
import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

test('an agent is created, read by id and name, replaced, changed and removed, each with its entry', async () => {
  await using plane = await startTestControlPlane();
  const created = await plane.call({
    method: 'POST',
    url: '/v1/agents',
    body: { name: 'coder', owner: 'alice', roles: ['developer'], trust: 'medium', environment: 'dev' },
  });
  expect(created.status).toBe(201);
  const { id } = created.body;
  expect(created.body).toEqual({
    id: expect.any(String),
    name: 'coder',
    owner: 'alice',
    roles: ['developer'],
    trust: 'medium',
    environment: 'dev',
    disabled: false,
    origin: 'api',
    createdAt: '2026-03-01T12:00:00.000Z',
    updatedAt: '2026-03-01T12:00:00.000Z',
  });
  expect((await plane.call({ url: `/v1/agents/${id}` })).body).toEqual(created.body);
  expect((await plane.call({ url: '/v1/agents/coder' })).body).toEqual(created.body);
  plane.clock.now += 1_000;
  const replaced = await plane.call({ method: 'PUT', url: '/v1/agents/coder', body: { trust: 'high' } });
  expect(replaced.body).toMatchObject({ id, trust: 'high', roles: [], updatedAt: '2026-03-01T12:00:01.000Z' });
  expect(replaced.body).not.toHaveProperty('owner');
  const patched = await plane.call({
    method: 'PATCH',
    url: `/v1/agents/${id}`,
    body: { disabled: true, owner: 'bob' },
  });
  expect(patched.body).toMatchObject({ trust: 'high', disabled: true, owner: 'bob' });
  const cleared = await plane.call({ method: 'PATCH', url: `/v1/agents/${id}`, body: { owner: null, trust: null } });
  expect(cleared.body).toMatchObject({ trust: 'low', disabled: true });
  expect(cleared.body).not.toHaveProperty('owner');
  expect((await plane.call({ method: 'DELETE', url: '/v1/agents/coder' })).status).toBe(204);
  expect((await plane.call({ url: '/v1/agents/coder' })).status).toBe(404);
  const { items } = (await plane.call({ url: '/v1/audit/events' })).body;
  expect(items.map((entry: { type: string }) => entry.type).reverse()).toEqual([
    'admin.created',
    'admin.updated',
    'admin.updated',
    'admin.updated',
    'admin.removed',
  ]);
  expect(items[0]).toMatchObject({ actor: 'bootstrap', subject: 'agent:coder', tenant: 'default' });
  expect(plane.changed).toEqual(Array(5).fill('default'));
});

test('an object as it was read may be sent back, but not under another name', async () => {
  await using plane = await startTestControlPlane();
  const { body } = await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  const answer = await plane.call({ method: 'PUT', url: '/v1/agents/coder', body: { ...body, trust: 'high' } });
  expect(answer).toMatchObject({ status: 200, body: { trust: 'high', id: body.id } });
  const renamed = await plane.call({ method: 'PATCH', url: '/v1/agents/coder', body: { name: 'other' } });
  expect(renamed).toMatchObject({ status: 422, body: { issues: [{ field: 'name', message: 'cannot be changed' }] } });
});

test('a name is given once', async () => {
  await using plane = await startTestControlPlane();
  const create = () => plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  expect((await create()).status).toBe(201);
  expect(await create()).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect((await plane.call({ url: '/v1/audit/events' })).body.items).toHaveLength(1);
});

test.each<[object, object]>([
  [{}, { field: 'name', message: 'is required' }],
  [{ name: 'a/b' }, { field: 'name', message: expect.stringContaining('letters, digits') }],
  [
    { name: 'a', trust: 5 },
    { field: 'trust', message: 'must be one of untrusted, low, medium, high, admin' },
  ],
  [
    { name: 'a', adresses: [] },
    { field: 'adresses', message: 'is not a known field; did you mean "addresses"?' },
  ],
  [
    { name: 'a', addresses: ['10.0.0.0/33'] },
    { field: 'addresses[0]', message: expect.stringContaining('network') },
  ],
])('the agent %j is refused with its field', async (body, issue) => {
  const plane = shared();
  const answer = await plane.call({ method: 'POST', url: '/v1/agents', body });
  expect(answer).toMatchObject({ status: 422, body: { code: 'validation_failed', issues: [issue] } });
});

test('an edit under a stale tag is refused, under the present one, any or none it is made', async () => {
  await using plane = await startTestControlPlane();
  const created = await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  const first = created.headers['etag'] ?? '';
  const patch = (ifMatch: string | undefined, method: 'PATCH' | 'DELETE' = 'PATCH') => {
    const headers: Record<string, string> = ifMatch === undefined ? {} : { 'if-match': ifMatch };
    const body = method === 'PATCH' ? { owner: 'bob' } : undefined;
    return plane.call({ method, url: '/v1/agents/coder', headers, body });
  };
  const second = await patch(first);
  expect(second.status).toBe(200);
  expect(second.headers['etag']).not.toBe(first);
  expect((await plane.call({ url: '/v1/agents/coder' })).headers['etag']).toBe(second.headers['etag']);
  for (const stale of [first, 'W/"2"', '"x"', '']) {
    expect(await patch(stale), stale).toMatchObject({ status: 412, body: { code: 'precondition_failed' } });
  }
  expect(await patch(first, 'DELETE')).toMatchObject({ status: 412 });
  expect((await patch(`"x", ${second.headers['etag']}`)).status).toBe(200);
  expect((await patch('*')).status).toBe(200);
  expect((await patch(undefined)).status).toBe(200);
});

test('of edits at once under one tag one is made', async () => {
  await using plane = await startTestControlPlane();
  const { headers } = await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, index) => {
      const body = { owner: `owner-${index}` };
      return plane.call({
        method: 'PATCH',
        url: '/v1/agents/coder',
        headers: { 'if-match': headers['etag'] ?? '' },
        body,
      });
    }),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412, 412, 412]);
});

test('lists come in pages in the order of names', async () => {
  await using plane = await startTestControlPlane();
  const names = Array.from({ length: 7 }, (_, index) => `agent-${index}`);
  for (const name of [...names].reverse()) await plane.call({ method: 'POST', url: '/v1/agents', body: { name } });
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const { body } = await plane.call({ url: `/v1/agents?limit=3${cursor === undefined ? '' : `&cursor=${cursor}`}` });
    expect(body.items.length).toBeLessThanOrEqual(3);
    seen.push(...body.items.map((item: { name: string }) => item.name));
    cursor = body.nextCursor;
  } while (cursor !== undefined);
  expect(seen).toEqual(names);
});

test.each([
  ['limit=0', 'limit', 'must be at least 1'],
  ['limit=101', 'limit', 'must be at most 100'],
  ['limit=x', 'limit', 'must be a number'],
  ['cursor=x', 'cursor', 'is not a cursor of this list'],
  ['limt=5', 'limt', 'is not a known field; did you mean "limit"?'],
])('a list asked with %s is refused', async (query, field, message) => {
  const plane = shared();
  const answer = await plane.call({ url: `/v1/agents?${query}` });
  expect(answer).toMatchObject({ status: 422, body: { issues: [{ field, message }] } });
});

test('fifty items are a page unless asked otherwise, a hundred at most', async () => {
  await using plane = await startTestControlPlane();
  const names = Array.from({ length: 101 }, (_, index) => `  - { name: a${index} }`);
  const headers = { 'content-type': 'application/yaml' };
  const body = `version: 1\nagents:\n${names.join('\n')}\n`;
  expect((await plane.call({ method: 'POST', url: '/v1/apply', body, headers })).status).toBe(200);
  expect((await plane.call({ url: '/v1/agents' })).body.items).toHaveLength(50);
  expect((await plane.call({ url: '/v1/agents?limit=100' })).body.items).toHaveLength(100);
});

test('a key is shown once and stored as a digest', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  const expiresAt = '2026-03-01T13:00:00+01:00';
  const before = await plane.call({ method: 'POST', url: '/v1/agents/coder/keys', body: { expiresAt } });
  expect(before).toMatchObject({
    status: 422,
    body: { issues: [{ field: 'expiresAt', message: 'must be in the future' }] },
  });
  const issued = await plane.call({
    method: 'POST',
    url: '/v1/agents/coder/keys',
    body: { expiresAt: '2026-03-01T14:00:00+01:00', scopes: ['call'] },
  });
  const { id, key } = issued.body;
  expect(issued).toMatchObject({ status: 201, body: { expiresAt: '2026-03-01T13:00:00.000Z', scopes: ['call'] } });
  expect(parseAgentKey(key)?.publicId).toBe(id);
  const listed = await plane.call({ url: '/v1/agents/coder/keys' });
  expect(listed.body.items).toEqual([
    {
      id,
      scopes: ['call'],
      origin: 'api',
      expiresAt: '2026-03-01T13:00:00.000Z',
      createdAt: '2026-03-01T12:00:00.000Z',
    },
  ]);
  const found = await plane.repositories.agents.findKey(id);
  const digest = Buffer.from(found?.key.digest ?? '', 'base64');
  expect(
    verifyKeyDigest(key, { keyId: found?.key.digestKeyId ?? '', digest }, plane.dependencies.agentKeyHmacKeys),
  ).toBe(true);
  const { text } = await plane.call({ url: '/v1/audit/events' });
  expect(text + plane.logged.join('')).not.toContain(key);
  expect(text).toContain(`agent-key:coder/${id}`);
});

test('without a body a key has all scopes and no end', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  const issued = await plane.call({ method: 'POST', url: '/v1/agents/coder/keys' });
  expect(issued.body).toMatchObject({ expiresAt: null, scopes: ['call', 'explain', 'buffer'] });
});

test('a revoked key stays listed as such; to revoke it again is no change', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  const { id } = (await plane.call({ method: 'POST', url: '/v1/agents/coder/keys' })).body;
  const revoke = () => plane.call({ method: 'DELETE', url: `/v1/agents/coder/keys/${id}` });
  expect((await revoke()).status).toBe(204);
  const changes = plane.changed.length;
  expect((await revoke()).status).toBe(204);
  expect(plane.changed).toHaveLength(changes);
  expect((await plane.call({ url: '/v1/agents/coder/keys' })).body.items[0]).toMatchObject({
    id,
    revokedAt: '2026-03-01T12:00:00.000Z',
  });
  expect((await plane.call({ method: 'DELETE', url: '/v1/agents/coder/keys/unknown' })).status).toBe(404);
});
