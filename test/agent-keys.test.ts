import { generateAgentKey } from '@postern/auth';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { control } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const writer = newAgent('writer');
const retired = newAgent('retired');
const far = newAgent('far');
const near = newAgent('near');
/** In no gateway's store, but of right format and checksum. */
const stranger = generateAgentKey().key;

let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  const config = {
    version: 1,
    integrations: [integration('plain', upstream.url)],
    agents: [
      { name: 'coder', key: coder.key },
      { name: 'writer', key: writer.key },
      { name: 'retired', key: retired.key, disabled: true },
      { name: 'far', key: far.key, addresses: ['10.0.0.0/8', '2001:db8::/32'] },
      { name: 'near', key: near.key, addresses: ['127.0.0.0/8'] },
    ],
    rules: [{ id: 'all', effect: 'allow' }],
  };
  gateway = await startGateway({ config });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const get = (headers: Record<string, string | string[]>, path = '/to/plain/x') =>
  call(gateway.dataUrl, path, { headers });
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

function expectRefused(answer: Answer, status: number, code: string): void {
  expect(answer.problem()).toMatchObject({ status, code });
  expect(answer.status).toBe(status);
}

describe('the places of a key', () => {
  const places: [string, Record<string, string>][] = [
    ['Postern-Key', { 'Postern-Key': coder.key }],
    ['Proxy-Authorization, Basic, as user', { 'Proxy-Authorization': basic(coder.key, '') }],
    ['Proxy-Authorization, Basic, as password', { 'Proxy-Authorization': basic('plain', coder.key) }],
    ['Proxy-Authorization, Bearer', { 'Proxy-Authorization': `Bearer ${coder.key}` }],
    ['Authorization, Bearer', { Authorization: `Bearer ${coder.key}` }],
    ['Authorization, bearer in lower case', { authorization: `bearer ${coder.key}` }],
    ['Authorization, token', { Authorization: `token ${coder.key}` }],
    ['Authorization, Basic, as user', { Authorization: basic(coder.key, 'x-oauth-basic') }],
    ['Authorization, Basic, as user without password', { Authorization: basic(coder.key, '') }],
    ['Authorization, Basic, as password', { Authorization: basic('x-access-token', coder.key) }],
    ['Authorization, bare', { Authorization: coder.key }],
    ['X-Api-Key', { 'X-Api-Key': coder.key }],
    ['Api-Key', { 'Api-Key': coder.key }],
    ['X-Goog-Api-Key', { 'X-Goog-Api-Key': coder.key }],
    ['Private-Token', { 'Private-Token': coder.key }],
  ];

  test.each(places)('a key is found in %s and never reaches the upstream', async (_place, headers) => {
    expect((await get(headers)).status).toBe(200);
    const seen = upstream.requests.at(-1);
    expect(seen?.rawHeaders.join('\n')).not.toContain('pst_');
    for (const name of Object.keys(headers)) expect(seen?.headers).not.toHaveProperty(name.toLowerCase());
  });

  test('all places of a key are emptied, whatever they hold', async () => {
    const others = {
      'Proxy-Authorization': 'Basic eDp5',
      Authorization: 'Bearer my-own',
      'X-Api-Key': 'mine',
      'Api-Key': 'mine',
      'X-Goog-Api-Key': 'mine',
      'Private-Token': 'mine',
    };
    expect((await get({ ...others, 'Postern-Key': coder.key })).status).toBe(200);
    const seen = upstream.requests.at(-1)?.headers ?? {};
    for (const name of ['postern-key', ...Object.keys(others)]) expect(seen).not.toHaveProperty(name.toLowerCase());
  });

  test('the same key in two places is one key', async () => {
    expect((await get({ 'Postern-Key': coder.key, Authorization: `Bearer ${coder.key}` })).status).toBe(200);
  });

  test.each<[string, Record<string, string | string[]>]>([
    ['two places', { 'Postern-Key': coder.key, Authorization: `Bearer ${writer.key}` }],
    ['a known and an unknown key', { 'X-Api-Key': stranger, 'Postern-Key': coder.key }],
    ['the same header twice', { 'Postern-Key': [coder.key, writer.key] }],
    ['both halves of Basic', { Authorization: basic(coder.key, writer.key) }],
  ])('two different keys are refused: %s', async (_where, headers) => {
    const before = upstream.requests.length;
    expectRefused(await get(headers), 400, 'malformed_request');
    expect(upstream.requests.length).toBe(before);
  });
});

