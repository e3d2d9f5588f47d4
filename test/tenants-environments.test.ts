import { generateKeyPairSync } from 'node:crypto';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { control } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { postern } from './support/postern.ts';
import { ALLOW_ALL, HARDLY_RISKY, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const EC_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const RSA_KEY = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

const prod = newAgent('in-prod');
const dev = newAgent('in-dev');
const none = newAgent('nowhere');

interface Row {
  readonly name: string;
  readonly credential: object;
  /** Those that every environment may have opened, and the one that only prod may. */
  readonly open?: Readonly<Record<string, string>>;
  readonly closed: readonly [string, string];
}

let upstream: Upstream;
let tokens: Upstream;
let receiver: Upstream;
let gateway: RunningGateway;
let rows: readonly Row[];

beforeAll(async () => {
  upstream = await startUpstream();
  receiver = await startUpstream();
  let minted = 0;
  tokens = await startUpstream({
    handler: ({ url }, response) => {
      minted += 1;
      const isApp = url.includes('access_tokens');
      const body = isApp
        ? { token: `minted-token-${minted}`, expires_at: new Date(Date.now() + 3_600_000).toISOString() }
        : {
            access_token: `minted-token-${minted}`,
            token_type: 'Bearer',
            expires_in: 3_600,
            refresh_token: `refresh-token-${minted}`,
          };
      response.writeHead(isApp ? 201 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    },
  });
  rows = rowsOf(`${tokens.url}/token`);
  const environments = ['prod'];
  const scoped = rows.flatMap(({ closed: [name, value], open = {} }) => [
    [name, { value, environments }],
    ...Object.entries(open).map(([other, text]) => [other, { value: text }]),
  ]);
  const hook = (name: string) => ({
    url: `${receiver.url}/${name}`,
    secret: name,
    events: ['approval.created'],
    unsafeAllowAddresses: ['127.0.0.1/32'],
  });
  gateway = await startGateway({
    environment: { POSTERN_ENVIRONMENT: 'dev', POSTERN_UNSAFE_ALLOW_ADDRESSES: '127.0.0.0/8' },
    config: {
      version: 1,
      secrets: {
        ...Object.fromEntries(scoped),
        'hook-prod': { value: WEBHOOK_SECRET, environments },
        'hook-dev': { value: WEBHOOK_SECRET, environments: ['dev', 'test'] },
        'hook-any': { value: WEBHOOK_SECRET },
      },
      integrations: rows.map(({ name, credential }) => integration(name, upstream.url, { credential })),
      agents: [
        { name: prod.name, key: prod.key, environment: 'prod', owner: 'alice' },
        { name: dev.name, key: dev.key, environment: 'dev', owner: 'alice' },
        { name: none.name, key: none.key, owner: 'alice' },
      ],
      rules: [ALLOW_ALL, { id: 'asks', effect: 'require_approval', paths: ['/held'] }],
      risk: HARDLY_RISKY,
      notifications: ['hook-prod', 'hook-dev', 'hook-any'].map(hook),
    },
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all([upstream?.close(), tokens?.close(), receiver?.close()]);
});

/** One of every type that goes over http; a secret of each is for prod alone, and of those with two secrets each in turn. */
function rowsOf(tokenUrl: string): readonly Row[] {
  const refresh = { type: 'oauth2_refresh', tokenUrl, clientId: 'c' };
  return [
    { name: 'bearer', credential: { type: 'bearer', secret: 's-bearer' }, closed: ['s-bearer', 'a-bearer-token'] },
    {
      name: 'header',
      credential: { type: 'header', name: 'X-Token', secret: 's-header' },
      closed: ['s-header', 'a-header-token'],
    },
    {
      name: 'query',
      credential: { type: 'query', name: 'token', secret: 's-query' },
      closed: ['s-query', 'a-query-token'],
    },
    {
      name: 'basic',
      credential: { type: 'basic', username: 'u', secret: 's-basic' },
      closed: ['s-basic', 'a-password'],
    },
    {
      name: 'hmac',
      credential: { type: 'hmac', header: 'X-Signature', secret: 's-hmac' },
      closed: ['s-hmac', 'a-signing-key'],
    },
    {
      name: 'aws',
      credential: { type: 'aws_sigv4', service: 's3', region: 'eu-central-1', secret: 's-aws' },
      closed: ['s-aws', JSON.stringify({ accessKeyId: 'AKIAEXAMPLE000000000', secretAccessKey: 'x'.repeat(40) })],
    },
    {
      name: 'client',
      credential: { type: 'oauth2_client_credentials', tokenUrl, clientId: 'c', secret: 's-client' },
      closed: ['s-client', 'a-client-secret'],
    },
    {
      name: 'jwt',
      credential: { type: 'jwt_bearer', tokenUrl, issuer: 'i', secret: 's-jwt' },
      closed: ['s-jwt', EC_KEY as string],
    },
    {
      name: 'app',
      credential: {
        type: 'github_app',
        appId: 1,
        installationId: 2,
        apiUrl: new URL(tokenUrl).origin,
        secret: 's-app',
      },
      closed: ['s-app', RSA_KEY as string],
    },
    {
      name: 'refresh-first',
      credential: { ...refresh, secret: 's-refresh-1', clientSecret: 's-open-1' },
      open: { 's-open-1': 'a-client-secret' },
      closed: ['s-refresh-1', 'a-refresh-token'],
    },
    {
      name: 'refresh-second',
      credential: { ...refresh, secret: 's-open-2', clientSecret: 's-second-2' },
      open: { 's-open-2': 'a-refresh-token' },
      closed: ['s-second-2', 'a-client-secret'],
    },
  ];
}

const NAMES = [
  'bearer',
  'header',
  'query',
  'basic',
  'hmac',
  'aws',
  'client',
  'jwt',
  'app',
  'refresh-first',
  'refresh-second',
];
const send = (name: string, { key }: { readonly key: string }) =>
  call(gateway.dataUrl, `/to/${name}/x`, { headers: { 'postern-key': key } });
const explain = async (name: string, { key }: { readonly key: string }) => {
  const answer = await call(gateway.dataUrl, '/v1/explain', {
    headers: { 'postern-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ integration: name, request: { method: 'GET', path: '/x' } }),
  });
  return answer.json().credential as { secret: string; unavailable?: string };
};

test('the table has every type of credential there is, but for the one that needs TLS', () => {
  expect(rows.map(({ name }) => name)).toEqual(NAMES);
  expect(new Set(rows.map(({ credential }) => (credential as { type: string }).type)).size).toBe(10);
});

describe.each(NAMES)('a secret of the credential %s that is for prod alone', (name) => {
  const refused = async (agent: { readonly name: string; readonly key: string }) => {
    const before = [upstream.requests.length, tokens.requests.length];
    expect((await send(name, agent)).problem()).toMatchObject({ status: 503, code: 'credential_unavailable' });
    expect([upstream.requests.length, tokens.requests.length]).toEqual(before);
    const [closed] = rows.find((row) => row.name === name)?.closed ?? [];
    expect((await explain(name, agent)).unavailable).toBe(
      `secret ${closed} is not for the environment of agent ${agent.name}`,
    );
  };

  test('is opened for an agent of prod, and for no other: neither before nor once it was opened', async () => {
    for (const agent of [dev, none]) await refused(agent);
    expect((await send(name, prod)).status).toBe(200);
    expect(await explain(name, prod)).not.toHaveProperty('unavailable');
    for (const agent of [dev, none]) await refused(agent);
    expect((await send(name, prod)).status).toBe(200);
  });
});

describe('what a secret is for', () => {
  test('stays when a token endpoint rotates it', async () => {
    await vi.waitFor(async () => {
      const secret = (await control(gateway, 'GET', '/v1/secrets/s-refresh-1')).json();
      expect(secret.activeVersion).toBeGreaterThan(1);
      expect(secret.environments).toEqual(['prod']);
    }, 5_000);
    expect((await send('refresh-first', dev)).status).toBe(503);
    expect((await send('refresh-first', prod)).status).toBe(200);
  });

  test('stays when somebody writes a new value, and changes when somebody says so, for minted tokens too', async () => {
    for (const [name, secret] of [
      ['bearer', 's-bearer'],
      ['client', 's-client'],
    ] as const) {
      const put = (body: object) => control(gateway, 'PUT', `/v1/secrets/${secret}`, { body });
      expect((await put({ value: 'another-value' })).json()).toMatchObject({ environments: ['prod'] });
      expect([(await send(name, dev)).status, (await send(name, prod)).status]).toEqual([503, 200]);
      await put({ value: 'one-more-value', environments: ['dev'] });
      expect([(await send(name, dev)).status, (await send(name, prod)).status]).toEqual([200, 503]);
      await put({ value: 'a-third-value', environments: null });
      expect([(await send(name, dev)).status, (await send(name, none)).status]).toEqual([200, 200]);
    }
  });

  test('is told by the doctor, who goes the way of a call', async () => {
    const found = await postern(gateway, ['doctor', 'hmac', '--agent', dev.name, '--no-connect']);
    expect(found.code).toBe(1);
    expect(found.out).toMatch(/secret s-hmac: is for prod, and the agent is of dev.*\[environment-mismatch\]/);
    const second = await postern(gateway, ['doctor', 'refresh-second', '--agent', dev.name, '--no-connect']);
    expect(second.out).toContain('secret s-second-2: is for prod');
  });
});

describe('notifications, which are no agent’s', () => {
  test('are signed with secrets that are for the gateway’s environment, and with no other', async () => {
    const held = await call(gateway.dataUrl, '/to/bearer/held', { headers: { 'postern-key': dev.key } });
    expect(held.status).toBe(428);
    const endpoints = async () =>
      (await control(gateway, 'GET', '/v1/notifications')).json().items as readonly {
        url: string;
        lastError?: string;
        deliveredAt?: string;
      }[];
    await vi.waitFor(async () => {
      for (const { deliveredAt, lastError } of await endpoints()) expect(deliveredAt ?? lastError).toBeDefined();
    }, 10_000);
    const told = (await endpoints()).map(({ url, lastError }) => [new URL(url).pathname, lastError]);
    expect(told.sort()).toEqual([
      ['/hook-any', undefined],
      ['/hook-dev', undefined],
      ['/hook-prod', 'secret_unavailable'],
    ]);
    expect(receiver.requests.map(({ url }) => url).sort()).toEqual(['/hook-any', '/hook-dev']);
    const found = await postern(gateway, ['doctor', '--no-connect']);
    expect(found.out).toMatch(/notifications to 127\.0\.0\.1.*hook-prod is for prod.*\[environment-mismatch\]/);
  });
});
