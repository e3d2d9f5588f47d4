import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { generateAdminToken, generateAgentKey } from '@postern/auth';
import { DbError } from '@postern/db/ports';
import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from './control-plane.fixture.ts';

const shared = sharedTestControlPlane({ publicUrl: 'https://postern.example' });

test('a request without a token, with a wrong one or with an agent key is 401', async () => {
  await using plane = await startTestControlPlane();
  const detailOf = async (headers: Record<string, string>) => {
    const answer = await plane.call({ url: '/v1/agents', token: null, headers });
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated', requestId: expect.any(String) } });
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="postern-admin"');
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['postern-request-id']).toBe(answer.body.requestId);
    return answer.body.detail;
  };
  const missing = 'The control plane needs an admin token: "Authorization: Bearer {token}".';
  expect(await detailOf({})).toBe(missing);
  expect(await detailOf({ authorization: 'Basic eDp5' })).toBe(missing);
  expect(await detailOf({ 'x-api-key': plane.ownerToken })).toBe(missing);
  expect(await detailOf({ authorization: `Bearer ${generateAdminToken()}` })).toBe('The admin token is not valid.');
  expect(await detailOf({ authorization: 'Bearer x' })).toBe('The admin token is not valid.');
  const agentKey = 'Agent keys are not accepted on the control plane; it needs an admin token.';
  expect(await detailOf({ authorization: `Bearer ${generateAgentKey().key}` })).toBe(agentKey);
});

test("a key that was issued to an agent opens nothing on the control plane, whatever the agent's trust", async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'root', trust: 'admin', roles: ['owner'] } });
  const { key } = (await plane.call({ method: 'POST', url: '/v1/agents/root/keys' })).body;
  expect((await plane.call({ url: '/v1/agents', token: key })).status).toBe(401);
});

test('after ten failed logins in a minute an address waits; a token it used before does not', async () => {
  await using plane = await startTestControlPlane();
  const other = await plane.createAdmin('other', 'owner');
  for (let count = 0; count < 10; count++) {
    expect((await plane.call({ url: '/v1/agents', token: generateAdminToken() })).status).toBe(401);
  }
  plane.clock.now += 20_000;
  const refused = await plane.call({ url: '/v1/agents', token: generateAdminToken() });
  expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited', retryAfterSeconds: 40 } });
  expect(refused.headers['retry-after']).toBe('40');
  expect((await plane.call({ url: '/v1/agents', token: other })).status).toBe(429);
  expect((await plane.call({ url: '/v1/agents' })).status).toBe(200);
  plane.clock.now += 40_000;
  expect((await plane.call({ url: '/v1/agents', token: other })).status).toBe(200);
});

test('a revoked administrator and one whose time is over are not admitted', async () => {
  await using plane = await startTestControlPlane();
  const revoked = await plane.createAdmin('revoked', 'auditor');
  expect((await plane.call({ url: '/v1/agents', token: revoked })).status).toBe(200);
  expect((await plane.call({ method: 'DELETE', url: '/v1/admins/revoked' })).status).toBe(204);
  expect((await plane.call({ url: '/v1/agents', token: revoked })).status).toBe(401);
  const body = { name: 'guest', role: 'auditor', expiresAt: new Date(plane.clock.now + 1_000).toISOString() };
  const { token } = (await plane.call({ method: 'POST', url: '/v1/admins', body })).body;
  plane.clock.now += 999;
  expect((await plane.call({ url: '/v1/agents', token })).status).toBe(200);
  plane.clock.now += 1;
  expect((await plane.call({ url: '/v1/agents', token })).status).toBe(401);
});

let admins = 0;
const ROLES = ['owner', 'admin', 'approver', 'auditor', 'operator'] as const;

