import { generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import {
  createCertificateAuthority,
  startAssertionEndpoint,
  startInstallationEndpoint,
  startUpstream,
  type TemporaryFolder,
  temporaryFolder,
  type Upstream,
} from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { OIDC_CLIENTS, type OidcServer, startOidcServer } from './support/oidc-server.ts';
import { ALLOW_ALL, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const agent = newAgent('coder');
let oidc: OidcServer;
let upstream: Upstream;
let gateway: RunningGateway | undefined;
let folder: TemporaryFolder;

beforeAll(async () => {
  oidc = await startOidcServer();
  // The upstream takes what the provider knows, and says which token it saw.
  upstream = await startUpstream({
    handler: async ({ headers }, response) => {
      const token = /^Bearer (.+)$/.exec(headers['authorization'] ?? '')?.[1] ?? '';
      const isValid = await oidc.isValid(token);
      response.writeHead(isValid ? 200 : 401, { 'x-seen': String(token.length) }).end();
    },
  });
});

afterEach(async () => {
  await gateway?.close();
  await folder?.remove();
});

afterAll(async () => {
  await upstream?.close();
  await oidc?.close();
});

function configOf(credential: object, secrets: Record<string, string>, more: object = {}, base = upstream.url): object {
  return {
    version: 1,
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, { value }])),
    integrations: [integration('api', base, { credential, ...more })],
    agents: [{ name: agent.name, key: agent.key }],
    rules: [ALLOW_ALL],
  };
}

const get = (running: RunningGateway, target = 'api/x') =>
  call(running.dataUrl, `/to/${target}`, { headers: { 'postern-key': agent.key } });
const sentTokens = () =>
  upstream.requests.map(({ headers }) => headers['authorization']?.slice('Bearer '.length) ?? '');

async function expectNowhere(running: RunningGateway, secrets: readonly string[]): Promise<void> {
  const entries = JSON.stringify(await auditEvents(running));
  const metrics = await call(running.adminUrl, '/metrics');
  const integrations = await control(running, 'GET', '/v1/integrations');
  const texts = [entries, running.stderr(), running.stdout(), metrics.text, integrations.text];
  for (const text of texts) for (const secret of secrets) expect(text.includes(secret)).toBe(false);
}

