import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { ALLOW_ALL, configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const homer = newAgent('homer');
const ACME_SECRET = 'acme-secret-998877';

let upstream: Upstream;
let gateway: RunningGateway;
/** Of the tenant acme's administrator. */
let token: string;
let acmeKey: string;

beforeAll(async () => {
  upstream = await startUpstream();
  const config = configOf(
    [homer],
    [
      integration('shared', upstream.url, { credential: { type: 'bearer', secret: 'own' } }),
      integration('only-here', upstream.url),
    ],
    { secrets: { own: { value: 'home-secret-112233' } } },
  );
  gateway = await startGateway({ config, environment: { OUTER_VARIABLE: 'value-of-the-outer-variable' } });
  const asOwner = async (path: string, body: unknown, tenant?: string) => {
    const answer = await control(gateway, 'POST', path, tenant === undefined ? { body } : { body, tenant });
    expect(answer.text).not.toContain('problem');
    return answer.json();
  };
  await asOwner('/v1/tenants', { name: 'acme' });
  token = (await asOwner('/v1/admins', { name: 'acme-admin', role: 'admin', tenant: 'acme' })).token;
  const document = {
    version: 1,
    tenant: 'acme',
    secrets: { own: { value: ACME_SECRET } },
    integrations: [integration('shared', upstream.url, { credential: { type: 'bearer', secret: 'own' } })],
    agents: [{ name: 'roadrunner' }],
    rules: [ALLOW_ALL],
  };
  await asOwner('/v1/apply', document, 'acme');
  acmeKey = (await asOwner('/v1/agents/roadrunner/keys', {}, 'acme')).key;
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const asAcme = (method: string, path: string, body?: unknown, tenant?: string) =>
  control(gateway, method, path, { token, body, ...(tenant === undefined ? {} : { tenant }) });
const as = (key: string, path: string) => call(gateway.dataUrl, path, { headers: { 'postern-key': key } });

describe('on the data plane', () => {
  test('a name means the integration of the caller’s tenant, with that tenant’s secret', async () => {
    expect((await as(homer.key, '/to/shared/x')).status).toBe(200);
    expect(upstream.requests.at(-1)?.headers['authorization']).toBe('Bearer home-secret-112233');
    expect((await as(acmeKey, '/to/shared/x')).status).toBe(200);
    expect(upstream.requests.at(-1)?.headers['authorization']).toBe(`Bearer ${ACME_SECRET}`);
  });

  test('another tenant’s integration does not exist', async () => {
    expect((await as(homer.key, '/to/only-here/x')).status).toBe(200);
    const foreign = (await as(acmeKey, '/to/only-here/x')).problem();
    const unknown = (await as(acmeKey, '/to/nothing/x')).problem();
    expect(foreign).toEqual({ ...unknown, requestId: foreign.requestId });
    expect(foreign).toMatchObject({ status: 404, code: 'unknown_integration' });
    const listed = (await as(acmeKey, '/v1/integrations')).json().items;
    expect(listed.map(({ name }: { name: string }) => name)).toEqual(['shared']);
  });

  test('no warm connection is shared between tenants or integrations', async () => {
    // One after the other, so that each would find the other's connection idle.
    await using lone = await startUpstream();
    const names = ['warm-a', 'warm-b'];
    for (const name of names) {
      await control(gateway, 'POST', '/v1/integrations', { body: integration(name, lone.url) });
      await control(gateway, 'POST', '/v1/integrations', { body: integration(name, lone.url), tenant: 'acme' });
    }
    const routes = names.flatMap((name) => [homer.key, acmeKey].map((key) => [key, `/to/${name}/x`] as const));
    for (const [key, path] of [...routes, ...routes]) expect((await as(key, path)).status).toBe(200);
    expect(lone.connections).toBe(routes.length);
    expect(lone.requests).toHaveLength(2 * routes.length);
  });

  test('thresholds of risk are each tenant’s own', async () => {
    const put = (key: string) =>
      call(gateway.dataUrl, '/to/shared/risky', { method: 'PUT', headers: { 'postern-key': key }, body: 'x' });
    // The configuration of this test's other tenant says that nothing is risky.
    expect((await put(homer.key)).status).toBe(200);
    const risk = { review: 0.2, deny: 0.9 };
    expect((await asAcme('POST', '/v1/apply', { version: 1, tenant: 'acme', risk })).status).toBe(200);
    expect((await put(acmeKey)).problem()).toMatchObject({ status: 428, code: 'approval_required' });
    expect((await put(homer.key)).status).toBe(200);
    const lower = { review: 1, deny: 1 };
    expect((await asAcme('POST', '/v1/apply', { version: 1, tenant: 'acme', risk: lower })).status).toBe(200);
    expect((await put(acmeKey)).status).toBe(200);
  });

  test('an entry stands in the log of its tenant alone', async () => {
    const requestId = (await as(acmeKey, '/to/shared/x')).headers['postern-request-id'] as string;
    await vi.waitFor(async () => {
      const own = await asAcme('GET', `/v1/audit/events?requestId=${requestId}`);
      expect(own.json().items).toHaveLength(2);
    });
    expect(await auditEvents(gateway, { requestId })).toEqual([]);
  });
});

describe('on the control plane (acceptance vector 12)', () => {
  test('a token that names another tenant gets 404, and its own tenant’s log tells', async () => {
    for (const tenant of ['default', 'nowhere', '', '../acme']) {
      expect((await asAcme('GET', '/v1/agents', undefined, tenant)).problem()).toMatchObject({
        status: 404,
        code: 'not_found',
      });
    }
    const refused = (await asAcme('GET', '/v1/audit/events?type=access.refused')).json().items;
    expect(refused[0]).toMatchObject({ tenant: 'acme', actor: 'acme-admin' });
  });

  test('another tenant’s ids and names are 404 everywhere', async () => {
    const idOf = async (path: string) => (await control(gateway, 'GET', path)).json().id as string;
    const agent = await idOf('/v1/agents/homer');
    const api = await idOf('/v1/integrations/only-here');
    const rule = await control(gateway, 'POST', '/v1/rules', {
      body: { id: 'home-rule', effect: 'deny', methods: ['DELETE'] },
    });
    expect(rule.status).toBe(201);
    const secret = await control(gateway, 'PUT', '/v1/secrets/home-only', { body: { value: 'home-only-secret' } });
    expect(secret.status).toBeLessThan(300);
    const [entry] = await auditEvents(gateway);
    const requests: [string, string, unknown?][] = [
      ...[agent, 'homer'].flatMap((id): [string, string, unknown?][] => [
        ['GET', `/v1/agents/${id}`],
        ['PATCH', `/v1/agents/${id}`, { disabled: true }],
        ['DELETE', `/v1/agents/${id}`],
        ['GET', `/v1/agents/${id}/keys`],
        ['POST', `/v1/agents/${id}/keys`, {}],
        ['DELETE', `/v1/agents/${id}/keys/${homer.publicId}`],
      ]),
      ['DELETE', `/v1/agents/roadrunner/keys/${homer.publicId}`],
      ...[api, 'only-here'].flatMap((id): [string, string, unknown?][] => [
        ['GET', `/v1/integrations/${id}`],
        ['PATCH', `/v1/integrations/${id}`, { disabled: true }],
        ['DELETE', `/v1/integrations/${id}`],
      ]),
      ['GET', '/v1/rules/home-rule'],
      ['PUT', '/v1/rules/home-rule', { effect: 'allow' }],
      ['POST', '/v1/rules/home-rule/disable'],
      ['DELETE', '/v1/rules/home-rule'],
      ['GET', '/v1/secrets/home-only'],
      ['GET', '/v1/secrets/home-only/versions'],
      ['GET', `/v1/audit/events/${entry?.id}`],
    ];
    for (const [method, path, body] of requests) {
      const answer = await asAcme(method, path, body);
      expect(`${method} ${path} ${answer.status}`).toBe(`${method} ${path} 404`);
      expect(answer.problem().code).toBe('not_found');
    }
    expect((await as(homer.key, '/to/only-here/x')).status).toBe(200);
  });

  test('lists and exports hold the tenant’s own things alone', async () => {
    for (const path of [
      '/v1/agents',
      '/v1/integrations',
      '/v1/rules',
      '/v1/secrets',
      '/v1/export',
      '/v1/audit/events?limit=100',
    ]) {
      const answer = await asAcme('GET', path);
      expect(answer.status).toBe(200);
      // The log may tell what acme's own people asked for in vain.
      expect(answer.text).not.toMatch(/homer|home-secret/);
      if (!path.includes('audit')) expect(answer.text).not.toMatch(/only-here|home-only/);
      expect(answer.text).not.toContain(ACME_SECRET);
    }
  });

  test.each(['/v1/admins', '/v1/tenants'])('%s is the owner’s', async (path) => {
    expect((await asAcme('POST', path, { name: 'mine', role: 'owner' })).problem().status).toBe(403);
  });
});

describe('what a tenant’s administrator cannot open (acceptance vector 14)', () => {
  const apply = (document: object, asWhom = asAcme) =>
    asWhom('POST', '/v1/apply', { version: 1, tenant: 'acme', ...document });
  const asOwner = (method: string, path: string, body?: unknown) =>
    control(gateway, method, path, { body, tenant: 'acme' });
  const named = (more: object) => ({ name: 'new', baseUrl: 'https://api.example.com', ...more });

  test.each<[string, object]>([
    ['a secret from the environment', { secrets: { s: { from: 'env:OUTER_VARIABLE' } } }],
    ['a secret from the gateway’s environment', { secrets: { s: { from: 'env:POSTERN_MASTER_KEY' } } }],
    ['a secret from a file', { secrets: { s: { from: 'file:/etc/passwd' } } }],
    ['a secret from the data folder', { secrets: { s: { from: 'file:admin-token' } } }],
    ['an agent’s key from the environment', { agents: [{ name: 'a', key: { from: 'env:OUTER_VARIABLE' } }] }],
    ['an authority from a file', { integrations: [named({ tls: { ca: { from: 'file:/etc/passwd' } } })] }],
  ])('from: %s is refused with 422, even for the owner', async (_what, document) => {
    for (const who of [asAcme, asOwner]) {
      const answer = await apply(document, who);
      expect(answer.problem()).toMatchObject({ status: 422, code: 'validation_failed' });
      expect(answer.text).toContain('from');
      expect(answer.text).not.toMatch(/value-of-the-outer|root:/);
    }
  });

  const opened: [string, object][] = [
    ['unsafeAllowAddresses', { network: { unsafeAllowAddresses: ['127.0.0.1/32'] } }],
    ['unsafeAllowAddresses of all', { network: { unsafeAllowAddresses: ['0.0.0.0/0', '::/0'] } }],
    ['unsafeAllowCleartextCredentials', { network: { unsafeAllowCleartextCredentials: true } }],
  ];
  test.each(opened)('%s is refused with 403', async (_what, more) => {
    expect((await apply({ integrations: [named(more)] })).problem()).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await asAcme('POST', '/v1/integrations', named(more))).problem()).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect((await asAcme('POST', '/v1/integrations', named({ name: 'closed' }))).status).toBe(201);
    expect((await asAcme('PATCH', '/v1/integrations/closed', more)).problem()).toMatchObject({ status: 403 });
    const { name: _name, ...rest } = named(more);
    expect((await asAcme('PUT', '/v1/integrations/closed', rest)).problem()).toMatchObject({ status: 403 });
    expect((await asAcme('DELETE', '/v1/integrations/closed')).status).toBe(204);
    expect((await asAcme('GET', '/v1/integrations/new')).status).toBe(404);
  });

  test('what the owner opened cannot be led elsewhere', async () => {
    const moved: object[] = [
      { baseUrl: 'http://127.0.0.1:1' },
      { baseUrl: `${upstream.url}/elsewhere` },
      { hosts: ['127.0.0.1', 'localhost'] },
      { network: { ports: [1, 2, 3] } },
      { network: { unsafeAllowAddresses: ['127.0.0.0/8'] } },
    ];
    for (const change of moved) {
      const { status } = (await asAcme('PATCH', '/v1/integrations/shared', change)).problem();
      expect([403, 422]).toContain(status);
    }
    expect((await asAcme('PATCH', '/v1/integrations/shared', { limits: { concurrency: 8 } })).status).toBe(200);
  });

  test('a private address is refused with 422, in every form', async () => {
    for (const host of [
      '127.0.0.1',
      '10.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:10.0.0.1]',
      '169.254.169.254',
      '100.64.0.1',
    ]) {
      const answer = await asAcme('POST', '/v1/integrations', { name: 'inward', baseUrl: `http://${host}` });
      expect(`${host} ${answer.problem().status}`).toBe(`${host} 422`);
    }
  });

  test('a name that resolves to a private address is refused when it is called', async () => {
    // localhost stands in the hosts file.
    expect(
      (await asAcme('POST', '/v1/integrations', { name: 'inward', baseUrl: `http://localhost:${upstream.port}` }))
        .status,
    ).toBe(201);
    const before = upstream.requests.length;
    expect((await as(acmeKey, '/to/inward/x')).problem()).toMatchObject({ status: 403, code: 'address_forbidden' });
    expect(upstream.requests.length).toBe(before);
  });

  test('global is refused with 403', async () => {
    const document = { global: { rules: [{ id: 'g', effect: 'deny', hard: true }] } };
    expect((await apply(document)).problem()).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await as(homer.key, '/to/only-here/x')).status).toBe(200);
  });

  test('a document of another tenant is refused with 422', async () => {
    const answer = await asAcme('POST', '/v1/apply', { version: 1, tenant: 'default', agents: [] });
    expect(answer.problem()).toMatchObject({ status: 422 });
    expect((await as(homer.key, '/to/only-here/x')).status).toBe(200);
  });

  test('even the owner opens no address beyond what the start permits', async () => {
    const more = { network: { unsafeAllowAddresses: ['10.0.0.0/8'] } };
    const answer = await asOwner('POST', '/v1/integrations', named(more));
    expect(answer.problem()).toMatchObject({ status: 422 });
    expect(answer.text).toContain('POSTERN_UNSAFE_ALLOW_ADDRESSES');
  });

  test('a global rule of the owner holds for every tenant', async () => {
    const deny = { id: 'no-deletes', effect: 'deny', hard: true, methods: ['DELETE'] };
    const applied = await control(gateway, 'POST', '/v1/apply', { body: { version: 1, global: { rules: [deny] } } });
    expect(applied.status).toBe(200);
    for (const key of [homer.key, acmeKey]) {
      await vi.waitFor(async () => {
        const answer = await call(gateway.dataUrl, '/to/shared/x', {
          method: 'DELETE',
          headers: { 'postern-key': key },
        });
        expect(answer.problem()).toMatchObject({ status: 403, code: 'denied' });
      }, 2_000);
      expect((await as(key, '/to/shared/x')).status).toBe(200);
    }
  });
});
