import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startUpstream, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { control } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { ALLOW_ALL, configOf, HARDLY_RISKY, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const TENANT = 'acme';
const GLOBAL_DENY = { id: 'never', effect: 'deny', hard: true, methods: ['DELETE'] };

let upstream: Upstream;
let gateway: RunningGateway;
/** Of the tenant's administrator. */
let token: string;
let key: string;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ config: { version: 1, global: { rules: [GLOBAL_DENY] } }, environment: OPENED });
  await control(gateway, 'POST', '/v1/tenants', { body: { name: TENANT } });
  const admin = { name: 'acme-admin', role: 'admin', tenant: TENANT };
  token = (await control(gateway, 'POST', '/v1/admins', { body: admin })).json().token;
  await applyAsOwner();
  key = (await asOwner('POST', '/v1/agents/coder/keys', {})).json().key;
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const OPENED = { POSTERN_UNSAFE_ALLOW_ADDRESSES: '127.0.0.0/8' };

const asAdmin = (method: string, to: string, body?: unknown) =>
  control(gateway, method, to, { token, body, tenant: TENANT });
const asOwner = (method: string, to: string, body?: unknown) => control(gateway, method, to, { body, tenant: TENANT });
const send = (method: string, to: string, headers: Record<string, string> = {}) =>
  call(gateway.dataUrl, `/to/api${to}`, { method, headers: { 'postern-key': key, ...headers } });

async function applyAsOwner(): Promise<void> {
  const document = {
    version: 1,
    tenant: TENANT,
    integrations: [integration('api', upstream.url)],
    agents: [{ name: 'coder', owner: 'alice', environment: 'dev' }],
    rules: [ALLOW_ALL],
    risk: HARDLY_RISKY,
  };
  const applied = await asOwner('POST', '/v1/apply', document);
  if (applied.status !== 200) throw new Error(applied.text);
}

describe('a tenant’s administrator cannot set', () => {
  const spec = { baseUrl: 'https://api.example.com', listen: '127.0.0.1:0' };
  const scorer = { baseUrl: 'https://scorer.example.com/v1', model: 'm' };
  const risk = { ...HARDLY_RISKY, scorer };

  test.each<[string, string, string, unknown]>([
    ['listen of a new integration', 'POST', '/v1/integrations', { name: 'new', ...spec }],
    ['listen in place of what is there', 'PUT', '/v1/integrations/api', spec],
    ['listen of one that is there', 'PATCH', '/v1/integrations/api', { listen: '127.0.0.1:0' }],
    [
      'listen in a document',
      'POST',
      '/v1/apply',
      { version: 1, tenant: TENANT, integrations: [{ name: 'new', ...spec }] },
    ],
    ['global rules', 'POST', '/v1/apply', { version: 1, tenant: TENANT, global: { rules: [] } }],
    ['global rules of its own', 'POST', '/v1/apply', { version: 1, tenant: TENANT, global: { rules: [GLOBAL_DENY] } }],
    [
      'global rules for all to see',
      'POST',
      '/v1/apply?dryRun=true',
      { version: 1, tenant: TENANT, global: { rules: [] } },
    ],
    ['the scorer’s address in a document', 'POST', '/v1/apply', { version: 1, tenant: TENANT, risk }],
    ['the scorer’s address in a draft', 'POST', '/v1/policies', { rules: [ALLOW_ALL], risk }],
  ])('%s', async (_what, method, to, body) => {
    const before = (await asOwner('GET', '/v1/export')).text;
    expect((await asAdmin(method, to, body)).problem()).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await asOwner('GET', '/v1/export')).text).toBe(before);
  });

  test('the scorer’s address by putting an owner’s draft, or an earlier version, in force', async () => {
    const draft = (await asOwner('POST', '/v1/policies', { rules: [ALLOW_ALL], risk })).json();
    expect((await asAdmin('POST', `/v1/policies/${draft.id}/activate`, {})).problem()).toMatchObject({ status: 403 });
    expect((await asOwner('POST', `/v1/policies/${draft.id}/activate`, {})).status).toBe(200);
    // With the scorer where the owner put it, the tenant's administrator may change all else.
    const tuned = { ...risk, review: 0.95 };
    expect((await asAdmin('POST', '/v1/apply', { version: 1, tenant: TENANT, risk: tuned })).status).toBe(200);
    expect((await asAdmin('POST', '/v1/apply', { version: 1, tenant: TENANT, risk: HARDLY_RISKY })).status).toBe(200);
    expect((await asAdmin('POST', `/v1/policies/${draft.id}/rollback`, {})).problem()).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect((await asOwner('GET', '/v1/policies/active')).json().risk.scorer).toBeNull();
  });
});