describe('an OpenID provider', () => {
  test.each(['basic', 'body'] as const)('gives a token for client credentials, shown by %s', async (auth) => {
    const { id: clientId, secret } = OIDC_CLIENTS[auth];
    const credential = {
      type: 'oauth2_client_credentials',
      secret: 'client-secret',
      tokenUrl: oidc.tokenUrl,
      clientId,
      auth,
      scope: 'read',
    };
    gateway = await startGateway({ config: configOf(credential, { 'client-secret': secret }) });
    const before = oidc.tokenRequests.length;
    const running = gateway;
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(running)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(oidc.tokenRequests.slice(before)).toEqual(['client_credentials']);
    const view = await control(gateway, 'GET', '/v1/integrations/api');
    expect(view.json().credentialState).toMatchObject({ status: 'ok' });
    await expectNowhere(gateway, [secret, sentTokens().at(-1) ?? 'none']);
  });

  test('refuses a wrong client secret once: the rest is told by log, metric and state', async () => {
    const credential = {
      type: 'oauth2_client_credentials',
      secret: 'client-secret',
      tokenUrl: oidc.tokenUrl,
      clientId: OIDC_CLIENTS.basic.id,
    };
    gateway = await startGateway({ config: configOf(credential, { 'client-secret': 'not-the-secret' }) });
    const before = oidc.tokenRequests.length;
    for (let i = 0; i < 3; i += 1) {
      expect((await get(gateway)).problem()).toMatchObject({ status: 503, code: 'credential_unavailable' });
    }
    expect(oidc.tokenRequests.length).toBe(before + 1);
    const { stderr, adminUrl } = gateway;
    await vi.waitFor(() => expect(stderr()).toContain('invalid_client'), 3_000);
    expect((await call(adminUrl, '/metrics')).text).toContain(
      'postern_credential_errors_total{class="invalid_client"} 1',
    );
    const view = await control(gateway, 'GET', '/v1/integrations/api');
    expect(view.json().credentialState).toEqual({
      status: 'permanent_failure',
      code: 'invalid_client',
      at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    // As an object is answered, it can be sent back.
    expect((await control(gateway, 'PUT', '/v1/integrations/api', { body: view.json() })).status).toBe(200);
    await control(gateway, 'PUT', '/v1/secrets/client-secret', { body: { value: OIDC_CLIENTS.basic.secret } });
    expect((await get(gateway)).status).toBe(200);
    await expectNowhere(gateway, [OIDC_CLIENTS.basic.secret, 'not-the-secret']);
  });
});

describe('refresh tokens that rotate', () => {
  const REFRESH = { type: 'oauth2_refresh', secret: 'refresh-token', clientId: OIDC_CLIENTS.refresh.id };

  async function startRefreshing() {
    folder = await temporaryFolder();
    const refreshToken = await oidc.issueRefreshToken(OIDC_CLIENTS.refresh.id);
    const credential = { ...REFRESH, tokenUrl: oidc.tokenUrl, clientSecret: 'client-secret' };
    const config = configOf(credential, {
      'refresh-token': refreshToken,
      'client-secret': OIDC_CLIENTS.refresh.secret,
    });
    const options = { config, dataFolder: path.join(folder.path, 'data') };
    return { options, refreshToken };
  }

  test('outlive restarts with the file that held the first of them, and kill -9', async () => {
    const { options, refreshToken } = await startRefreshing();
    const seen = new Set<string>();
    const before = oidc.tokenRequests.length;
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGKILL'] as const) {
      gateway = await startGateway(options);
      expect((await get(gateway)).status).toBe(200);
      seen.add(sentTokens().at(-1) ?? '');
      await gateway.kill(signal);
      await gateway.close();
    }
    // The provider ends the grant when a token is used twice: four starts, four tokens, none of them twice.
    gateway = await startGateway(options);
    expect((await get(gateway)).status).toBe(200);
    seen.add(sentTokens().at(-1) ?? '');
    expect(seen.size).toBe(4);
    expect(oidc.tokenRequests.slice(before)).toEqual(Array(4).fill('refresh_token'));
    const { items } = (await control(gateway, 'GET', '/v1/secrets/refresh-token/versions')).json();
    expect(items).toHaveLength(5);
    await expectNowhere(gateway, [refreshToken, OIDC_CLIENTS.refresh.secret, ...seen]);
  });

  test('give way to one that a person writes', async () => {
    const { options } = await startRefreshing();
    gateway = await startGateway(options);
    expect((await get(gateway)).status).toBe(200);
    const other = await oidc.issueRefreshToken(OIDC_CLIENTS.refresh.id);
    await control(gateway, 'PUT', '/v1/secrets/refresh-token', { body: { value: other } });
    expect((await get(gateway)).status).toBe(200);
    const written = await auditEvents(gateway, { type: 'secret.written' });
    expect(written.map(({ reason }) => reason)).toEqual([undefined, undefined, 'rotated', undefined, 'rotated']);
  });

  test('lose nothing to a kill between the storing and the first use', async () => {
    const { options } = await startRefreshing();
    const arrived = Promise.withResolvers<void>();
    await using slow = await startUpstream({ handler: () => arrived.resolve() });
    gateway = await startGateway(options);
    await control(gateway, 'PATCH', '/v1/integrations/api', { body: { baseUrl: slow.url, hosts: null } });
    // Stored by the time the upstream sees it; the answer never comes.
    void get(gateway).catch(() => undefined);
    await arrived.promise;
    await gateway.kill('SIGKILL');
    await gateway.close();
    gateway = await startGateway(options);
    expect((await get(gateway)).status).toBe(200);
  });
});

describe('signed assertions', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const authority = createCertificateAuthority();
  const tls = authority.issue(['127.0.0.1']);
  const pkcs8 = (key: typeof rsa.privateKey) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const OVER_TLS = { tls: { ca: authority.cert }, network: { unsafeAllowAddresses: ['127.0.0.1/32'] } };

  async function startSecureUpstream(tokens: () => readonly string[]): Promise<Upstream> {
    return startUpstream({
      tls,
      handler: ({ headers }, response) => {
        const isKnown = tokens().some((token) => headers['authorization'] === `Bearer ${token}`);
        response.writeHead(isKnown ? 200 : 401).end();
      },
    });
  }

  test.each([
    ['RS256', rsa],
    ['ES256', ec],
  ] as const)(
    '%s by a key in PEM form, over TLS with a private authority',
    async (algorithm, { privateKey, publicKey }) => {
      const terms = { publicKey, algorithm, issuer: 'svc', subject: 'svc', keyId: 'key-1', scope: 'read' };
      await using endpoint = await startAssertionEndpoint(terms, tls);
      await using secure = await startSecureUpstream(() => endpoint.tokens);
      const credential = {
        type: 'jwt_bearer',
        secret: 'key',
        tokenUrl: endpoint.tokenUrl,
        issuer: 'svc',
        keyId: 'key-1',
        scope: 'read',
      };
      const secret = pkcs8(privateKey);
      gateway = await startGateway({ config: configOf(credential, { key: secret }, OVER_TLS, secure.url) });
      expect((await get(gateway)).status).toBe(200);
      expect((await get(gateway)).status).toBe(200);
      expect(endpoint.claims).toMatchObject([{ iss: 'svc', sub: 'svc', aud: endpoint.tokenUrl, scope: 'read' }]);
      await expectNowhere(gateway, [...secret.split('\n').filter((line) => line.length > 20), ...endpoint.tokens]);
    },
  );

  test('by the JSON of a Google service account, for somebody else', async () => {
    const issuer = 'robot@project.iam.gserviceaccount.com';
    const terms = { publicKey: rsa.publicKey, algorithm: 'RS256', issuer, subject: 'alice@example.com', keyId: 'k1' };
    await using endpoint = await startAssertionEndpoint(terms, tls);
    await using secure = await startSecureUpstream(() => endpoint.tokens);
    const account = {
      type: 'service_account',
      client_email: issuer,
      private_key: pkcs8(rsa.privateKey),
      private_key_id: 'k1',
    };
    const credential = { type: 'jwt_bearer', secret: 'key', tokenUrl: endpoint.tokenUrl, subject: 'alice@example.com' };
    gateway = await startGateway({
      config: configOf(credential, { key: JSON.stringify(account) }, OVER_TLS, secure.url),
    });
    expect((await get(gateway)).status).toBe(200);
  });

  test('by another key are refused, and that is final', async () => {
    const terms = { publicKey: ec.publicKey, algorithm: 'ES256', issuer: 'svc' };
    await using endpoint = await startAssertionEndpoint(terms, tls);
    await using secure = await startSecureUpstream(() => endpoint.tokens);
    const credential = { type: 'jwt_bearer', secret: 'key', tokenUrl: endpoint.tokenUrl, issuer: 'svc' };
    const other = pkcs8(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    gateway = await startGateway({ config: configOf(credential, { key: other }, OVER_TLS, secure.url) });
    expect((await get(gateway)).problem().code).toBe('credential_unavailable');
    expect((await get(gateway)).problem().code).toBe('credential_unavailable');
    expect(endpoint.requests).toHaveLength(1);
    const view = await control(gateway, 'GET', '/v1/integrations/api');
    expect(view.json().credentialState).toMatchObject({ status: 'permanent_failure', code: 'invalid_grant' });
  });

  test('at an endpoint whose certificate nobody vouches for are not sent', async () => {
    const stranger = createCertificateAuthority('somebody else').issue(['127.0.0.1']);
    const terms = { publicKey: rsa.publicKey, algorithm: 'RS256', issuer: 'svc' };
    await using endpoint = await startAssertionEndpoint(terms, stranger);
    await using secure = await startSecureUpstream(() => []);
    const credential = { type: 'jwt_bearer', secret: 'key', tokenUrl: endpoint.tokenUrl, issuer: 'svc' };
    gateway = await startGateway({
      config: configOf(credential, { key: pkcs8(rsa.privateKey) }, OVER_TLS, secure.url),
    });
    expect((await get(gateway)).problem().code).toBe('credential_unavailable');
    expect(endpoint.requests).toHaveLength(0);
    const view = await control(gateway, 'GET', '/v1/integrations/api');
    expect(view.json().credentialState).toMatchObject({ status: 'failing', code: 'endpoint_unreachable' });
  });

  test.each([
    ['PKCS#1, as GitHub gives it', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['PKCS#8', pkcs8(rsa.privateKey)],
  ])('of a GitHub App bring the token of an installation: %s', async (_form, secret) => {
    const terms = { publicKey: rsa.publicKey, appId: '12345', installationId: '678' };
    await using endpoint = await startInstallationEndpoint(terms, tls);
    await using secure = await startSecureUpstream(() => endpoint.tokens);
    const credential = { type: 'github_app', secret: 'key', appId: 12345, installationId: 678, apiUrl: endpoint.url };
    gateway = await startGateway({ config: configOf(credential, { key: secret }, OVER_TLS, secure.url) });
    const running = gateway;
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(running)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(endpoint.requests).toHaveLength(1);
  });
});