test.each<[string, string, Record<(typeof ROLES)[number], boolean>]>([
  ['GET', '/v1/agents', { owner: true, admin: true, approver: false, auditor: true, operator: true }],
  ['GET', '/v1/audit/events', { owner: true, admin: true, approver: false, auditor: true, operator: true }],
  ['GET', '/v1/stats', { owner: true, admin: true, approver: false, auditor: true, operator: true }],
  ['GET', '/v1/export', { owner: true, admin: true, approver: false, auditor: true, operator: false }],
  ['POST', '/v1/agents', { owner: true, admin: true, approver: false, auditor: false, operator: false }],
  ['PUT', '/v1/secrets/s', { owner: true, admin: true, approver: false, auditor: false, operator: false }],
  ['DELETE', '/v1/rules/r', { owner: true, admin: true, approver: false, auditor: false, operator: false }],
  ['POST', '/v1/apply', { owner: true, admin: true, approver: false, auditor: false, operator: false }],
  ['GET', '/v1/tenants', { owner: true, admin: false, approver: false, auditor: false, operator: false }],
  ['GET', '/v1/nodes', { owner: true, admin: false, approver: false, auditor: false, operator: false }],
  ['POST', '/v1/tenants', { owner: true, admin: false, approver: false, auditor: false, operator: false }],
  ['GET', '/v1/approvals', { owner: true, admin: true, approver: true, auditor: true, operator: true }],
  ['GET', '/v1/grants', { owner: true, admin: true, approver: true, auditor: true, operator: true }],
  ['GET', '/v1/claims', { owner: true, admin: true, approver: false, auditor: true, operator: true }],
  ['POST', '/v1/approvals/a/deny', { owner: true, admin: true, approver: true, auditor: false, operator: false }],
  ['POST', '/v1/grants/g/revoke', { owner: true, admin: true, approver: true, auditor: false, operator: false }],
  ['POST', '/v1/claims/c/resolve', { owner: true, admin: true, approver: false, auditor: false, operator: true }],
  ['PATCH', '/v1/admins/a', { owner: true, admin: false, approver: false, auditor: false, operator: false }],
  ['PUT', '/v1/admins/a', { owner: true, admin: false, approver: false, auditor: false, operator: false }],
  ['GET', '/v1/admins', { owner: true, admin: false, approver: false, auditor: false, operator: false }],
  ['POST', '/v1/admins', { owner: true, admin: false, approver: false, auditor: false, operator: false }],
])('%s %s is for the roles that the table names', async (method, url, permitted) => {
  const plane = shared();
  for (const role of ROLES) {
    admins++;
    const token = await plane.createAdmin(`${role}-${admins}`, role);
    const answer = await plane.call({ method: method as 'GET', url, token });
    if (permitted[role]) expect([401, 403]).not.toContain(answer.status);
    else expect(answer, role).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  }
});

test('every route of the API names a permission', async () => {
  await using plane = await startTestControlPlane();
  const approver = await plane.createAdmin('approver', 'approver');
  const { paths } = (await plane.call({ url: '/openapi.json', token: null })).body;
  const operations = Object.entries<Record<string, unknown>>(paths).flatMap(([path, methods]) => {
    return Object.keys(methods).map((method) => [method.toUpperCase(), path] as const);
  });
  const guarded = operations.filter(([, path]) => path.startsWith('/v1/'));
  expect(guarded.length).toBeGreaterThan(40);
  for (const [method, path] of guarded) {
    const url = path.replace(/\{\w+\}/g, '1');
    const name = `${method} ${path}`;
    expect((await plane.call({ method: method as 'GET', url, token: null })).status, name).toBe(401);
    // An approver's own; watching does not end.
    if (/^\/v1\/(?:approvals|grants|events)(?:\/|$)/.test(path)) continue;
    expect((await plane.call({ method: method as 'GET', url, token: approver })).status, name).toBe(403);
  }
});

async function withTwoTenants(): Promise<TestControlPlane & { readonly acme: string }> {
  const plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
  return { ...plane, acme: await plane.createAdmin('acme-admin', 'admin', 'acme') };
}