describe('a global hard deny', () => {
  const expectDenied = async () => {
    const before = upstream.requests.length;
    expect((await send('DELETE', '/things/1')).problem()).toMatchObject({ status: 403, code: 'denied' });
    expect(upstream.requests.length).toBe(before);
    expect((await send('GET', '/things/1')).status).toBe(200);
  };

  beforeEach(async () => {
    // What earlier tries have left may speak of what a document takes away.
    for (const { id } of (await asOwner('GET', '/v1/rules?limit=100')).json().items) {
      if (id !== ALLOW_ALL.id) await asOwner('DELETE', `/v1/rules/${id}`);
    }
    await applyAsOwner();
  });

  /** What an administrator tries, and what comes of it. */
  const TRIES: readonly [string, () => Promise<readonly number[]>][] = [
    [
      'a rule that allows',
      async () => [
        (await asAdmin('POST', '/v1/rules', { id: 'deletes', effect: 'allow', methods: ['DELETE'] })).status,
      ],
    ],
    [
      'the most specific rule there can be',
      async () => {
        const rule = {
          agents: ['coder'],
          integrations: ['api'],
          methods: ['DELETE'],
          hosts: ['127.0.0.1'],
          paths: ['/things/1'],
        };
        return [(await asAdmin('POST', '/v1/rules', { id: 'exactly', effect: 'allow', when: 'true', ...rule })).status];
      },
    ],
    [
      'the global rule’s own id',
      async () => [
        (await asAdmin('PUT', '/v1/rules/never', { effect: 'allow' })).status,
        (await asAdmin('POST', '/v1/rules/never/disable')).status,
        (await asAdmin('DELETE', '/v1/rules/never')).status,
      ],
    ],
    [
      'a document',
      async () => {
        const rules = [ALLOW_ALL, { id: 'deletes', effect: 'allow', methods: ['DELETE'] }];
        return [(await asAdmin('POST', '/v1/apply', { version: 1, tenant: TENANT, rules })).status];
      },
    ],
    [
      'a draft that is put in force, and rolled back',
      async () => {
        const draft = await asAdmin('POST', '/v1/policies', { rules: [{ ...ALLOW_ALL, methods: ['DELETE', 'GET'] }] });
        const activated = await asAdmin('POST', `/v1/policies/${draft.json().id}/activate`, {});
        await expectDenied();
        return [draft.status, activated.status, (await asAdmin('POST', '/v1/policies/previous/rollback', {})).status];
      },
    ],
    [
      'an action of the integration',
      async () => {
        const actions = [{ name: 'remove', methods: ['DELETE'], paths: ['/**'], risk: 'low', approval: 'none' }];
        const patched = await asAdmin('PATCH', '/v1/integrations/api', { actions });
        const rule = { id: 'removes', effect: 'allow', actions: ['remove'] };
        return [patched.status, (await asAdmin('POST', '/v1/rules', rule)).status];
      },
    ],
    [
      'the agent’s trust, roles and environment',
      async () => [
        (await asAdmin('PATCH', '/v1/agents/coder', { trust: 'admin', roles: ['root'], environment: 'prod' })).status,
      ],
    ],
    [
      'an approval, for it asks nobody',
      async () => [
        (await asAdmin('POST', '/v1/rules', { id: 'asks', effect: 'require_approval', methods: ['DELETE'] })).status,
      ],
    ],
  ];

  test.each(TRIES)('is not lifted by %s', async (what, attempt) => {
    const statuses = await attempt();
    // Else the test would show nothing.
    const isRefused = what.includes('own id');
    for (const status of statuses) expect(status === 404).toBe(isRefused);
    for (const status of statuses) expect(status).toBeLessThan(isRefused ? 405 : 300);
    await expectDenied();
  });

  test('is not lifted by a grant that was given before it, once or standing', async () => {
    const asks = { id: 'holds', effect: 'require_approval', paths: ['/held/**'], approval: { grant: 'rule' } };
    expect((await asAdmin('POST', '/v1/rules', asks)).status).toBe(201);
    const approve = async (to: string, grant: object) => {
      const id = (await send('POST', to)).problem().approval?.id ?? '';
      expect((await asAdmin('POST', `/v1/approvals/${id}/approve`, { grant })).status).toBe(200);
      return id;
    };
    const once = await approve('/held/once', { kind: 'once' });
    await approve('/held/always', { kind: 'rule' });
    expect((await send('POST', '/held/always')).status).toBe(200);
    const rules = [GLOBAL_DENY, { id: 'closed', effect: 'deny', hard: true, paths: ['/held/**'] }];
    const close = (list: readonly object[]) =>
      control(gateway, 'POST', '/v1/apply', { body: { version: 1, global: { rules: list } } });
    expect((await close(rules)).status).toBe(200);
    const before = upstream.requests.length;
    for (const to of ['/held/once', '/held/always']) {
      expect((await send('POST', to)).problem()).toMatchObject({ status: 403, code: 'denied' });
    }
    const execute = await call(gateway.dataUrl, `/v1/approvals/${once}/execute`, {
      method: 'POST',
      headers: { 'postern-key': key },
    });
    expect(execute.problem()).toMatchObject({ status: 403, code: 'denied' });
    expect(upstream.requests.length).toBe(before);
    expect((await close([GLOBAL_DENY])).status).toBe(200);
    expect((await send('POST', '/held/once')).status).toBe(200);
  });

  test('is not lifted by the file of an environment', async () => {
    const folder = await temporaryFolder();
    const agent = newAgent('local');
    const write = (name: string, document: object) => writeFile(path.join(folder.path, name), JSON.stringify(document));
    await write(
      'postern.yaml',
      configOf([agent], [integration('api', upstream.url)], { global: { rules: [GLOBAL_DENY] } }),
    );
    await write('postern.dev.yaml', {
      version: 1,
      global: { rules: [{ id: 'others', effect: 'deny', hard: true, paths: ['/others/**'] }] },
      rules: [{ id: 'deletes', effect: 'allow', methods: ['DELETE'] }],
    });
    const environment = {
      ...OPENED,
      POSTERN_CONFIG: path.join(folder.path, 'postern.yaml'),
      POSTERN_ENVIRONMENT: 'dev',
    };
    try {
      await using own = await startGateway({ environment });
      const as = (method: string, to: string) =>
        call(own.dataUrl, `/to/api${to}`, { method, headers: { 'postern-key': agent.key } });
      expect((await as('DELETE', '/x')).problem()).toMatchObject({ status: 403, code: 'denied' });
      expect((await as('GET', '/others/x')).problem()).toMatchObject({ status: 403, code: 'denied' });
      expect((await as('GET', '/x')).status).toBe(200);
    } finally {
      await folder.remove();
    }
  });
});