describe('keys that are not taken', () => {
  const mistyped = coder.key.slice(0, -1) + (coder.key.endsWith('0') ? '1' : '0');

  test.each<[string, Record<string, string>]>([
    ['none', {}],
    ['an unknown one', { 'Postern-Key': stranger }],
    ['a mistyped one', { 'Postern-Key': mistyped }],
    ['a cut one', { Authorization: `Bearer ${coder.key.slice(0, -3)}` }],
    ['an empty one', { 'Postern-Key': '' }],
    ['a key in a scheme that is no place', { Authorization: `Digest ${coder.key}` }],
    ['an admin token', { Authorization: 'Bearer pat_0000000000000000000000000000000000000000000000000' }],
  ])('401 for %s', async (_what, headers) => {
    const before = upstream.requests.length;
    const answer = await get(headers);
    expectRefused(answer, 401, 'unauthenticated');
    expect(answer.headers['www-authenticate']).toMatch(/^[A-Za-z]+ realm=/);
    expect(answer.text).not.toContain(coder.key.slice(0, -3));
    expect(upstream.requests.length).toBe(before);
  });

  test('401 for a key with the public part of another and a secret of its own', async () => {
    let asked = 0;
    const samePublicId = () => {
      asked = 0;
      return (bytes: number) => {
        asked += 1;
        return asked === 1 ? new Uint8Array(bytes).fill(7) : crypto.getRandomValues(new Uint8Array(bytes));
      };
    };
    const [real, forged] = [generateAgentKey(samePublicId()), generateAgentKey(samePublicId())];
    expect(forged.publicId).toBe(real.publicId);
    expect(forged.key).not.toBe(real.key);
    const config = configOf([{ name: 'twin', ...real }], [integration('plain', upstream.url)]);
    await using twin = await startGateway({ config });
    expect((await call(twin.dataUrl, '/to/plain/x', { headers: { 'postern-key': real.key } })).status).toBe(200);
    expectRefused(
      await call(twin.dataUrl, '/to/plain/x', { headers: { 'postern-key': forged.key } }),
      401,
      'unauthenticated',
    );
  });

  test('the admin token opens nothing on the data plane, and an agent key nothing on the control plane', async () => {
    expectRefused(await get({ Authorization: `Bearer ${gateway.adminToken}` }), 401, 'unauthenticated');
    expectRefused(await control(gateway, 'GET', '/v1/agents', { token: coder.key }), 401, 'unauthenticated');
  });

  test('an expired key is refused from the moment on that it expires', async () => {
    const expiresAt = new Date(Date.now() + 400).toISOString();
    const issued = await control(gateway, 'POST', '/v1/agents/coder/keys', { body: { expiresAt } });
    expect(issued.status).toBe(201);
    const { key } = issued.json();
    expect((await get({ 'postern-key': key })).status).toBe(200);
    await vi.waitFor(async () => expectRefused(await get({ 'postern-key': key }), 401, 'unauthenticated'), 3_000);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  });

  test('a revoked key is refused within 2 s, the agent’s other key is not', async () => {
    const { id, key } = (await control(gateway, 'POST', '/v1/agents/coder/keys', { body: {} })).json();
    expect((await get({ 'postern-key': key })).status).toBe(200);
    expect((await control(gateway, 'DELETE', `/v1/agents/coder/keys/${id}`)).status).toBe(204);
    await vi.waitFor(async () => expectRefused(await get({ 'postern-key': key }), 401, 'unauthenticated'), 2_000);
    expect((await get({ 'postern-key': coder.key })).status).toBe(200);
  });

  test('a disabled agent is told so', async () => {
    expectRefused(await get({ 'postern-key': retired.key }), 403, 'agent_disabled');
  });

  test('an agent is held to its addresses', async () => {
    expectRefused(await get({ 'postern-key': far.key }), 403, 'address_not_allowed');
    expect((await get({ 'postern-key': near.key })).status).toBe(200);
    // Nobody vouches for the field here.
    expectRefused(await get({ 'postern-key': far.key, 'x-forwarded-for': '10.1.2.3' }), 403, 'address_not_allowed');
  });

  test('behind a trusted proxy the rightmost address that is not trusted counts', async () => {
    const config = {
      version: 1,
      integrations: [integration('plain', upstream.url)],
      agents: [{ name: 'far', key: far.key, addresses: ['10.0.0.0/8'] }],
      rules: [{ id: 'all', effect: 'allow' }],
    };
    await using behind = await startGateway({ config, environment: { POSTERN_TRUSTED_PROXIES: '127.0.0.0/8' } });
    const from = (chain: string) =>
      call(behind.dataUrl, '/to/plain/x', { headers: { 'postern-key': far.key, 'x-forwarded-for': chain } });
    expect((await from('10.1.2.3')).status).toBe(200);
    expect((await from('192.0.2.1, 10.1.2.3, 127.0.0.9')).status).toBe(200);
    expectRefused(await from('10.1.2.3, 192.0.2.1'), 403, 'address_not_allowed');
    expectRefused(await from('10.1.2.3, nonsense'), 403, 'address_not_allowed');
  });

  test.each([
    [['explain'], 403, 200],
    [['call'], 200, 403],
    [['call', 'explain'], 200, 200],
  ])('a key with the scopes %j', async (scopes, callStatus, explainStatus) => {
    const { key } = (await control(gateway, 'POST', '/v1/agents/coder/keys', { body: { scopes } })).json();
    const headers = { 'postern-key': key, 'content-type': 'application/json' };
    const body = JSON.stringify({ integration: 'plain', request: { method: 'GET', path: '/x' } });
    expect((await get({ 'postern-key': key })).status).toBe(callStatus);
    expect((await call(gateway.dataUrl, '/v1/execute', { headers, body })).status).toBe(callStatus);
    expect((await call(gateway.dataUrl, '/v1/explain', { headers, body })).status).toBe(explainStatus);
  });
});
