import { isAdminToken } from '@postern/auth';
import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

test('a tenant is created once and begins with its own log', async () => {
  await using plane = await startTestControlPlane();
  const create = (name: unknown) => plane.call({ method: 'POST', url: '/v1/tenants', body: { name } });
  expect(await create('acme')).toMatchObject({
    status: 201,
    body: { name: 'acme', createdAt: '2026-03-01T12:00:00.000Z' },
  });
  expect(await create('acme')).toMatchObject({ status: 409, body: { code: 'conflict' } });
  for (const name of ['*', '', 'a/b', 7]) expect(await create(name)).toMatchObject({ status: 422 });
  const { items } = (await plane.call({ url: '/v1/tenants' })).body;
  expect(items.map((tenant: { name: string }) => tenant.name)).toEqual(['acme', 'default']);
  expect((await plane.call({ url: '/v1/audit/events', tenant: 'acme' })).body.items).toMatchObject([
    { type: 'admin.created', subject: 'tenant:acme', actor: 'bootstrap' },
  ]);
});

test("an administrator's token is shown once and stored as a digest", async () => {
  await using plane = await startTestControlPlane();
  const created = await plane.call({
    method: 'POST',
    url: '/v1/admins',
    body: { name: 'ann', role: 'approver', groups: ['ops'] },
  });
  const { token } = created.body;
  expect(created).toMatchObject({
    status: 201,
    body: { name: 'ann', role: 'approver', tenant: 'default', groups: ['ops'] },
  });
  expect(isAdminToken(token)).toBe(true);
  const stored = await plane.repositories.admins.getByName('ann');
  expect(JSON.stringify(stored)).not.toContain(token);
  const seen = await Promise.all(
    ['/v1/admins', '/v1/admins/ann', '/v1/audit/events'].map((url) => plane.call({ url })),
  );
  expect(seen.map(({ text }) => text).join('') + plane.logged.join('')).not.toMatch(new RegExp(`${token}|igest`));
});

test.each<[object, string, string]>([
  [{ name: 'a', role: 'root' }, 'role', 'must be one of owner, admin, approver, auditor, operator'],
  [{ name: 'a', role: 'admin', tenant: 'nowhere' }, 'tenant', 'is not a tenant'],
  [{ name: 'a', role: 'owner', tenant: 'default' }, 'tenant', 'must be left out: an owner is of the whole instance'],
  [{ name: 'a', role: 'admin', expiresAt: '2026-03-01T12:00:00Z' }, 'expiresAt', 'must be in the future'],
  [
    { name: 'a', role: 'admin', expiresAt: 'tomorrow' },
    'expiresAt',
    'must be an ISO 8601 time such as 2026-01-31T12:00:00Z',
  ],
  [{ role: 'admin' }, 'name', 'is required'],
  [{ name: 'bootstrap', role: 'admin' }, 'name', 'is the name of the first owner'],
])('the administrator %j is refused with its field', async (body, field, message) => {
  const plane = shared();
  const answer = await plane.call({ method: 'POST', url: '/v1/admins', body });
  expect(answer).toMatchObject({ status: 422, body: { issues: [{ field, message }] } });
});

test('administrators are listed over all tenants or of one, revoked ones too', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
  await plane.createAdmin('ann', 'admin', 'acme');
  await plane.createAdmin('bob', 'auditor');
  await plane.createAdmin('root', 'owner');
  expect((await plane.call({ method: 'DELETE', url: '/v1/admins/bob' })).status).toBe(204);
  const list = async (query: string) => {
    const { items } = (await plane.call({ url: `/v1/admins${query}` })).body;
    return items.map(({ name, tenant, revokedAt }: Record<string, string>) => [name, tenant, revokedAt !== undefined]);
  };
  expect(await list('')).toEqual([
    ['ann', 'acme', false],
    ['bob', 'default', true],
    ['root', undefined, false],
  ]);
  expect(await list('?tenant=acme')).toEqual([['ann', 'acme', false]]);
  expect((await plane.call({ method: 'DELETE', url: '/v1/admins/nobody' })).status).toBe(404);
});

