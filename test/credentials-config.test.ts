import { afterEach, describe, expect, test } from 'vitest';
import { control } from './support/audit-log.ts';
import { configOf, integration, LOOPBACK, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway, startRefused } from './support/start-gateway.ts';

let gateway: RunningGateway | undefined;

afterEach(async () => {
  await gateway?.close();
});

const agent = newAgent('coder');
const withCredential = (credential: object, more: object, baseUrl = 'https://api.example.com') =>
  configOf([agent], [integration('api', baseUrl, { credential, ...more })], {
    secrets: { 'client-secret': { value: 'secret-of-the-client' } },
  });

describe('a configuration is refused', () => {
  const CLIENT = {
    type: 'oauth2_client_credentials',
    secret: 'client-secret',
    tokenUrl: 'https://id.example.com/token',
    clientId: 'postern',
  };
  const https = { network: {} };

  test.each<[string, object, object, RegExp]>([
    ['a token URL over http', { ...CLIENT, tokenUrl: 'http://id.example.com/token' }, https, /tokenUrl.*https/],
    ['a token URL on a private address', { ...CLIENT, tokenUrl: 'https://10.0.0.1/token' }, https, /tokenUrl.*private/],
    ['a metadata address', { ...CLIENT, tokenUrl: 'https://169.254.169.254/token' }, https, /tokenUrl/],
    ['a token URL that is none', { ...CLIENT, tokenUrl: 'id.example.com' }, https, /tokenUrl/],
    ['another way of showing the secret', { ...CLIENT, auth: 'cookie' }, https, /auth/],
    ['a client without a name', { ...CLIENT, clientId: undefined }, https, /clientId/],
    [
      'a hash that is no sha256',
      { type: 'hmac', secret: 'client-secret', header: 'x-sig', algorithm: 'md5' },
      https,
      /algorithm/,
    ],
    [
      'a secret that is no key',
      { type: 'github_app', secret: 'client-secret', appId: 1, installationId: 2 },
      https,
      /PEM/,
    ],
    ['a secret that is no certificate', { type: 'mtls', secret: 'client-secret' }, https, /certificate/],
    [
      'a secret that is no AWS key',
      { type: 'aws_sigv4', secret: 'client-secret', service: 's3', region: 'eu-west-1' },
      https,
      /accessKeyId/,
    ],
  ])('for %s', async (_what, credential, more, reason) => {
    const config = withCredential(JSON.parse(JSON.stringify(credential)), more);
    const { code, stderr } = await startRefused({ config });
    expect(code).toBe(1);
    expect(stderr).toMatch(reason);
    expect(stderr).not.toContain('secret-of-the-client');
  });

  test('an admin of a tenant cannot lead what an owner has opened to another token endpoint', async () => {
    const config = withCredential(
      { ...CLIENT, tokenUrl: 'http://127.0.0.1:2/token' },
      { network: LOOPBACK },
      'http://127.0.0.1:3',
    );
    gateway = await startGateway({ config });
    const created = await control(gateway, 'POST', '/v1/admins', {
      body: { name: 'ada', role: 'admin', tenant: 'default' },
    });
    const token = created.json().token as string;
    const body = { credential: { ...CLIENT, tokenUrl: 'http://127.0.0.1:1/token' } };
    const refused = await control(gateway, 'PATCH', '/v1/integrations/api', { body, token });
    expect(refused.problem()).toMatchObject({ status: 403, code: 'forbidden' });
    const same = { credential: { ...CLIENT, tokenUrl: 'http://127.0.0.1:2/token', scope: 'read' } };
    expect((await control(gateway, 'PATCH', '/v1/integrations/api', { body: same, token })).status).toBe(200);
  });
});
