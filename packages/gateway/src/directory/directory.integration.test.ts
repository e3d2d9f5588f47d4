import type { AgentsPort, DbContext, DirectoryPort } from '@postern/db/ports';
import type { Rejection } from '@postern/schemas';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, TENANT, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';
import { Directory } from './directory.ts';

let upstream: Upstream;
let gateway: TestGateway;
const clock = { ms: 0 };

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
  clock.ms = 1_000_000;
  gateway = await startTestGateway({
    integrations: [{ name: 'api', baseUrl: upstream.url, network: LOOPBACK }],
    directoryClock: () => clock.ms,
    ...options,
  });
}

const find = () => gateway.directory.findCaller(gateway.key);
const revoke = (context?: DbContext) =>
  gateway.repositories.agents.revokeKey(TENANT, gateway.keyId, Date.now(), context);

/** A gate that lets everything through until it is shut. */
function createGate() {
  let opened: PromiseWithResolvers<void> | undefined;
  let arrived = Promise.withResolvers<void>();
  return {
    shut: () => {
      opened = Promise.withResolvers();
      arrived = Promise.withResolvers();
    },
    open: () => {
      opened?.resolve();
      opened = undefined;
    },
    /** Resolves when somebody waits at the gate. */
    arrival: () => arrived.promise,
    pass: async () => {
      if (opened === undefined) return;
      arrived.resolve();
      await opened.promise;
    },
  };
}

const gatedDirectory =
  (gate: { pass(): Promise<void> }, member: 'changesSince' | 'load') =>
  (port: DirectoryPort): DirectoryPort => ({
    ...port,
    changesSince: async (revision) => {
      if (member === 'changesSince') await gate.pass();
      return port.changesSince(revision);
    },
    load: async (tenant) => {
      const loaded = await port.load(tenant);
      if (member === 'load') await gate.pass();
      return loaded;
    },
  });

/** Holds what was read back, as a slow store does. */
const gatedKeys =
  (gate: { pass(): Promise<void> }) =>
  (port: AgentsPort): AgentsPort => ({
    ...port,
    findKey: async (keyId) => {
      const found = await port.findKey(keyId);
      await gate.pass();
      return found;
    },
  });

describe('word from the store', () => {
  test('holds for two seconds, and a known caller is found at once', async () => {
    await start();
    const first = await find();
    expect(find()).toBe(first);
    clock.ms += 2_000;
    expect(gateway.directory.isConfirmed()).toBe(true);
    expect(find()).toBe(first);
    clock.ms += 1;
    expect(gateway.directory.isConfirmed()).toBe(false);
    expect(find()).toBeInstanceOf(Promise);
    expect(await find()).toBe(first);
    expect(gateway.directory.isConfirmed()).toBe(true);
  });

  test('that is older than two seconds is asked for before a call goes on, and a call is refused when none comes', async () => {
    let isDown = false;
    await start({
      wrapDirectory: (port) => ({
        ...port,
        changesSince: (revision) => (isDown ? Promise.reject(new Error('down')) : port.changesSince(revision)),
      }),
    });
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    const before = upstream.requests.length;
    isDown = true;
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    clock.ms += 2_001;
    const answer = await call(gateway, '/to/api/x');
    expect(answer.problem()).toMatchObject({ status: 503, code: 'audit_unavailable', retryable: true });
    expect((await call(gateway, '/v1/whoami')).problem().code).toBe('audit_unavailable');
    expect((await call(gateway, '/readyz')).json()).toMatchObject({ dependencies: { database: 'failing' } });
    expect(upstream.requests.length).toBe(before + 1);
    isDown = false;
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    expect((await call(gateway, '/readyz')).json()).toMatchObject({ status: 'ready' });
  });

  test('that does not come at all ends the wait of a call', async () => {
    const gate = createGate();
    await start({ wrapDirectory: gatedDirectory(gate, 'changesSince'), storeTimeoutMs: 50 });
    await find();
    gate.shut();
    clock.ms += 2_001;
    await expect(find()).rejects.toMatchObject({ code: 'audit_unavailable' } satisfies Partial<Rejection>);
    gate.open();
    expect(await find()).toBeDefined();
  });

  test.each<[string, (gate: ReturnType<typeof createGate>) => TestGatewayOptions]>([
    ['about a key', (gate) => ({ wrapAgents: gatedKeys(gate) })],
    ['about a tenant', (gate) => ({ wrapDirectory: gatedDirectory(gate, 'load') })],
  ])('%s that does not come ends the wait of a call', async (_what, wraps) => {
    const gate = createGate();
    await start({ ...wraps(gate), storeTimeoutMs: 50 });
    gate.shut();
    await expect(find()).rejects.toMatchObject({ code: 'audit_unavailable' });
    gate.open();
    expect(await find()).toBeDefined();
  });

  test('that always comes too late is no word', async () => {
    let lateMs = 0;
    await start({
      wrapDirectory: (port) => ({
        ...port,
        changesSince: async (revision) => {
          const answer = await port.changesSince(revision);
          clock.ms += lateMs;
          return answer;
        },
      }),
    });
    await find();
    lateMs = 2_001;
    clock.ms += 2_001;
    await expect(find()).rejects.toMatchObject({ code: 'audit_unavailable' });
  });

  test('is one question for all calls that wait for it', async () => {
    let asked = 0;
    await start({
      wrapDirectory: (port) => ({
        ...port,
        changesSince: (revision) => {
          asked += 1;
          return port.changesSince(revision);
        },
      }),
    });
    await find();
    clock.ms += 2_001;
    asked = 0;
    const callers = await Promise.all(Array.from({ length: 100 }, find));
    expect(new Set(callers).size).toBe(1);
    expect(asked).toBeLessThanOrEqual(2);
  });
});

