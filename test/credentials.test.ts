import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  createCertificateAuthority,
  startUpstream,
  type TemporaryFolder,
  temporaryFolder,
  type Upstream,
} from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control, outcomeOf } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { integration, LOOPBACK, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway, startRefused } from './support/start-gateway.ts';

const dev = newAgent('dev-agent');
const prod = newAgent('prod-agent');
const nowhere = newAgent('nowhere-agent');
const SECRETS = {
  token: 'tok-3a7c5e9f1b2d4680',
  'from-env': 'env-9d8c7b6a5f4e3d2c',
  'from-file': 'file-1029384756abcdef',
  query: 'q&=+ %/ü-0f1e2d3c',
  password: 'pass:word-77aa88bb99',
  prod: 'prod-only-5544332211',
};

let folder: TemporaryFolder;
let upstream: Upstream;
let secure: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  folder = await temporaryFolder();
  const secretFile = path.join(folder.path, 'secret');
  await writeFile(secretFile, `${SECRETS['from-file']}\n`);
  upstream = await startUpstream();
  const authority = createCertificateAuthority();
  secure = await startUpstream({ tls: authority.issue(['127.0.0.1']) });
  const withCredential = (name: string, credential: object) => integration(name, upstream.url, { credential });
  const config = {
    version: 1,
    secrets: {
      token: { value: SECRETS.token },
      'from-env': { from: 'env:TEST_SECRET' },
      'from-file': { from: `file:${secretFile}` },
      query: { value: SECRETS.query },
      password: { value: SECRETS.password },
      prod: { value: SECRETS.prod, environments: ['prod'] },
    },
    integrations: [
      withCredential('none', { type: 'none' }),
      withCredential('bearer', { type: 'bearer', secret: 'token' }),
      withCredential('env', { type: 'bearer', secret: 'from-env' }),
      withCredential('file', { type: 'bearer', secret: 'from-file' }),
      withCredential('header', { type: 'header', secret: 'token', name: 'X-Token' }),
      withCredential('prefix', { type: 'header', secret: 'token', name: 'Authorization', prefix: 'Token token=' }),
      withCredential('query', { type: 'query', secret: 'query', name: 'api_key' }),
      withCredential('basic', { type: 'basic', secret: 'password', username: 'robot' }),
      withCredential('prod-secret', { type: 'bearer', secret: 'prod' }),
      integration('prod-only', upstream.url, { environments: ['prod'] }),
      integration('tls', secure.url, {
        credential: { type: 'bearer', secret: 'token' },
        tls: { ca: authority.cert },
        network: { unsafeAllowAddresses: ['127.0.0.1/32'] },
      }),
      integration('down', 'http://127.0.0.1:9', { credential: { type: 'query', secret: 'query', name: 'api_key' } }),
    ],
    agents: [
      { name: 'dev-agent', key: dev.key, environment: 'dev' },
      { name: 'prod-agent', key: prod.key, environment: 'prod' },
      { name: 'nowhere-agent', key: nowhere.key },
    ],
    rules: [{ id: 'all', effect: 'allow' }],
  };
  const environment = { TEST_SECRET: SECRETS['from-env'], POSTERN_LOG_LEVEL: 'trace' };
  gateway = await startGateway({ config, environment });
});

afterAll(async () => {
  await gateway?.close();
  for (const server of [upstream, secure]) await server?.close();
  await folder?.remove();
});

const as = (key: string, target: string, headers: object = {}) =>
  call(gateway.dataUrl, `/to/${target}`, { headers: { 'postern-key': key, ...headers } });
const encoded = encodeURIComponent(SECRETS.query);

describe('each kind of credential arrives', () => {
  test.each<[string, string, string | undefined]>([
    ['none', 'authorization', undefined],
    ['bearer', 'authorization', `Bearer ${SECRETS.token}`],
    ['env', 'authorization', `Bearer ${SECRETS['from-env']}`],
    ['file', 'authorization', `Bearer ${SECRETS['from-file']}`],
    ['header', 'x-token', SECRETS.token],
    ['prefix', 'authorization', `Token token=${SECRETS.token}`],
    ['basic', 'authorization', `Basic ${Buffer.from(`robot:${SECRETS.password}`).toString('base64')}`],
  ])('%s', async (name, header, value) => {
    for (const key of [dev.key, prod.key, nowhere.key]) {
      expect((await as(key, `${name}/x`)).status).toBe(200);
      expect(upstream.requests.at(-1)?.headers[header]).toBe(value);
    }
  });

  test.each([
    ['query/x', `/x?api_key=${encoded}`],
    ['query/x?', `/x?&api_key=${encoded}`],
    ['query/x?a=b', `/x?a=b&api_key=${encoded}`],
    ['query/x?xapi_key=1&api_key2=2', `/x?xapi_key=1&api_key2=2&api_key=${encoded}`],
  ])('query, appended last: /to/%s', async (target, sent) => {
    expect((await as(dev.key, target)).status).toBe(200);
    expect(upstream.requests.at(-1)?.url).toBe(sent);
  });

  test('over TLS', async () => {
    expect((await as(dev.key, 'tls/x')).status).toBe(200);
    expect(secure.requests.at(-1)?.headers['authorization']).toBe(`Bearer ${SECRETS.token}`);
  });

  test('through a document', async () => {
    const body = JSON.stringify({
      integration: 'bearer',
      request: { method: 'GET', path: '/x', headers: { Authorization: 'Bearer my-own', 'X-Api-Key': 'mine' } },
    });
    const headers = { 'postern-key': dev.key, 'content-type': 'application/json' };
    expect((await call(gateway.dataUrl, '/v1/execute', { headers, body })).status).toBe(200);
    expect(upstream.requests.at(-1)?.headers['authorization']).toBe(`Bearer ${SECRETS.token}`);
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('x-api-key');
  });
});

