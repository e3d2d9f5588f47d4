import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type DnsServer, type DnsZone, startDnsServer, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { control, eventualAuditEvents } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const PUBLIC = '93.184.215.14';

let dns: DnsServer;
let upstream: Upstream;
/** On 127.0.0.2 under the upstream's port: where a second look-up would lead. */
let trap: Server;
let trapped = 0;
let gateway: RunningGateway;

/** Names whose answers hold an address that nothing opens. */
const FORBIDDEN: DnsZone = {
  'mixed.test': { A: [PUBLIC, '10.0.0.1'] },
  'mixed-first.test': { A: ['10.0.0.1', PUBLIC] },
  'mixed-families.test': { A: [PUBLIC], AAAA: ['::1'] },
  'opened-and-not.test': { A: ['127.0.0.1', '10.0.0.1'] },
  'private.test': { A: ['192.168.1.1'] },
  'shared.test': { A: ['100.64.0.1'] },
  'link-local.test': { A: ['169.254.1.1'] },
  'unspecified.test': { A: ['0.0.0.0'] },
  'multicast.test': { A: ['224.0.0.1'] },
  'mapped.test': { AAAA: ['::ffff:10.0.0.1'] },
  'nat64.test': { AAAA: ['64:ff9b::10.0.0.1'] },
  '6to4.test': { AAAA: ['2002:a00:1::'] },
  'unique-local.test': { AAAA: ['fd00::1'] },
  'alias.test': { CNAME: 'private.test' },
  'metadata.test': { A: ['169.254.169.254'] },
  'metadata6.test': { AAAA: ['fd00:ec2::254'] },
  'metadata-mapped.test': { AAAA: ['::ffff:169.254.169.254'] },
};

beforeAll(async () => {
  upstream = await startUpstream();
  trap = createServer((_request, response) => {
    trapped += 1;
    response.end('trap');
  }).listen(upstream.port, '127.0.0.2');
  await once(trap, 'listening');
  dns = await startDnsServer({
    ...FORBIDDEN,
    'loopback.test': { A: ['127.0.0.1'], ttlSeconds: 60 },
    'changing.test': (_query, earlier) => ({ A: [earlier % 2 === 0 ? '127.0.0.1' : '127.0.0.2'] }),
    'turning.test': { A: ['127.0.0.1'] },
    'servfail.test': 'servfail',
    'silent.test': 'drop',
  });
  const named = (host: string, unsafeAllowAddresses: string[]) =>
    integration(host.replace('.test', ''), `http://${host}:${upstream.port}`, { network: { unsafeAllowAddresses } });
  const integrations = [
    ...Object.keys(FORBIDDEN).map((host) => named(host, ['127.0.0.0/8'])),
    ...['loopback', 'changing', 'turning', 'gone', 'servfail', 'silent'].map((name) =>
      named(`${name}.test`, ['127.0.0.0/8']),
    ),
    integration('closed', `http://loopback.test:${upstream.port}`, { network: {} }),
    integration('all-open', `http://metadata.test:${upstream.port}`, {
      network: { unsafeAllowAddresses: ['0.0.0.0/0', '::/0'] },
    }),
    integration('all-open6', `http://metadata6.test:${upstream.port}`, {
      network: { unsafeAllowAddresses: ['0.0.0.0/0', '::/0'] },
    }),
    integration('metadata-name', 'http://metadata.google.internal', {
      network: { unsafeAllowAddresses: ['0.0.0.0/0', '::/0'] },
    }),
    integration('api', upstream.url),
  ];
  gateway = await startGateway({
    config: configOf([coder], integrations),
    environment: {
      POSTERN_DNS_SERVERS: dns.address,
      HTTP_PROXY: `http://127.0.0.2:${upstream.port}`,
      http_proxy: `http://127.0.0.2:${upstream.port}`,
      NODE_USE_ENV_PROXY: '1',
    },
  });
});

afterAll(async () => {
  await gateway?.close();
  trap?.closeAllConnections();
  trap?.close();
  for (const server of [upstream, dns]) await server?.close();
});

const headers = { 'postern-key': coder.key };
const get = (name: string) => call(gateway.dataUrl, `/to/${name}/x`, { headers });