describe('a revoked key', () => {
  test('is refused from the next call on when this process revoked it', async () => {
    await start();
    expect(await find()).toBeDefined();
    await revoke();
    gateway.directory.changed(TENANT);
    expect(await find()).toBeUndefined();
    expect((await call(gateway, '/to/api/x')).problem().code).toBe('unauthenticated');
  });

  test('is refused after the next question to the store when another process revoked it', async () => {
    await start();
    expect(await find()).toBeDefined();
    await gateway.changeElsewhere(revoke);
    await gateway.directory.refresh();
    expect(await find()).toBeUndefined();
  });

  test('is refused within two seconds when no question gets through meanwhile', async () => {
    await start();
    expect(await find()).toBeDefined();
    await gateway.changeElsewhere(revoke);
    clock.ms += 2_001;
    expect(await find()).toBeUndefined();
  });

  test.each([TENANT, '*'])('that was read just before it was revoked is not kept (word of %s)', async (word) => {
    const gate = createGate();
    await start({ wrapAgents: gatedKeys(gate) });
    gate.shut();
    const reading = find();
    await gate.arrival();
    await revoke();
    gateway.directory.changed(word);
    gate.open();
    await reading;
    expect(await find()).toBeUndefined();
  });

  test('that was read just before it was revoked is not kept while its tenant is loaded', async () => {
    const gate = createGate();
    await start({ wrapDirectory: gatedDirectory(gate, 'load') });
    gate.shut();
    const reading = find();
    await gate.arrival();
    await revoke();
    gateway.directory.changed(TENANT);
    gate.open();
    await reading;
    expect(await find()).toBeUndefined();
  });

  test('does not touch the other keys of its agent', async () => {
    await start();
    const other = await gateway.issueKey();
    await revoke();
    gateway.directory.changed(TENANT);
    expect(await gateway.directory.findCaller(other.key)).toBeDefined();
    expect(await find()).toBeUndefined();
  });
});