test('a token of one tenant that names another gets 404, and the refusal is recorded', async () => {
  await using plane = await withTwoTenants();
  expect((await plane.call({ url: '/v1/agents', token: plane.acme, tenant: 'acme' })).status).toBe(200);
  expect((await plane.call({ url: '/v1/agents', token: plane.acme })).status).toBe(200);
  for (const tenant of ['default', 'nowhere', '*', '']) {
    const answer = await plane.call({ url: '/v1/agents', token: plane.acme, tenant });
    expect(answer, tenant).toMatchObject({ status: 404, body: { code: 'not_found' } });
  }
  const entries = (await plane.call({ url: '/v1/audit/events?type=access.refused', tenant: 'acme' })).body.items;
  expect(entries).toHaveLength(4);
  expect(entries.at(-1)).toMatchObject({ actor: 'acme-admin', subject: 'tenant:default' });
});

test('an owner reaches every tenant there is, and no other', async () => {
  await using plane = await withTwoTenants();
  expect((await plane.call({ url: '/v1/stats', tenant: 'acme' })).body.tenant).toBe('acme');
  expect((await plane.call({ url: '/v1/stats' })).body.tenant).toBe('default');
  expect((await plane.call({ url: '/v1/stats', tenant: 'nowhere' })).status).toBe(404);
});

test("ids and names of another tenant's things are 404 for every way to use them", async () => {
  await using plane = await withTwoTenants();
  const make = async (url: string, body: object) => (await plane.call({ method: 'POST', url, body })).body.id;
  const agent = await make('/v1/agents', { name: 'coder' });
  const integration = await make('/v1/integrations', { name: 'github', baseUrl: 'https://api.github.com' });
  await make('/v1/rules', { id: 'reads', effect: 'allow' });
  await plane.call({ method: 'PUT', url: '/v1/secrets/token', body: { value: 'long-enough-value' } });
  const key = (await plane.call({ method: 'POST', url: '/v1/agents/coder/keys' })).body.id;
  const entry = (await plane.call({ url: '/v1/audit/events' })).body.items[0].id;
  const uses: [string, string, object?][] = [
    ['GET', `/v1/agents/${agent}`],
    ['GET', '/v1/agents/coder'],
    ['PUT', `/v1/agents/${agent}`, { trust: 'admin' }],
    ['PATCH', `/v1/agents/${agent}`, { trust: 'admin' }],
    ['DELETE', `/v1/agents/${agent}`],
    ['GET', `/v1/agents/${agent}/keys`],
    ['POST', `/v1/agents/${agent}/keys`, {}],
    ['DELETE', `/v1/agents/${agent}/keys/${key}`],
    ['GET', `/v1/integrations/${integration}`],
    ['GET', '/v1/integrations/github'],
    ['PUT', `/v1/integrations/${integration}`, { baseUrl: 'https://b.example' }],
    ['PATCH', '/v1/integrations/github', { disabled: true }],
    ['DELETE', `/v1/integrations/${integration}`],
    ['GET', '/v1/rules/reads'],
    ['PUT', '/v1/rules/reads', { effect: 'deny' }],
    ['POST', '/v1/rules/reads/disable'],
    ['DELETE', '/v1/rules/reads'],
    ['GET', '/v1/secrets/token'],
    ['GET', '/v1/secrets/token/versions'],
    ['POST', '/v1/secrets/token/versions/1/activate'],
    ['GET', `/v1/audit/events/${entry}`],
  ];
  for (const [method, url, body] of uses) {
    const foreign = await plane.call({ method: method as 'GET', url, body, token: plane.acme });
    expect(foreign, `${method} ${url}`).toMatchObject({ status: 404, body: { code: 'not_found' } });
  }
  for (const [method, url] of uses.filter(([name]) => name === 'GET')) {
    expect((await plane.call({ method: method as 'GET', url })).status, url).toBe(200);
  }
  expect((await plane.call({ url: '/v1/agents/coder' })).body.trust).toBe('low');
});

