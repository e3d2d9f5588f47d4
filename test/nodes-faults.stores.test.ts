import { type PostgresServer, type RedisServer, startPostgresServer, startRedisServer } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { endOf, startBusyClients } from './support/busy-clients.ts';
import { call } from './support/http-client.ts';
import { type MovingProxy, startMovingProxy } from './support/moving-proxy.ts';
import { type NodeGround, prepareNodes, readiness } from './support/nodes.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import type { RunningGateway } from './support/start-gateway.ts';

const FREEZE_MS = 5_000;
const coder = newAgent('coder');

let postgres: PostgresServer;
let redis: RedisServer;
let proxy: MovingProxy;
let ground: NodeGround;
let nodes: readonly RunningGateway[];
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgresServer(), startRedisServer({ password: 'hunter2-hunter2' })]);
  proxy = await startMovingProxy(postgres.port);
  ground = await prepareNodes({
    postgresUrl: postgres.url,
    redisUrl: redis.url,
    isOwnServer: true,
    // As a name that leads to the server, wherever it is.
    databaseUrl: (url) => url.replace(`:${postgres.port}/`, `:${proxy.port}/`),
    config: ({ url }) =>
      configOf([coder], [integration('api', url), integration('asked', url), integration('paced', url)], {
        rules: [
          { id: 'all', effect: 'allow', integrations: ['api', 'paced'] },
          { id: 'asked', effect: 'require_approval', integrations: ['asked'] },
          {
            id: 'pace',
            effect: 'rate_limit',
            integrations: ['paced'],
            limit: { requests: 10, perSeconds: 600, per: ['agent'] },
          },
        ],
      }),
  });
  nodes = await Promise.all([ground.start('one'), ground.start('other')]);
});
afterAll(async () => {
  await ground?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await Promise.all([postgres?.close(), redis?.close()]);
});

const [one, other] = [() => nodes[0] as RunningGateway, () => nodes[1] as RunningGateway];
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const send = (gateway: RunningGateway, path: string, headers: object = {}, body?: string) =>
  call(gateway.dataUrl, path, {
    headers: { 'postern-key': coder.key, ...headers },
    ...(body === undefined ? {} : { body }),
  });

/** Clients at both nodes, before, during and after `fault`; all of them pass again at the end. Returns what their calls came to. */
async function busyDuring(fault: () => Promise<void>) {
  const busy = startBusyClients({
    gateways: [one, other],
    key: coder.key,
    integration: 'api',
    clients: 3,
    pauseMs: 20,
  });
  await vi.waitFor(() => expect(busy.ends.length).toBeGreaterThan(20), 5_000);
  const beforeCount = busy.ends.length;
  try {
    await fault();
  } finally {
    redis.thaw();
    await postgres.thaw();
  }
  const afterCount = busy.ends.length;
  await vi.waitFor(
    () => {
      const latest = busy.ends.slice(afterCount).slice(-20);
      expect(latest).toHaveLength(20);
      expect(latest.every(({ end }) => end === '200')).toBe(true);
    },
    { timeout: 10_000, interval: 20 },
  );
  const ends = await busy.stop();
  return { ends, during: ends.slice(beforeCount, afterCount) };
}

/** No call went out twice, or without an entry written before it; each intent has one outcome. */
async function expectAllAudited(ends: readonly { readonly path: string; readonly end: string }[]): Promise<void> {
  for (const { path, end } of ends) {
    expect(ground.sent(path), path).toBeLessThanOrEqual(1);
    if (end === '200') expect(ground.sent(path), path).toBe(1);
  }
  await vi.waitFor(
    async () => {
      const entries = await auditEvents(one());
      const of = (type: string) => entries.filter((entry) => entry.type === type);
      expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_entry, index) => index));
      const written = new Set(of('intent').map(({ url }) => new URL(url ?? '').pathname));
      for (const { path } of ends) if (ground.sent(path) > 0) expect(written.has(path), path).toBe(true);
      const outcomes = of('outcome').map(({ requestId }) => requestId);
      expect(new Set(outcomes).size).toBe(outcomes.length);
      expect(outcomes.sort()).toEqual(
        of('intent')
          .map(({ requestId }) => requestId)
          .sort(),
      );
    },
    { timeout: 20_000, interval: 250 },
  );
}

const codesOf = (ends: readonly { readonly end: string }[]) => [...new Set(ends.map(({ end }) => end))].sort();