describe('configuration', () => {
  const integrationNamed = async (name: string) => {
    const found = await gateway.repositories.integrations.getByName(TENANT, name);
    if (found === undefined) throw new Error(`no integration ${name}`);
    return found;
  };

  test('that changes under load never mixes in one call', async () => {
    await using other = await startUpstream();
    await start({ rules: [{ id: 'one', paths: ['/a/**'] }] });
    const { repositories } = gateway;
    const { id, spec } = await integrationNamed('api');
    // Either the first upstream with what is under /a, or the second with what is under /b.
    const turn = (isFirst: boolean) =>
      gateway.change(async (context) => {
        const rule = { id: 'one', effect: 'allow' as const, paths: [isFirst ? '/a/**' : '/b/**'] };
        await repositories.policyRules.updatePolicyRule(TENANT, rule, {}, context);
        const { url } = isFirst ? upstream : other;
        await repositories.integrations.update(TENANT, id, { ...spec, baseUrl: url }, {}, context);
      });
    const before = upstream.requests.length;
    let isTurning = true;
    const callers = ['/a/x', '/b/x'].map(async (path) => {
      const statuses = new Set<number>();
      while (isTurning) statuses.add((await call(gateway, `/to/api${path}`)).status);
      return [...statuses].sort();
    });
    for (let round = 0; round < 40; round += 1) await turn(round % 2 === 1);
    isTurning = false;
    expect(await Promise.all(callers)).toEqual([
      [200, 403],
      [200, 403],
    ]);
    expect(new Set(upstream.requests.slice(before).map(({ url }) => url))).toEqual(new Set(['/a/x']));
    expect(new Set(other.requests.map(({ url }) => url))).toEqual(new Set(['/b/x']));
  });

  test('that did not change is taken over, so that lanes go on counting', async () => {
    await start({
      integrations: ['api', 'other'].map((name) => ({ name, baseUrl: upstream.url, network: LOOPBACK })),
    });
    const first = (await find())?.tenant;
    await gateway.change(async () => undefined);
    const second = (await find())?.tenant;
    expect(second).not.toBe(first);
    expect(second?.revision).toBeGreaterThan(first?.revision ?? 0);
    expect(second?.policy).toBe(first?.policy);
    for (const name of ['api', 'other']) expect(second?.integrations.get(name)).toBe(first?.integrations.get(name));
    const { id, spec } = await integrationNamed('api');
    await gateway.change((context) => gateway.repositories.integrations.update(TENANT, id, spec, {}, context));
    const third = (await find())?.tenant;
    expect(third?.integrations.get('api')).not.toBe(first?.integrations.get('api'));
    expect(third?.integrations.get('other')).toBe(first?.integrations.get('other'));
    await gateway.change((context) =>
      gateway.repositories.policyRules.createPolicyRule(TENANT, { id: 'more', effect: 'deny' }, 'api', context),
    );
    const fourth = (await find())?.tenant;
    expect(fourth?.policy).not.toBe(third?.policy);
    expect(fourth?.integrations.get('api')).toBe(third?.integrations.get('api'));
  });

  test('that was changed twice while it was loaded is loaded anew for the next call', async () => {
    const gate = createGate();
    await start({ wrapDirectory: gatedDirectory(gate, 'load') });
    gate.shut();
    const reading = find();
    await gate.arrival();
    await gateway.change((context) =>
      gateway.repositories.policyRules.createPolicyRule(TENANT, { id: 'no', effect: 'deny' }, 'api', context),
    );
    gate.open();
    await reading;
    expect((await call(gateway, '/to/api/x')).problem().code).toBe('denied');
  });

  test.each<[string, () => Promise<void>]>([
    [
      'the integration was changed',
      async () => {
        const { id, spec } = await integrationNamed('api');
        await gateway.change((context) =>
          gateway.repositories.integrations.update(
            TENANT,
            id,
            { ...spec, hosts: ['127.0.0.1', 'b.test'] },
            {},
            context,
          ),
        );
      },
    ],
    [
      'its secret has a new version',
      () => gateway.change((context) => gateway.writeSecret('token', 'another-secret', context)),
    ],
    [
      'it was removed',
      async () => {
        const { id } = await integrationNamed('api');
        await gateway.change((context) => gateway.repositories.integrations.remove(TENANT, id, context));
      },
    ],
  ])('closes warm connections when %s', async (_what, change) => {
    await start({
      secrets: { token: 'secret-of-the-upstream' },
      integrations: [
        { name: 'api', baseUrl: upstream.url, network: LOOPBACK, credential: { type: 'bearer', secret: 'token' } },
        { name: 'other', baseUrl: upstream.url, network: LOOPBACK },
      ],
    });
    await call(gateway, '/to/api/x');
    await call(gateway, '/to/other/x');
    const { connections } = upstream;
    await call(gateway, '/to/api/x');
    await call(gateway, '/to/other/x');
    expect(upstream.connections).toBe(connections);
    await change();
    await call(gateway, '/to/other/x');
    expect(upstream.connections).toBe(connections);
    await call(gateway, '/to/api/x');
    expect(gateway.transport.closePools(`${TENANT}\napi\n`)).toBe(upstream.connections - connections);
    await call(gateway, '/to/other/x');
    expect(gateway.transport.closePools(`${TENANT}\nother\n`)).toBe(1);
  });
});

describe('the last use of a key', () => {
  /** Uses written, by key. */
  function countUses() {
    const uses: string[] = [];
    const wrapAgents = (port: AgentsPort): AgentsPort => ({
      ...port,
      touch: async (given) => {
        uses.push(...given.map(({ keyId }) => keyId));
        await port.touch(given);
      },
    });
    return { uses, wrapAgents };
  }

  test('is written once a minute, whatever happens to the configuration meanwhile', async () => {
    const { uses, wrapAgents } = countUses();
    await start({ wrapAgents });
    const { directory, keyId } = gateway;
    const at = Date.now();
    for (let second = 0; second < 60; second += 1) {
      await find();
      await directory.flushTouches();
      if (second % 20 === 10) await gateway.change(async () => undefined);
      clock.ms += 999;
    }
    expect(uses).toEqual([keyId]);
    clock.ms += 60;
    await find();
    await directory.flushTouches();
    expect(uses).toEqual([keyId, keyId]);
    const [record] = await gateway.repositories.agents.listKeys(TENANT, gateway.agentId);
    // Told to the second.
    expect(record?.lastUsedAt).toBeGreaterThan(at - 1_000);
    expect((await gateway.repositories.agents.getById(TENANT, gateway.agentId))?.lastUsedAt).toBe(record?.lastUsedAt);
  });

  test('that cannot be written is lost and told, and no call fails', async () => {
    await start({ wrapAgents: (port) => ({ ...port, touch: () => Promise.reject(new Error('full')) }) });
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    await gateway.directory.flushTouches();
    expect(gateway.faults.map(({ doing }) => doing)).toEqual(['write lastUsedAt']);
  });
});

test('tenants whose change is found in the store are told of once, by name', async () => {
  await start();
  const found: string[] = [];
  // As another node has it: no word comes to it but by looking.
  const other = new Directory({
    ...{ directory: gateway.repositories.directory, agents: gateway.repositories.agents, now: Date.now },
    compileTenant: () => {
      throw new Error('nobody calls here');
    },
    verifyKey: () => false,
    onFound: (tenants) => found.push(...tenants),
    onError: () => undefined,
  });
  await other.refresh();
  found.length = 0;
  await other.refresh();
  expect(found).toEqual([]);
  await gateway.change((context) => revoke(context));
  await other.refresh();
  await other.refresh();
  expect(found).toEqual([TENANT]);
});