describe('what the agent itself brings', () => {
  test('its own Authorization and the header of the credential are never forwarded', async () => {
    const own = { authorization: 'Basic bXk6b3du', 'X-Token': 'mine', 'x-TOKEN': 'mine-too' };
    await as(dev.key, 'none/x', { authorization: own.authorization });
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('authorization');
    await as(dev.key, 'header/x', own);
    expect(upstream.requests.at(-1)?.headers['x-token']).toBe(SECRETS.token);
    await as(dev.key, 'bearer/x', own);
    expect(upstream.requests.at(-1)?.headers['authorization']).toBe(`Bearer ${SECRETS.token}`);
  });

  test.each([
    'api_key=1',
    'a=b&api_key=1',
    'api_key',
    'api%5Fkey=1',
    '%61pi_key=1',
    'a=b&api_key=1&c=d',
    'api_key=1&api_key=2',
  ])('a query with the credential’s parameter is refused: %s', async (query) => {
    const before = upstream.requests.length;
    expect((await as(dev.key, `query/x?${query}`)).problem()).toMatchObject({ status: 400, code: 'target_invalid' });
    expect(upstream.requests.length).toBe(before);
  });
});

describe('environments', () => {
  test('a secret is opened only for agents of its environments', async () => {
    expect((await as(prod.key, 'prod-secret/x')).status).toBe(200);
    for (const key of [dev.key, nowhere.key]) {
      const before = upstream.requests.length;
      const answer = await as(key, 'prod-secret/x');
      expect(answer.problem()).toMatchObject({ status: 503, code: 'credential_unavailable' });
      expect(upstream.requests.length).toBe(before);
      const outcome = await outcomeOf(gateway, answer.problem().requestId);
      expect(outcome).toMatchObject({ result: 'not_sent', code: 'credential_unavailable' });
    }
  });

  test('an integration is there only for agents of its environments', async () => {
    expect((await as(prod.key, 'prod-only/x')).status).toBe(200);
    for (const key of [dev.key, nowhere.key]) {
      expect((await as(key, 'prod-only/x')).problem()).toMatchObject({ status: 403, code: 'integration_disabled' });
    }
  });
});

describe('a secret’s life', () => {
  test('a new version is used within 2 s', async () => {
    const value = 'second-version-0011223344';
    const put = await control(gateway, 'PUT', '/v1/secrets/from-env', { body: { value } });
    expect(put.status).toBeLessThan(300);
    expect(put.text).not.toContain(value);
    await vi.waitFor(async () => {
      await as(dev.key, 'env/x');
      expect(upstream.requests.at(-1)?.headers['authorization']).toBe(`Bearer ${value}`);
    }, 2_000);
  });

  test('no request of the control plane reads a value', async () => {
    for (const target of [
      '/v1/secrets',
      '/v1/secrets/token',
      '/v1/secrets/token/versions',
      '/v1/export',
      '/v1/integrations/bearer',
    ]) {
      const answer = await control(gateway, 'GET', target);
      expect(answer.status).toBe(200);
      expectNoSecret(answer.text);
    }
  });

  test.each([7, 8])('a secret of %i characters for a credential', async (length) => {
    const config = {
      version: 1,
      secrets: { short: { value: 's'.repeat(length) } },
      integrations: [integration('short', upstream.url, { credential: { type: 'bearer', secret: 'short' } })],
    };
    if (length >= 8) return (await startGateway({ config })).close();
    expect((await startRefused({ config })).stderr).toMatch(/secret/);
  });

  test('a credential over http needs to be opened in so many words', async () => {
    const config = {
      version: 1,
      secrets: { token: { value: SECRETS.token } },
      integrations: [
        integration('open', upstream.url, {
          credential: { type: 'bearer', secret: 'token' },
          network: { ...LOOPBACK, unsafeAllowCleartextCredentials: false },
        }),
      ],
    };
    const { code, stderr } = await startRefused({ config });
    expect(code).toBe(1);
    expect(stderr).toContain('unsafeAllowCleartextCredentials');
    expectNoSecret(stderr);
  });
});

test('no secret is in any log, entry, problem or explanation', async () => {
  const headers = { 'postern-key': dev.key, 'content-type': 'application/json' };
  for (const name of ['bearer', 'query', 'basic', 'header', 'down', 'prod-secret']) {
    const body = JSON.stringify({ integration: name, request: { method: 'GET', path: '/x' } });
    const explained = await call(gateway.dataUrl, '/v1/explain', { headers, body });
    expect(explained.json().credential.secret).toMatch(/^[a-z-]+$/);
    expectNoSecret(explained.text);
  }
  const refused = await as(dev.key, 'down/x', { 'x-request-id': 'the-last-one' });
  expect(refused.problem().code).toBe('upstream_unavailable');
  expectNoSecret(refused.text);
  await vi.waitFor(() => expect(gateway.stderr()).toContain('the-last-one'), 3_000);
  expectNoSecret(gateway.stderr() + gateway.stdout());
  const entries = JSON.stringify(await auditEvents(gateway));
  expect(entries).toContain('"credential":"token"');
  expectNoSecret(entries);
});

function expectNoSecret(text: string): void {
  for (const secret of Object.values(SECRETS)) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').slice(0, -3)]) {
      expect(text.includes(form)).toBe(false);
    }
  }
}