describe('Redis', () => {
  test('that stands still costs no call; nodes count and look for themselves', async () => {
    const { ends, during } = await busyDuring(async () => {
      redis.freeze();
      const beganMs = performance.now();
      await vi.waitFor(async () => expect((await readiness(one())).dependencies['redis']).toBe('degraded'), 4_000);
      expect((await readiness(one())).status).toBe(200);
      // Each node grants the quota for itself now.
      const paced = Array.from({ length: 40 }, (_, place) =>
        endOf(send(nodes[place % 2] as RunningGateway, '/to/paced/x')),
      );
      const passed = (await Promise.all(paced)).filter((end) => end === '200').length;
      expect(passed).toBeGreaterThanOrEqual(10);
      expect(passed).toBeLessThanOrEqual(20);
      await hearsByLooking();
      await wait(Math.max(0, FREEZE_MS - (performance.now() - beganMs)));
    });
    expect(codesOf(during)).toEqual(['200']);
    await vi.waitFor(async () => expect((await readiness(one())).dependencies['redis']).toBe('ok'), 5_000);
    expect((await control(one(), 'GET', '/metrics')).text).toMatch(/postern_rate_limit_fallbacks_total [1-9]/);
    await expectAllAudited(ends);
  });

  test('that forgets everything, or dies and comes back empty, costs history and no call', async () => {
    const { ends } = await busyDuring(async () => {
      await redis.flush();
      await redis.restart();
      await vi.waitFor(async () => expect((await readiness(other())).dependencies['redis']).toBe('ok'), 8_000);
    });
    expect(codesOf(ends)).toEqual(['200']);
  });
});

/** What the bus would have told is found by looking: a rule within two seconds, a decision in about one. */
async function hearsByLooking(): Promise<void> {
  const rule = { id: 'closed', effect: 'deny', integrations: ['api'], paths: ['/closed'] };
  expect((await control(one(), 'POST', '/v1/rules', { body: rule })).status).toBe(201);
  const madeMs = performance.now();
  await vi.waitFor(async () => expect(await endOf(send(other(), '/to/api/closed'))).toBe('denied'), 4_000);
  expect(performance.now() - madeMs).toBeLessThan(2_000);
  const waiting = endOf(send(one(), '/to/asked/waited', { prefer: 'wait=20' }, 'x'));
  const id = await vi.waitFor(async () => {
    const [found] = (await control(other(), 'GET', '/v1/approvals?status=pending')).json().items;
    expect(found).toBeDefined();
    return found.id as string;
  });
  expect((await control(other(), 'POST', `/v1/approvals/${id}/approve`, { body: {} })).status).toBe(200);
  const decidedMs = performance.now();
  expect(await waiting).toBe('200');
  expect(performance.now() - decidedMs).toBeLessThan(1_500);
}

describe('PostgreSQL', () => {
  /** What a call may come to while nothing can be recorded. */
  const REFUSED = ['audit_unavailable', 'in_flight', 'outcome_unknown'];

  test('that stands still: nothing is sent, calls are told so, and go on after', async () => {
    const { ends } = await busyDuring(async () => {
      await postgres.freeze();
      const frozenMs = performance.now();
      await vi.waitFor(async () => expect((await readiness(one())).status).toBe(503), 4_000);
      expect((await readiness(one())).dependencies).toMatchObject({ database: 'failing' });
      const sentBefore = ground.upstream.requests.length;
      const refused = await Promise.all(nodes.map((gateway) => send(gateway, '/to/api/frozen')));
      for (const answer of refused) expect([answer.status, answer.problem().code]).toEqual([503, 'audit_unavailable']);
      expect(ground.upstream.requests).toHaveLength(sentBefore);
      expect(ground.sent('/frozen')).toBe(0);
      await wait(Math.max(0, FREEZE_MS - (performance.now() - frozenMs)));
    });
    expect(codesOf(ends).filter((code) => !['200', ...REFUSED].includes(code))).toEqual([]);
    await vi.waitFor(async () => expect((await readiness(one())).status).toBe(200), 8_000);
    await expectAllAudited(ends);
  });

  test('that is restarted at another port, and that crashes: nobody repeats, nobody ends', async () => {
    const { ends } = await busyDuring(async () => {
      await postgres.restart({ port: 'other' });
      proxy.moveTo(postgres.port);
      await vi.waitFor(async () => expect(await endOf(send(one(), '/to/api/moved'))).toBe('200'), 15_000);
      await postgres.stopHard();
      expect(await endOf(send(other(), '/to/api/away'))).toBe('audit_unavailable');
      expect(ground.sent('/away')).toBe(0);
      await postgres.restart();
    });
    expect(codesOf(ends).filter((code) => !['200', ...REFUSED].includes(code))).toEqual([]);
    await expectAllAudited(ends);
  });
});

test('no node has ended, none has failed unheard, and no log tells a password', async () => {
  for (const node of nodes) {
    expect(node.process.exitCode).toBeNull();
    expect(node.stderr()).not.toMatch(/unhandled|UnhandledPromise|uncaught/i);
    expect(node.stderr()).not.toMatch(/hunter2|only-for-tests/);
  }
});