async function expectForbidden(name: string): Promise<void> {
  const before = upstream.requests.length;
  const answer = await get(name);
  expect(answer.problem()).toMatchObject({ status: 403, code: 'address_forbidden', retryable: false });
  expect(answer.text).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
  const [entry] = await eventualAuditEvents(gateway, { requestId: answer.problem().requestId });
  expect(entry).toMatchObject({ type: 'ssrf.denied', integration: name, code: 'address_forbidden' });
  expect(upstream.requests.length).toBe(before);
  expect(trapped).toBe(0);
}

describe('every answer of the DNS must be permitted', () => {
  test.each(Object.keys(FORBIDDEN).map((host) => host.replace('.test', '')))('%s.test is refused', expectForbidden);

  test('a private address is reached only where unsafeAllowAddresses covers it', async () => {
    expect((await get('loopback')).status).toBe(200);
    expect(upstream.requests.at(-1)?.headers['host']).toBe(`loopback.test:${upstream.port}`);
    await expectForbidden('closed');
  });

  test.each(['all-open', 'all-open6', 'metadata-name'])(
    'metadata is refused though everything is opened: %s',
    expectForbidden,
  );

  test.each(['gone', 'servfail', 'silent'])('%s.test cannot be resolved', async (name) => {
    const answer = await get(name);
    expect(answer.problem()).toMatchObject({ status: 502, code: 'resolve_failed', retryable: true });
    const [entry] = await eventualAuditEvents(gateway, { requestId: answer.problem().requestId });
    expect(entry).toMatchObject({ type: 'denied', code: 'resolve_failed' });
  });
});

describe('the judged address is dialled (acceptance vector 5)', () => {
  test('an answer that changes between check and connect changes nothing', async () => {
    expect((await get('changing')).status).toBe(200);
    expect(trapped).toBe(0);
    const [intent] = await eventualAuditEvents(gateway, { integration: 'changing', type: 'intent' });
    expect(intent?.addresses).toEqual(['127.0.0.1']);
    // One look-up of each family for the judgement, and none for the connection.
    expect(dns.count('changing.test', 'A')).toBe(1);
  });

  test('an answer that turns bad closes the way, also for a warm connection', async () => {
    expect((await get('turning')).status).toBe(200);
    dns.answer('turning.test', { A: ['127.0.0.1', '10.0.0.1'] });
    // Answers are kept for a second at least.
    await vi.waitFor(() => expectForbidden('turning'), 5_000);
    dns.answer('turning.test', { A: ['10.0.0.1'] });
    await expectForbidden('turning');
  });

  test('proxy variables of the gateway’s environment are ignored', async () => {
    expect((await get('api')).status).toBe(200);
    expect(trapped).toBe(0);
  });
});

describe('the gateway does not call itself', () => {
  test.each(['dataUrl', 'adminUrl'] as const)('its own listener is refused: %s', async (listener) => {
    const { port } = new URL(gateway[listener]);
    for (const [index, host] of ['127.0.0.1', 'loopback.test'].entries()) {
      const name = `self-${listener.toLowerCase()}-${index}`;
      const body = integration(name, `http://${host}:${port}`);
      expect((await control(gateway, 'POST', '/v1/integrations', { body })).status).toBe(201);
      await expectForbidden(name);
    }
  });

  test('a call that carries our own Via is refused, another’s is taken off', async () => {
    await get('api');
    const own = upstream.requests.at(-1)?.headers['via'] as string;
    expect(own).toMatch(/^1\.1 [a-z0-9-]+$/);
    const name = own.split(' ')[1] as string;
    for (const via of [
      own,
      `1.1 other, ${own}`,
      `HTTP/1.1 ${name.toUpperCase()} (comment)`,
      `1.0 ${name},1.1 x`,
      ` 1.1\t${name}`,
    ]) {
      const before = upstream.requests.length;
      const answer = await call(gateway.dataUrl, '/to/api/x', { headers: { ...headers, via } });
      expect(answer.problem()).toMatchObject({ status: 403, code: 'address_forbidden' });
      expect(upstream.requests.length).toBe(before);
    }
    expect((await call(gateway.dataUrl, '/to/api/x', { headers: { ...headers, via: '1.1 other' } })).status).toBe(200);
    expect(upstream.requests.at(-1)?.headers['via']).toBe(own);
  });
});
