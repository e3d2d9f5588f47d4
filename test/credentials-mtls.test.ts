import type { TLSSocket } from 'node:tls';
import { createCertificateAuthority, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { auditEvents, control, outcomeOf } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { ALLOW_ALL, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway, startRefused } from './support/start-gateway.ts';

const agent = newAgent('coder');
const servers = createCertificateAuthority('servers');
const clients = createCertificateAuthority('clients');
const strangers = createCertificateAuthority('strangers');
const bundleOf = ({ cert, key }: { readonly cert: string; readonly key: string }) => `${cert}\n${key}`;
const alpha = clients.issue(['alpha.clients']);
const beta = clients.issue(['beta.clients']);

let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream({
    tls: { ...servers.issue(['127.0.0.1']), clientCa: clients.cert },
    handler: (_request, response) => {
      const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject;
      response.end(String(CN));
    },
  });
});

afterEach(async () => {
  await gateway?.close();
});

afterAll(async () => {
  await upstream?.close();
});

const integration = (name: string, credential: object, more: object = {}) => ({
  name,
  baseUrl: upstream.url,
  credential,
  tls: { ca: servers.cert },
  network: { unsafeAllowAddresses: ['127.0.0.1/32'] },
  ...more,
});
const mtls = (secret: string) => ({ type: 'mtls', secret });

function configOf(integrations: readonly object[], secrets: Record<string, string>): object {
  return {
    version: 1,
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, { value }])),
    integrations,
    agents: [{ name: agent.name, key: agent.key }],
    rules: [ALLOW_ALL],
  };
}

const get = (name: string) => call(gateway.dataUrl, `/to/${name}/x`, { headers: { 'postern-key': agent.key } });

describe('an upstream that demands a client certificate', () => {
  test('gets that of the integration, on a connection of its own', async () => {
    const config = configOf([integration('one', mtls('alpha')), integration('two', mtls('beta'))], {
      alpha: bundleOf(alpha),
      // The key may stand first, and text around the blocks does no harm.
      beta: `Bag Attributes\n${beta.key}\nsubject=CN\n${beta.cert}`,
    });
    gateway = await startGateway({ config });
    for (let i = 0; i < 3; i += 1) {
      expect((await get('one')).text).toBe('alpha.clients');
      expect((await get('two')).text).toBe('beta.clients');
    }
    for (const { headers } of upstream.requests) expect(headers['authorization']).toBeUndefined();
    const texts = [JSON.stringify(await auditEvents(gateway)), gateway.stderr(), gateway.stdout()];
    const line = alpha.key.split('\n')[1] as string;
    for (const text of texts) expect(text).not.toContain(line);
  });

  test('refuses calls without one, and with one of another authority', async () => {
    const config = configOf([integration('none', { type: 'none' }), integration('stranger', mtls('stranger'))], {
      stranger: bundleOf(strangers.issue(['alpha.clients'])),
    });
    gateway = await startGateway({ config });
    const before = upstream.requests.length;
    for (const name of ['none', 'stranger']) {
      expect([502]).toContain((await get(name)).problem().status);
    }
    expect(upstream.requests.length).toBe(before);
  });

  test('gets the new one from the next call on, never over a connection of the old one', async () => {
    gateway = await startGateway({ config: configOf([integration('one', mtls('cert'))], { cert: bundleOf(alpha) }) });
    expect((await get('one')).text).toBe('alpha.clients');
    await control(gateway, 'PUT', '/v1/secrets/cert', { body: { value: bundleOf(beta) } });
    expect((await get('one')).text).toBe('beta.clients');
  });

  test('gets nothing from a name that is reached in clear', async () => {
    await using plain = await startUpstream();
    const network = {
      unsafeAllowAddresses: ['127.0.0.1/32'],
      unsafeAllowCleartextCredentials: true,
      schemes: ['https', 'http'],
      ports: [upstream.port, plain.port],
    };
    gateway = await startGateway({
      config: configOf([integration('one', mtls('cert'), { network })], { cert: bundleOf(alpha) }),
    });
    const body = JSON.stringify({ integration: 'one', request: { method: 'GET', url: `${plain.url}/x` } });
    const headers = { 'postern-key': agent.key, 'content-type': 'application/json' };
    const answer = await call(gateway.dataUrl, '/v1/execute', { headers, body });
    expect(plain.requests).toHaveLength(0);
    expect(answer.status).toBeGreaterThanOrEqual(400);
  });
});

test('a secret that went bad after it was written stops the call before it is sent', async () => {
  gateway = await startGateway({ config: configOf([integration('one', mtls('later'))], {}) });
  const answer = await get('one');
  expect(answer.problem()).toMatchObject({ status: 503, code: 'credential_unavailable' });
  expect(await outcomeOf(gateway, answer.problem().requestId)).toMatchObject({ result: 'not_sent' });
});

test.each<[string, string, RegExp]>([
  ['no key', alpha.cert, /exactly one private key/],
  ['no certificate', alpha.key, /no certificate/],
  ['the key of another certificate', `${alpha.cert}\n${beta.key}`, /no certificate that its private key belongs to/],
  ['two keys', `${alpha.cert}\n${alpha.key}\n${beta.key}`, /exactly one private key/],
  ['a broken key', `${alpha.cert}\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----`, /cannot be read/],
  [
    'a broken certificate',
    `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${alpha.key}`,
    /cannot be read/,
  ],
])('a bundle with %s is refused at start', async (_what, bundle, reason) => {
  const { code, stderr } = await startRefused({
    config: configOf([integration('one', mtls('cert'))], { cert: bundle }),
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(reason);
  expect(stderr).not.toContain(alpha.key.split('\n')[1]);
});

test('mtls over http is refused, whatever else is permitted', async () => {
  const network = { unsafeAllowAddresses: ['127.0.0.1/32'], unsafeAllowCleartextCredentials: true };
  const one = integration('one', mtls('cert'), { baseUrl: 'http://127.0.0.1:9', network });
  const { stderr } = await startRefused({ config: configOf([one], { cert: bundleOf(alpha) }) });
  expect(stderr).toMatch(/baseUrl.*https/);
});
