import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import path from 'node:path';
import { createCertificateAuthority, startUpstream, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { auditEvents, control, eventualAuditEvents } from './support/audit-log.ts';
import { type CallOptions, call } from './support/http-client.ts';
import { ALLOW_ALL, configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');

let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({
    config: configOf([coder], [integration('api', `${upstream.url}/v1`, { listen: '127.0.0.1:0' })]),
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

beforeEach(() => {
  upstream.answerWith((request, response) => void response.end(`${request.method} ${request.url}`));
});

const key = { 'postern-key': coder.key };
const get = (address: string, target: string, options: CallOptions = {}) =>
  call(`http://${address}`, target, { ...options, headers: { ...key, ...options.headers } });

async function addressOf(name: string, of: RunningGateway = gateway): Promise<string> {
  const { items } = (await call(of.dataUrl, '/v1/integrations', { headers: key })).json();
  const { listen } = items.find((item: { name: string }) => item.name === name);
  if (listen === undefined) throw new Error(`${name} has no own address`);
  return listen;
}

const create = (name: string, more: object) =>
  control(gateway, 'POST', '/v1/integrations', { body: integration(name, upstream.url, more) });
const change = (name: string, body: object) => control(gateway, 'PATCH', `/v1/integrations/${name}`, { body });
const remove = (name: string) => control(gateway, 'DELETE', `/v1/integrations/${name}`);
const refusesConnections = (address: string) =>
  expect(call(`http://${address}`, '/x')).rejects.toMatchObject({ code: 'ECONNREFUSED' });

/** A port that nobody has at present. */
async function freePort(): Promise<number> {
  const server = await occupy();
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function occupy(port = 0): Promise<Server> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('an own address', () => {
  test('is told in the log, and by the list of integrations', async () => {
    const address = await addressOf('api');
    expect(address).toMatch(/^127\.0\.0\.1:[1-9][0-9]*$/);
    const lines = gateway
      .stderr()
      .split('\n')
      .filter((line) => line.includes('own address'));
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { tenant: 'default', integration: 'api', listen: address, msg: 'own address of an integration open' },
    ]);
  });

  test.each(['/x?y', '/v1/execute', '/v1/integrations', '/healthz', '/to/api/x', '/'])(
    'passes all of %s to the upstream',
    async (target) => {
      expect((await get(await addressOf('api'), target)).text).toBe(`GET /v1${target}`);
    },
  );

  test.each(['api.stripe.com', 'localhost:1', '[::1]', 'evil.test', 'api.to.localhost', 'other.to.localhost'])(
    'is reached by whatever name leads there, such as %s',
    async (host) => {
      expect((await get(await addressOf('api'), '/x', { headers: { host } })).text).toBe('GET /v1/x');
    },
  );

  test('asks for an agent key like every way in', async () => {
    const answer = await call(`http://${await addressOf('api')}`, '/healthz');
    expect(answer.problem()).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(
      (await call(`http://${await addressOf('api')}`, '/x', { headers: { host: 'a b' } })).problem(),
    ).toMatchObject({
      status: 400,
      code: 'malformed_request',
    });
  });

  test('is one of the gateway’s own listeners, and no target of a call', async () => {
    await create('loop', { baseUrl: `http://${await addressOf('api')}` });
    expect((await call(gateway.dataUrl, '/to/loop/x', { headers: key })).problem()).toMatchObject({
      status: 403,
      code: 'address_forbidden',
    });
    await remove('loop');
  });

  test('can be IPv6', async () => {
    expect(await create('six', { listen: '[::1]:0' })).toMatchObject({ status: 201 });
    const address = await addressOf('six');
    expect(address).toMatch(/^\[::1\]:/);
    upstream.answerWith((_request, response) => void response.writeHead(302, { location: '/next' }).end());
    expect((await get(address, '/x')).headers['location']).toBe(`http://${address}/next`);
    await remove('six');
  });
});

describe('a change of the configuration', () => {
  test('opens it, moves it and closes it, and the answer comes when that is done', async () => {
    const port = await freePort();
    expect((await create('moving', { listen: `127.0.0.1:${port}` })).json()).toMatchObject({
      listen: `127.0.0.1:${port}`,
    });
    expect((await get(`127.0.0.1:${port}`, '/x')).text).toBe('GET /x');
    const next = await freePort();
    expect((await change('moving', { listen: `127.0.0.1:${next}` })).status).toBe(200);
    await refusesConnections(`127.0.0.1:${port}`);
    expect((await get(`127.0.0.1:${next}`, '/x')).text).toBe('GET /x');
    // What else is changed does not concern the address.
    expect((await change('moving', { baseUrl: `${upstream.url}/v2` })).status).toBe(200);
    expect((await get(`127.0.0.1:${next}`, '/x')).text).toBe('GET /v2/x');
    expect((await change('moving', { disabled: true })).status).toBe(200);
    expect((await get(`127.0.0.1:${next}`, '/x')).problem()).toMatchObject({ code: 'integration_disabled' });
    expect((await remove('moving')).status).toBe(204);
    await refusesConnections(`127.0.0.1:${next}`);
  });

  test('that gives it to another integration takes effect at once', async () => {
    const port = await freePort();
    const document = (name: string) => ({
      version: 1,
      tenant: 'handover',
      integrations: [integration(name, `${upstream.url}/${name}`, { listen: `127.0.0.1:${port}` })],
      agents: [{ name: 'coder' }],
      rules: [ALLOW_ALL],
    });
    const tenant = 'handover';
    await control(gateway, 'POST', '/v1/tenants', { body: { name: tenant } });
    await control(gateway, 'POST', '/v1/apply', { body: document('one'), tenant });
    const issued = await control(gateway, 'POST', '/v1/agents/coder/keys', { body: {}, tenant });
    const headers = { 'postern-key': issued.json().key };
    expect((await get(`127.0.0.1:${port}`, '/x', { headers })).text).toBe('GET /one/x');
    const applied = await control(gateway, 'POST', '/v1/apply', { body: document('two'), tenant });
    expect(applied.json()).toMatchObject({ warnings: [] });
    expect((await get(`127.0.0.1:${port}`, '/x', { headers })).text).toBe('GET /two/x');
    // The agents of another tenant have no business there.
    expect((await get(`127.0.0.1:${port}`, '/x')).problem()).toMatchObject({
      status: 404,
      code: 'unknown_integration',
    });
    await control(gateway, 'POST', '/v1/apply', { body: { version: 1, tenant, integrations: [] }, tenant });
    await refusesConnections(`127.0.0.1:${port}`);
  });

  test('lets calls in flight end', async () => {
    await create('leaving', { listen: '127.0.0.1:0' });
    const address = await addressOf('leaving');
    const arrived = Promise.withResolvers<() => void>();
    upstream.answerWith((_request, response) => {
      response.write('begun ');
      arrived.resolve(() => void response.end('ended'));
    });
    const running = get(address, '/slow');
    const finish = await arrived.promise;
    expect((await remove('leaving')).status).toBe(204);
    await refusesConnections(address);
    finish();
    expect(await running).toMatchObject({ status: 200, text: 'begun ended' });
  });

  test('that is only tried opens nothing', async () => {
    const port = await freePort();
    const document = configOf([], [integration('tried', upstream.url, { listen: `127.0.0.1:${port}` })]);
    const { agents: _agents, rules: _rules, ...integrations } = document as Record<string, unknown>;
    const trial = await control(gateway, 'POST', '/v1/apply?dryRun=true', { body: integrations });
    expect(trial.json().changes).toMatchObject([{ name: 'api' }, { name: 'tried', op: 'create' }]);
    await refusesConnections(`127.0.0.1:${port}`);
    expect((await get(await addressOf('api'), '/x')).status).toBe(200);
  });

  test('is kept by export and by a new start', async () => {
    const port = await freePort();
    await using folder = await temporaryFolder();
    const dataFolder = path.join(folder.path, 'data');
    const config = configOf([coder], [integration('api', upstream.url, { listen: `127.0.0.1:${port}` })]);
    const first = await startGateway({ config, dataFolder });
    const exported = await control(first, 'GET', '/v1/export');
    expect(exported.text).toContain(`listen: 127.0.0.1:${port}`);
    const again = await control(first, 'POST', '/v1/apply', {
      body: { ...config, integrations: integrationsOf(config) },
    });
    expect(again.json().changes).toEqual([]);
    expect((await first.kill('SIGTERM')).code).toBe(0);
    await refusesConnections(`127.0.0.1:${port}`);
    await using second = await startGateway({ dataFolder });
    expect((await get(`127.0.0.1:${port}`, '/x')).text).toBe('GET /x');
    await second.close();
    await first.close();
  });
});

function integrationsOf(config: object): unknown {
  return (config as { integrations: unknown }).integrations;
}

describe('an address that is taken', () => {
  test('is told by apply, by the log and by the readiness, and opened once it is free', async () => {
    await using own = await startGateway({ config: configOf([coder], [integration('api', upstream.url)]) });
    const server = await occupy();
    const { port } = server.address() as AddressInfo;
    const body = {
      version: 1,
      integrations: [
        integration('api', upstream.url),
        integration('late', upstream.url, { listen: `127.0.0.1:${port}` }),
      ],
    };
    const applied = await control(own, 'POST', '/v1/apply', { body });
    expect(applied).toMatchObject({ status: 200 });
    const message = expect.stringContaining(`127.0.0.1:${port}: another program listens there`);
    expect(applied.json()).toMatchObject({ warnings: [{ field: 'integrations[1].listen', message }] });
    const readyz = (await call(own.dataUrl, '/readyz')).json();
    expect(readyz).toMatchObject({ status: 'ready', dependencies: { ownAddresses: 'failing' } });
    expect(own.stderr()).toMatch(new RegExp(`"integration":"late","msg":".*127.0.0.1:${port}`));
    await expect(addressOf('late', own)).rejects.toThrow('no own address');
    // Nothing of it stands in the way of the other calls.
    expect((await call(own.dataUrl, '/to/late/x', { headers: key })).status).toBe(200);
    server.close();
    await once(server, 'close');
    await vi.waitFor(() => addressOf('late', own), { timeout: 15_000, interval: 100 });
    expect((await get(`127.0.0.1:${port}`, '/x')).text).toBe('GET /x');
    expect((await call(own.dataUrl, '/readyz')).json()).toMatchObject({ dependencies: { ownAddresses: 'ok' } });
  });

  test('does not keep a gateway from starting', async () => {
    const server = await occupy();
    const { port } = server.address() as AddressInfo;
    const config = configOf([coder], [integration('api', upstream.url, { listen: `127.0.0.1:${port}` })]);
    await using own = await startGateway({ config });
    expect((await call(own.dataUrl, '/to/api/x', { headers: key })).status).toBe(200);
    expect((await call(own.dataUrl, '/readyz')).json()).toMatchObject({ dependencies: { ownAddresses: 'failing' } });
    server.close();
  });
});

describe('what is refused at the save', () => {
  const issue = (field: string, message: string | RegExp) => ({
    code: 'validation_failed',
    issues: [{ field, message: expect.stringMatching(message) }],
  });

  test.each([
    '8101',
    '127.0.0.1',
    'example.com:80',
    '127.0.0.1:99999',
    ':80',
    'http://127.0.0.1:80',
    '[::1]',
    17,
    true,
  ])('the address %j', async (listen) => {
    expect((await create('bad', { listen })).problem()).toMatchObject({ status: 422, issues: [{ field: 'listen' }] });
  });

  test('an address of the gateway’s own listeners', async () => {
    for (const url of [gateway.dataUrl, gateway.adminUrl]) {
      const answer = await create('bad', { listen: new URL(url).host });
      expect(answer.problem()).toMatchObject({ status: 422, ...issue('listen', 'own listeners') });
    }
  });

  test('an address that agent keys would cross the network to in clear', async () => {
    for (const listen of ['0.0.0.0:0', '[::]:0', '192.0.2.1:8101']) {
      const answer = await create('bad', { listen });
      expect(answer.problem()).toMatchObject({ status: 422, ...issue('listen', 'POSTERN_UNSAFE_ALLOW_CLEARTEXT') });
    }
  });

  test('an address that another integration has, of the tenant or of another', async () => {
    const port = await freePort();
    expect((await create('first', { listen: `127.0.0.1:${port}` })).status).toBe(201);
    const second = await create('second', { listen: `127.0.0.1:${port}` });
    expect(second.problem()).toMatchObject({ status: 422, ...issue('listen', 'of the integration first') });
    expect((await control(gateway, 'GET', '/v1/integrations/second')).status).toBe(404);
    const third = await create('third', {});
    expect(third.status).toBe(201);
    expect((await change('third', { listen: `localhost:${port}` })).problem()).toMatchObject(issue('listen', 'first'));
    await control(gateway, 'POST', '/v1/tenants', { body: { name: 'neighbour' } });
    const body = {
      version: 1,
      tenant: 'neighbour',
      integrations: [integration('x', upstream.url, { listen: `127.0.0.1:${port}` })],
    };
    const foreign = await control(gateway, 'POST', '/v1/apply', { body, tenant: 'neighbour' });
    expect(foreign.problem()).toMatchObject(issue('integrations[0].listen', 'of another tenant'));
    const twice = [1, 2].map((number) => integration(`n${number}`, upstream.url, { listen: '127.0.0.1:8199' }));
    const doubled = await control(gateway, 'POST', '/v1/apply?dryRun=true', {
      body: { version: 1, tenant: 'neighbour', integrations: twice },
      tenant: 'neighbour',
    });
    expect(doubled.problem()).toMatchObject({
      issues: [{ field: 'integrations[0].listen' }, { field: 'integrations[1].listen' }],
    });
    await remove('first');
    await remove('third');
  });

  test('an address set by anybody but an instance owner', async () => {
    const admin = await control(gateway, 'POST', '/v1/admins', {
      body: { name: 'ann', role: 'admin', tenant: 'default' },
    });
    const { token } = admin.json();
    const asAdmin = (method: string, target: string, body: unknown) =>
      control(gateway, method, target, { body, token });
    const global = { name: 'plain', baseUrl: 'https://api.example.com', listen: '127.0.0.1:0' };
    const created = await asAdmin('POST', '/v1/integrations', global);
    expect(created.problem()).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await control(gateway, 'POST', '/v1/integrations', { body: global })).status).toBe(201);
    expect((await asAdmin('PATCH', '/v1/integrations/plain', { listen: '127.0.0.1:8198' })).status).toBe(403);
    expect((await asAdmin('PATCH', '/v1/integrations/plain', { disabled: true })).status).toBe(200);
    const document = { version: 1, integrations: [{ ...global, listen: '127.0.0.1:8197' }] };
    expect((await asAdmin('POST', '/v1/apply?dryRun=true', document)).problem()).toMatchObject({ status: 403 });
    // To take it away opens nothing.
    expect((await asAdmin('PATCH', '/v1/integrations/plain', { listen: null })).status).toBe(200);
    expect((await asAdmin('PATCH', '/v1/integrations/plain', { listen: '127.0.0.1:0' })).status).toBe(403);
    await remove('plain');
  });

  test('changes of addresses are audited', async () => {
    const entries = await eventualAuditEvents(gateway, { type: 'admin.removed' });
    expect(entries.map(({ subject }) => subject)).toContain('integration:plain');
    expect(await auditEvents(gateway, { type: 'admin.updated' })).not.toEqual([]);
  });
});

describe('TLS', () => {
  test('of the data plane holds on own addresses too, which may then be reached from elsewhere', async () => {
    const authority = createCertificateAuthority();
    await using folder = await temporaryFolder();
    const { cert, key: privateKey } = authority.issue(['127.0.0.1', 'gateway.test']);
    const files = { cert: path.join(folder.path, 'cert.pem'), key: path.join(folder.path, 'key.pem') };
    await writeFile(files.cert, cert);
    await writeFile(files.key, privateKey);
    await using own = await startGateway({
      config: configOf([coder], [integration('api', upstream.url, { listen: '0.0.0.0:0' })]),
      environment: {
        POSTERN_TLS_CERT_FILE: files.cert,
        POSTERN_TLS_KEY_FILE: files.key,
        POSTERN_PUBLIC_URL: 'https://gateway.test',
      },
    });
    const port = Number(/"listen":"0\.0\.0\.0:([0-9]+)"/.exec(own.stderr())?.[1]);
    upstream.answerWith((_request, response) => void response.writeHead(302, { location: '/next' }).end());
    const request = httpsRequest({ host: '127.0.0.1', port, path: '/x', headers: key, ca: authority.cert });
    request.end();
    const [response] = await once(request, 'response');
    expect([response.statusCode, response.headers.location]).toEqual([302, `https://gateway.test:${port}/next`]);
    response.resume();
    // Cleartext is not answered there.
    await expect(call(`http://127.0.0.1:${port}`, '/x', { headers: key })).rejects.toThrow();
  });

  test('that is gone at the next start keeps the address closed, and the log says so', async () => {
    await using folder = await temporaryFolder();
    const dataFolder = path.join(folder.path, 'data');
    const config = configOf([coder], [integration('api', upstream.url, { listen: '0.0.0.0:0' })]);
    const first = await startGateway({ config, dataFolder, environment: { POSTERN_UNSAFE_ALLOW_CLEARTEXT: '1' } });
    expect(first.stderr()).toMatch(/"listen":"0\.0\.0\.0:[0-9]+"/);
    await first.kill('SIGTERM');
    await first.close();
    await using second = await startGateway({ dataFolder });
    expect(second.stderr()).toContain('0.0.0.0:0 is not a loopback address, and the data plane has no TLS');
    expect((await call(second.dataUrl, '/readyz')).json()).toMatchObject({ dependencies: { ownAddresses: 'failing' } });
    expect(readFileSync(path.join(dataFolder, 'admin-token'), 'utf8')).toBeTruthy();
  });
});

test('a stop lets the calls on own addresses end', async () => {
  await using own = await startGateway({
    config: configOf([coder], [integration('api', upstream.url, { listen: '127.0.0.1:0' })]),
  });
  const address = await addressOf('api', own);
  const arrived = Promise.withResolvers<() => void>();
  upstream.answerWith((_request, response) => {
    response.write('begun ');
    arrived.resolve(() => void response.end('ended'));
  });
  const running = get(address, '/slow');
  const finish = await arrived.promise;
  const stopped = own.kill('SIGTERM');
  await vi.waitFor(() => refusesConnections(address), { timeout: 5_000 });
  finish();
  expect(await running).toMatchObject({ status: 200, text: 'begun ended' });
  expect((await stopped).code).toBe(0);
});
