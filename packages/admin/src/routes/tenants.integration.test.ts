import { describe, expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const plane = sharedTestControlPlane();
const range = (length: number) => Array.from({ length }, (_, index) => index);

let made = 0;
/** A tenant of the test's own. */
async function newTenant({ call }: TestControlPlane = plane()): Promise<string> {
  made += 1;
  const name = `tenant-${made}`;
  expect((await call({ method: 'POST', url: '/v1/tenants', body: { name } })).status).toBe(201);
  return name;
}

const setLimits = (tenant: string, body: object, headers: Record<string, string> = {}) =>
  plane().call({ method: 'PUT', url: `/v1/tenants/${tenant}/limits`, body, headers });
const post = (url: string, tenant: string, body: unknown) => plane().call({ method: 'POST', url, tenant, body });

describe('a tenant', () => {
  test('is read by its name, disabled and enabled, with a tag for each state', async () => {
    const tenant = await newTenant();
    const url = `/v1/tenants/${tenant}`;
    const first = await plane().call({ url });
    expect(first.body).toEqual({ name: tenant, disabled: false, createdAt: '2026-03-01T12:00:00.000Z' });
    const etag = first.headers['etag'] as string;
    const disabled = await plane().call({
      method: 'PATCH',
      url,
      body: { disabled: true },
      headers: { 'if-match': etag },
    });
    expect(disabled.body).toMatchObject({ disabled: true, disabledAt: '2026-03-01T12:00:00.000Z' });
    expect(plane().changed.at(-1)).toBe(tenant);
    const stale = await plane().call({
      method: 'PATCH',
      url,
      body: { disabled: false },
      headers: { 'if-match': etag },
    });
    expect(stale.body).toMatchObject({ status: 412, code: 'precondition_failed' });
    expect((await plane().call({ method: 'PATCH', url, body: { disabled: false } })).body).toMatchObject({
      disabled: false,
    });
    expect((await plane().call({ url: '/v1/tenants/nobody' })).body).toMatchObject({ status: 404, code: 'not_found' });
    expect((await plane().call({ method: 'PATCH', url, body: { name: 'other' } })).status).toBe(422);
    const entries = await plane().call({ url: '/v1/audit/events?type=admin.updated', tenant });
    expect(entries.body.items).toHaveLength(2);
    expect(entries.body.items[0]).toMatchObject({ subject: `tenant:${tenant}`, actor: 'bootstrap' });
  });

  test('that is disabled is closed to its administrators and open to owners of the instance', async () => {
    const tenant = await newTenant();
    const token = await plane().createAdmin(`admin-of-${tenant}`, 'admin', tenant);
    const list = (as?: string) =>
      plane().call({ url: '/v1/agents', tenant, ...(as === undefined ? {} : { token: as }) });
    expect((await list(token)).status).toBe(200);
    await plane().call({ method: 'PATCH', url: `/v1/tenants/${tenant}`, body: { disabled: true } });
    expect((await list(token)).body).toMatchObject({
      status: 403,
      code: 'forbidden',
      detail: 'The tenant is disabled.',
    });
    expect((await list()).status).toBe(200);
    await plane().call({ method: 'PATCH', url: `/v1/tenants/${tenant}`, body: { disabled: false } });
    expect((await list(token)).status).toBe(200);
  });

  test('is told of in its administrators’ streams no more once it is disabled', async () => {
    await using own = await startTestControlPlane({ heartbeatMs: 5 });
    const tenant = await newTenant(own);
    const token = await own.createAdmin('watcher', 'admin', tenant);
    const stream = own.server.inject({
      url: '/v1/events',
      headers: { authorization: `Bearer ${token}`, 'postern-tenant': tenant },
    });
    await own.call({ method: 'PATCH', url: `/v1/tenants/${tenant}`, body: { disabled: true } });
    // It ends by itself.
    expect((await stream).statusCode).toBeLessThan(500);
  });
});

describe('the limits of a tenant', () => {
  test('are none at first, and are replaced whole under their tag', async () => {
    const tenant = await newTenant();
    const url = `/v1/tenants/${tenant}/limits`;
    const first = await plane().call({ url });
    expect(first.body).toEqual({ tenant, usage: expect.objectContaining({ agents: 0, sealedBytes: 0 }) });
    const etag = first.headers['etag'] as string;
    const written = await setLimits(tenant, { ...first.body, agents: 2, callsPerSecond: 50 }, { 'if-match': etag });
    expect(written.body).toMatchObject({ agents: 2, callsPerSecond: 50, updatedAt: '2026-03-01T12:00:00.000Z' });
    expect(plane().changed.at(-1)).toBe(tenant);
    expect((await setLimits(tenant, {}, { 'if-match': etag })).body).toMatchObject({ status: 412 });
    expect((await setLimits(tenant, { rules: 3 })).body).not.toHaveProperty('agents');
    expect((await plane().call({ url })).body).toMatchObject({ rules: 3 });
    expect((await plane().call({ url: '/v1/tenants/nobody/limits' })).status).toBe(404);
    expect((await setLimits('nobody', {})).body).toMatchObject({ status: 404, code: 'not_found' });
  });

  test.each([
    { agents: 0 },
    { agents: -1 },
    { agents: 1.5 },
    { agents: '3' },
    { agents: null },
    { nothing: 3 },
    { queuedCalls: 10_001 },
    { auditSpool: 5_000 },
    { bodyMemoryBytes: 1_048_575 },
  ])('%j are refused', async (body) => {
    const tenant = await newTenant();
    expect((await setLimits(tenant, body)).body).toMatchObject({ status: 422, code: 'validation_failed' });
  });

  test('are for owners of the instance to see and to set', async () => {
    const tenant = await newTenant();
    for (const role of ['admin', 'auditor', 'operator', 'approver'] as const) {
      const token = await plane().createAdmin(`${role}-of-${tenant}`, role, tenant);
      for (const method of ['GET', 'PUT'] as const) {
        const body = method === 'PUT' ? { body: {} } : {};
        const answer = await plane().call({ method, url: `/v1/tenants/${tenant}/limits`, token, tenant, ...body });
        expect(answer.body).toMatchObject({ status: 403, code: 'forbidden' });
      }
    }
  });

  const OBJECTS: readonly [string, (tenant: string, name: string) => Promise<{ status: number; body: unknown }>][] = [
    ['agents', (tenant, name) => post('/v1/agents', tenant, { name })],
    ['integrations', (tenant, name) => post('/v1/integrations', tenant, { name, baseUrl: 'https://api.example.com' })],
    ['rules', (tenant, id) => post('/v1/rules', tenant, { id, effect: 'allow' })],
    [
      'secrets',
      (tenant, name) =>
        plane().call({ method: 'PUT', url: `/v1/secrets/${name}`, tenant, body: { value: 'a-long-value' } }),
    ],
    ['templates', (tenant, name) => post('/v1/templates', tenant, templateNamed(name))],
  ];

  test.each(OBJECTS)('on %s hold exactly, and say which and whose', async (kind, create) => {
    const tenant = await newTenant();
    await setLimits(tenant, { [kind]: 2 });
    for (const name of ['one', 'two']) expect((await create(tenant, name)).status).toBe(201);
    const refused = await create(tenant, 'three');
    expect(refused.body).toMatchObject({ status: 409, code: 'conflict' });
    expect(JSON.stringify(refused.body)).toContain(`The tenant ${tenant} may have at most 2`);
    expect(JSON.stringify(refused.body)).toContain(`limit \\"${kind}\\"`);
    // Nobody else is touched.
    expect((await create(await newTenant(), 'three')).status).toBe(201);
    const { usage } = (await plane().call({ url: `/v1/tenants/${tenant}/limits` })).body;
    expect(usage[kind]).toBe(2);
  });

  test('are never exceeded by requests that come at once', async () => {
    const tenant = await newTenant();
    await setLimits(tenant, { agents: 7 });
    const answers = await Promise.all(range(24).map((index) => post('/v1/agents', tenant, { name: `a-${index}` })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(7);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(17);
    const { items } = (await plane().call({ url: '/v1/agents?limit=100', tenant })).body;
    expect(items).toHaveLength(7);
  });

  test('set below what is there let change and remove, and nothing be added', async () => {
    const tenant = await newTenant();
    for (const name of ['one', 'two', 'three']) await post('/v1/agents', tenant, { name });
    await post('/v1/rules', tenant, { id: 'one', effect: 'allow' });
    await post('/v1/rules', tenant, { id: 'off', effect: 'allow', disabled: true });
    await setLimits(tenant, { agents: 1, rules: 1 });
    const patch = (url: string, body: unknown) => plane().call({ method: 'PATCH', url, tenant, body });
    expect((await patch('/v1/agents/one', { owner: 'alice' })).status).toBe(200);
    expect((await plane().call({ method: 'DELETE', url: '/v1/agents/two', tenant })).status).toBe(204);
    expect((await post('/v1/agents', tenant, { name: 'four' })).status).toBe(409);
    // A rule that is taken into use again counts as one more.
    const put = { method: 'PUT', url: '/v1/rules/off', tenant, body: { effect: 'allow' } } as const;
    expect((await plane().call(put)).body).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('hold for documents too, all or nothing', async () => {
    const tenant = await newTenant();
    await setLimits(tenant, { agents: 2 });
    const document = (names: string[]) => ({ version: 1, tenant, agents: names.map((name) => ({ name })) });
    expect((await post('/v1/apply', tenant, document(['a', 'b']))).status).toBe(200);
    expect((await post('/v1/apply', tenant, document(['a', 'b', 'c']))).body).toMatchObject({
      status: 409,
      code: 'conflict',
    });
    expect((await post('/v1/apply?dryRun=true', tenant, document(['a', 'b', 'c']))).body).toMatchObject({
      status: 409,
    });
    expect((await post('/v1/apply', tenant, document(['c', 'd']))).status).toBe(200);
    const { items } = (await plane().call({ url: '/v1/agents', tenant })).body;
    expect(items.map(({ name }: { name: string }) => name)).toEqual(['c', 'd']);
  });
});

function templateNamed(name: string): object {
  return {
    name,
    version: 1,
    provider: 'Acme',
    title: 'Acme',
    sources: ['https://docs.acme.example'],
    baseUrl: 'https://api.acme.example',
    credential: { type: 'bearer' },
    actions: [{ name: 'read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
  };
}