test.each(['PATCH', 'PUT'] as const)('groups are changed by %s, and nothing else', async (method) => {
  await using plane = await startTestControlPlane();
  await plane.createAdmin('ann', 'approver', undefined, ['ops']);
  const edit = (body: object) => plane.call({ method, url: '/v1/admins/ann', body });
  const ann = (await plane.call({ url: '/v1/admins/ann' })).body;
  expect(await edit({ ...ann, groups: ['security', 'legal'] })).toMatchObject({
    status: 200,
    body: { name: 'ann', role: 'approver', groups: ['security', 'legal'] },
  });
  expect((await edit({ groups: [] })).body.groups).toEqual([]);
  const faults: [object, string, string][] = [
    [{ groups: ['ops'], role: 'admin' }, 'role', 'cannot be changed'],
    [{ groups: ['ops'], tenant: 'acme' }, 'tenant', 'cannot be changed'],
    [{ groups: ['ops', 'ops'] }, 'groups', ''],
    [{ groups: ['a b'] }, 'groups[0]', ''],
    [{ role: 'approver' }, 'groups', 'is required'],
    [{ groups: [], token: 'x' }, 'token', 'is not a known field'],
  ];
  for (const [body, field, message] of faults) {
    const answer = await edit(body);
    expect(answer, JSON.stringify(body)).toMatchObject({ status: 422, body: { issues: [{ field }] } });
    expect(answer.body.issues[0].message).toContain(message);
  }
  expect((await plane.call({ url: '/v1/admins/ann' })).body.groups).toEqual([]);
  expect((await plane.call({ method, url: '/v1/admins/nobody', body: { groups: [] } })).status).toBe(404);
  const { items } = (await plane.call({ url: '/v1/audit/events?type=admin.updated' })).body;
  expect(items.map(({ subject }: { subject: string }) => subject)).toEqual(['admin:ann', 'admin:ann']);
});

test('the audit log is searched by each filter, and times are taken as ISO 8601 or milliseconds', async () => {
  await using plane = await startTestControlPlane();
  const { audit } = plane.repositories;
  const at = plane.clock.now;
  await plane.dependencies.runInTransaction(async (context) => {
    const call = { tenant: 'default', kind: 'http', method: 'GET', url: 'https://a.example/x' } as const;
    const first = { agent: 'coder', integration: 'github', action: 'read', requestId: 'req_1' } as const;
    await audit.append({ ...call, ...first, at, type: 'intent', decision: 'allow' }, context);
    await audit.append({ tenant: 'default', ...first, at: at + 10, type: 'outcome', result: 'done' }, context);
    await audit.append(
      { ...call, at: at + 20, type: 'denied', agent: 'other', requestId: 'req_2', decision: 'deny' },
      context,
    );
  });
  const search = async (query: string) => {
    const answer = await plane.call({ url: `/v1/audit/events?${query}` });
    expect(answer.status, answer.text).toBe(200);
    return answer.body.items.map((entry: { seq: number }) => entry.seq);
  };
  expect(await search('')).toEqual([2, 1, 0]);
  expect(await search('requestId=req_1')).toEqual([1, 0]);
  expect(await search('agent=other')).toEqual([2]);
  expect(await search('integration=github&type=outcome')).toEqual([1]);
  expect(await search('action=read&decision=allow')).toEqual([0]);
  expect(await search('decision=deny')).toEqual([2]);
  expect(await search(`from=${at + 10}`)).toEqual([2, 1]);
  expect(await search(`to=${at + 10}`)).toEqual([0]);
  expect(await search('from=2026-03-01T12:00:00.010Z&to=2026-03-01T13:00:00.020%2B01:00')).toEqual([1]);
  expect(await search('from=2026-03-01')).toEqual([2, 1, 0]);
  expect(await search('to=2026-03-01')).toEqual([]);
  expect(await search('limit=2')).toEqual([2, 1]);
  const { nextCursor } = (await plane.call({ url: '/v1/audit/events?limit=2' })).body;
  expect(await search(`limit=2&cursor=${nextCursor}`)).toEqual([0]);
  const [entry] = (await plane.call({ url: '/v1/audit/events?agent=other' })).body.items;
  expect((await plane.call({ url: `/v1/audit/events/${entry.id}` })).body).toEqual(entry);
  expect((await plane.call({ url: '/v1/audit/events/nothing' })).status).toBe(404);
});

test.each([
  ['from=yesterday', 'from', 'must be an ISO 8601 time with an offset, a date, or milliseconds since the epoch'],
  ['to=2026-03-01T10:00:00', 'to', 'must be an ISO 8601 time with an offset, a date, or milliseconds since the epoch'],
  ['decision=maybe', 'decision', 'must be one of allow, deny, require_approval'],
  ['agnet=coder', 'agnet', 'is not a known field; did you mean "agent"?'],
  ['cursor=x', 'cursor', 'is not a cursor of this list'],
])('a search with %s is refused', async (query, field, message) => {
  const plane = shared();
  const answer = await plane.call({ url: `/v1/audit/events?${query}` });
  expect(answer).toMatchObject({ status: 422, body: { issues: [{ field, message }] } });
});

test('the JSON Schema of documents is served', async () => {
  await using plane = await startTestControlPlane();
  const answer = await plane.call({ url: '/v1/config-schema' });
  expect(answer.headers['content-type']).toContain('application/schema+json');
  expect(answer.body).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'postern.yaml' });
});