test('a key of another agent of the same tenant is not revoked by way of this one', async () => {
  await using plane = await startTestControlPlane();
  for (const name of ['a', 'b']) await plane.call({ method: 'POST', url: '/v1/agents', body: { name } });
  const { id } = (await plane.call({ method: 'POST', url: '/v1/agents/a/keys' })).body;
  expect((await plane.call({ method: 'DELETE', url: `/v1/agents/b/keys/${id}` })).status).toBe(404);
  expect((await plane.call({ url: '/v1/agents/a/keys' })).body.items[0].revokedAt).toBeUndefined();
});

test('what machines ask needs no token and tells no names', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'hushhush' } });
  const ask = (url: string) => plane.call({ url, token: null });
  expect(await ask('/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
  expect(await ask('/readyz')).toMatchObject({ status: 200, body: { ready: true, dependencies: { database: 'up' } } });
  expect(await ask('/metrics')).toMatchObject({ status: 200, text: 'postern_up 1\n' });
  expect((await ask('/metrics')).headers['content-type']).toBe('text/plain; version=0.0.4');
  const openapi = await ask('/openapi.json');
  expect(openapi.body.openapi).toBe('3.1.0');
  expect((await ask('/docs')).text).toContain('<html');
  for (const url of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/json']) {
    expect((await ask(url)).text, url).not.toContain('hushhush');
  }
});

test('a gateway that is not ready says so with 503', async () => {
  const readiness = async () => ({ ready: false, dependencies: { database: 'down' } });
  await using plane = await startTestControlPlane({ readiness });
  const answer = await plane.call({ url: '/readyz', token: null });
  expect(answer).toMatchObject({ status: 503, body: { ready: false, dependencies: { database: 'down' } } });
});

