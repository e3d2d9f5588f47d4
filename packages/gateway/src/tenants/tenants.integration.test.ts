import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { call } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, TENANT, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  await gateway?.close();
});

async function start(options: TestGatewayOptions = {}): Promise<void> {
  gateway = await startTestGateway({
    integrations: [{ name: 'api', baseUrl: upstream.url, network: LOOPBACK }],
    ...options,
  });
}

const send = () => call(gateway, '/to/api/x');
/** The promise of the specification for what another process has changed. */
const WITHIN = { timeout: 2_000, interval: 50 };

test('a tenant that another process disables is refused within two seconds, and served when it is enabled', async () => {
  await start();
  const { tenants } = gateway.repositories;
  expect((await send()).status).toBe(200);
  await gateway.changeElsewhere((context) => tenants.setDisabled(TENANT, 1, context));
  await vi.waitFor(async () => expect((await send()).status).toBe(403), WITHIN);
  expect((await send()).problem()).toMatchObject({ code: 'agent_disabled' });
  await gateway.changeElsewhere((context) => tenants.setDisabled(TENANT, undefined, context));
  await vi.waitFor(async () => expect((await send()).status).toBe(200), WITHIN);
});

test('limits that another process sets, and takes back, hold within two seconds', async () => {
  await start({ rules: [{ id: 'all', effect: 'allow' }] });
  expect(gateway.directory.limitsOf(TENANT)).toBeUndefined();
  expect((await send()).status).toBe(200);
  const set = (limits: object) =>
    gateway.changeElsewhere((context) => gateway.repositories.tenantLimits.set(TENANT, limits, {}, context));
  await set({ callsPerSecond: 1, auditSpool: 9 });
  await vi.waitFor(async () => expect((await send()).status).toBe(429), WITHIN);
  expect(gateway.directory.limitsOf(TENANT)).toEqual({ callsPerSecond: 1, auditSpool: 9 });
  await set({});
  await vi.waitFor(async () => {
    const answers = await Promise.all([1, 2, 3].map(send));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  }, WITHIN);
  expect(gateway.directory.limitsOf(TENANT)).toBeUndefined();
});

test('a key of a tenant that is gone is no key', async () => {
  let isGone = false;
  await start({
    wrapDirectory: (directory) => ({
      ...directory,
      load: async (tenant) => (isGone ? undefined : await directory.load(tenant)),
    }),
  });
  expect((await send()).status).toBe(200);
  isGone = true;
  gateway.directory.changed(TENANT);
  expect((await send()).problem()).toMatchObject({ status: 401, code: 'unauthenticated' });
});

test('where nothing is bounded no store of limits is asked', async () => {
  let asked = 0;
  await start({
    wrapRateLimits: (rateLimits) => ({
      ...rateLimits,
      spend: (...spent) => {
        asked += 1;
        return rateLimits.spend(...spent);
      },
    }),
  });
  const tenant = await gateway.directory.findCaller(gateway.key);
  expect(tenant?.tenant.bounds).toBeUndefined();
  expect((await send()).status).toBe(200);
  expect(asked).toBe(0);
});