test.each([
  ['localhost', 200],
  ['LOCALHOST:8081', 200],
  ['127.0.0.1:8081', 200],
  ['127.9.9.9', 200],
  ['[::1]:8081', 200],
  ['postern.example', 200],
  ['postern.example:443', 200],
  ['evil.example', 421],
  ['localhost.evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['localhost.', 421],
  ['10.0.0.1', 421],
  ['2130706433', 421],
  ['user@localhost', 421],
])('the host %j is answered with %i', async (host, status) => {
  const plane = shared();
  const answer = await plane.call({ url: '/healthz', token: null, headers: { host } });
  expect(answer.status).toBe(status);
  if (status === 421) expect(answer.body.code).toBe('unknown_host');
});

test.each([
  ['GET', '/v1/nothing', 404, 'not_found'],
  ['GET', '/', 404, 'not_found'],
  ['GET', '/v1/agents/', 404, 'not_found'],
  ['DELETE', '/v1/agents', 405, 'method_not_allowed'],
  ['POST', '/v1/agents/coder', 405, 'method_not_allowed'],
  ['GET', '/v1/apply', 405, 'method_not_allowed'],
  ['OPTIONS', '/v1/agents', 405, 'method_not_allowed'],
] as const)('%s %s is %i', async (method, url, status, code) => {
  const plane = shared();
  const answer = await plane.call({ method, url });
  expect(answer).toMatchObject({ status, body: { code, status } });
  if (status === 405) expect(answer.headers['allow']).toMatch(/[A-Z]/);
});

test('a resource names the methods it takes', async () => {
  await using plane = await startTestControlPlane();
  const answer = await plane.call({ method: 'POST', url: '/v1/agents/coder' });
  expect(answer.headers['allow']).toBe('DELETE, GET, HEAD, PATCH, PUT');
});

test('bodies that are no JSON, of another type or too large have each their code', async () => {
  await using plane = await startTestControlPlane();
  const send = (body: string, contentType: string) => {
    return plane.call({ method: 'POST', url: '/v1/agents', body, headers: { 'content-type': contentType } });
  };
  expect(await send('{"name":', 'application/json')).toMatchObject({
    status: 400,
    body: { code: 'malformed_request' },
  });
  expect(await send('', 'application/json')).toMatchObject({ status: 400, body: { code: 'malformed_request' } });
  expect(await send('{"__proto__":{"a":1}}', 'application/json')).toMatchObject({ status: 400 });
  expect(await send('name: x', 'application/yaml')).toMatchObject({
    status: 415,
    body: { code: 'unsupported_media_type' },
  });
  expect(await send('name=x', 'application/x-www-form-urlencoded')).toMatchObject({ status: 415 });
  const padded = (bytes: number) => `{"name":"a"${' '.repeat(bytes - 12)}}`;
  expect((await send(padded(1_048_576), 'application/json')).status).toBe(201);
  expect(await send(padded(1_048_577), 'application/json')).toMatchObject({
    status: 413,
    body: { code: 'request_too_large' },
  });
});

test('a fault of our own is 500 without its reason, which the log has under the request id', async () => {
  await using plane = await startTestControlPlane({
    readiness: () => Promise.reject(new Error('connection string postgres://user:pw@db')),
  });
  const answer = await plane.call({ url: '/readyz', token: null });
  expect(answer).toMatchObject({ status: 500, body: { code: 'internal_error' } });
  expect(answer.text).not.toContain('postgres');
  const line = plane.logged.find((text) => text.includes('connection string'));
  expect(line).toContain(answer.body.requestId);
});

test('a database that does not answer changes nothing and is told as 503', async () => {
  await using plane = await startTestControlPlane({
    runInTransaction: () => Promise.reject(new DbError('unavailable', 'disk I/O error at /var/lib/postern')),
  });
  const answer = await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'a' } });
  expect(answer).toMatchObject({ status: 503, body: { code: 'audit_unavailable', retryable: true } });
  expect(answer.text).not.toContain('/var/lib');
  expect(plane.changed).toEqual([]);
  expect((await plane.call({ url: '/v1/agents' })).body.items).toEqual([]);
});

test('over a real socket: own addresses are answered for, absolute targets count, broken requests get a problem', async () => {
  await using plane = await startTestControlPlane();
  await plane.server.listen({ host: '127.0.0.1', port: 0 });
  const address = plane.server.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const status = (host: string, path = '/healthz') => {
    return new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject).end();
    });
  };
  expect(await status(`127.0.0.1:${port}`)).toBe(200);
  expect(await status('rebound.example')).toBe(421);
  expect(await status('localhost', 'http://rebound.example/healthz')).toBe(421);
  const send = (text: string) => {
    return new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.end(text));
      let answer = '';
      socket
        .on('data', (chunk) => (answer += chunk))
        .on('end', () => resolve(answer))
        .on('error', reject);
    });
  };
  expect(await send('GET /healthz HTTP/1.1\r\nHost:\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /);
  expect(await send('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 421 /);
  expect(await send(`GET / HTTP/1.1\r\nHost: localhost\r\nx: ${'x'.repeat(33_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 431 /,
  );
  const raw = await send('GET / HTTP/1.1\r\nbad header\r\n\r\n');
  expect(raw).toMatch(/^HTTP\/1\.1 400 /);
  expect(raw).toContain('"code":"malformed_request"');
  expect(raw).toMatch(/postern-request-id: req_/);
});

test('the log has a line for each request, with route and actor and without tokens, ids or queries', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ url: '/v1/agents/some-agent?x=1' });
  const line = plane.logged.find((text) => text.includes('/v1/agents/:id'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({ method: 'GET', actor: 'bootstrap', tenant: 'default', status: 404 });
  expect(plane.logged.join('\n')).not.toContain('some-agent');
  expect(plane.logged.join('\n')).not.toContain(plane.ownerToken);
});
