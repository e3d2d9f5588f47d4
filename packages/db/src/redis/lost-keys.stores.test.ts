import { type RedisServer, seededRandom, startRedisServer } from '@postern/testing';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VolatileStores } from '../ports/volatile/volatile-stores.ts';
import { connectRedis } from './connect-redis.ts';
import { createRedisStores } from './create-redis-stores.ts';
import type { RedisConnection } from './redis-connection.ts';

const SEED = 20_261;
const WORKERS = 8;
const ROUNDS = 150;
const IDS = 4;

let server: RedisServer;
let nodes: readonly RedisConnection[];
let monitor: Redis;
const commands: string[][] = [];

beforeAll(async () => {
  server = await startRedisServer();
  nodes = await Promise.all([0, 1, 2].map(() => connectRedis({ url: server.url })));
  const watcher = new Redis(server.url);
  monitor = await watcher.monitor();
  monitor.on('monitor', (_time: string, parameters: string[]) => commands.push(parameters));
  watcher.disconnect();
});
afterAll(async () => {
  monitor.disconnect();
  await Promise.all(nodes.map((node) => node.close()));
  await server.close();
});

/** What the repositories would say: versions, and what can happen once. */
function truth() {
  const versions = new Map<string, number>();
  /** A change that has been dropped everywhere: nobody may read an older one. */
  const settled = new Map<string, number>();
  const used = new Map<string, number>();
  return {
    version: (id: string) => versions.get(id) ?? 0,
    settled: (id: string) => settled.get(id) ?? 0,
    async change(id: string, drop: () => Promise<void>): Promise<void> {
      const version = (versions.get(id) ?? 0) + 1;
      versions.set(id, version);
      await drop();
      settled.set(id, Math.max(version, settled.get(id) ?? 0));
    },
    /** The conditional update of one row. */
    useOnce(id: string): boolean {
      if (used.has(id)) return false;
      used.set(id, 1);
      return true;
    },
    isUsed: (id: string) => used.has(id),
  };
}

type Truth = ReturnType<typeof truth>;
type Step = (stores: VolatileStores, id: string, known: Truth) => Promise<void>;

const parse = (kept: unknown) => kept as number;

const STEPS: Readonly<Record<string, Step>> = {
  async readSession({ sessions }, id, known) {
    const least = known.settled(`session ${id}`);
    const read = async () => known.version(`session ${id}`);
    expect(await sessions.getOrRead('t', id, { read, parse })).toBeGreaterThanOrEqual(least);
  },
  changeSession: ({ sessions }, id, known) => known.change(`session ${id}`, () => sessions.drop('t', id)),
  async readAudit({ auditQueries }, id, known) {
    const least = known.settled('audit');
    const compute = async () => known.version('audit');
    expect(
      await auditQueries.getOrSet({ tenant: 't', key: id, ttlSeconds: 60, parse }, compute),
    ).toBeGreaterThanOrEqual(least);
  },
  changeAudit: ({ auditQueries }, _id, known) => known.change('audit', () => auditQueries.invalidateByTenant('t')),
  deleteAudit: async ({ auditQueries }, id) => void (await auditQueries.deleteByPrefix('t', id)),
  async readTemplate({ templates }, id, known) {
    const least = known.settled('templates');
    const read = async () => known.version('templates');
    expect(
      await templates.getOrRead({ tenant: 't', name: id, version: 'highest' }, { read, parse }),
    ).toBeGreaterThanOrEqual(least);
  },
  changeTemplates: ({ templates }, _id, known) => known.change('templates', () => templates.dropTenant('t')),
  async consumeToken({ enrolmentTokens }, id, known) {
    const lock = await enrolmentTokens.begin('t', id, 5);
    if (lock.state === 'consumed') expect(known.isUsed(`token ${id}`)).toBe(true);
    if (lock.state !== 'locked') return;
    if (known.useOnce(`token ${id}`)) await enrolmentTokens.finish('t', id, { owner: lock.owner, keepSeconds: 60 });
    else await enrolmentTokens.abandon('t', id, lock.owner);
  },
  async useApproval({ approvalOnce }, id, known) {
    const key = { tenant: 't', agent: 'bot', fingerprint: id };
    await approvalOnce.put(key, `approval ${id}`, Date.now() + 60_000);
    const taken = await approvalOnce.take(key);
    expect(['undefined', `approval ${id}`]).toContain(String(taken));
    known.useOnce(`approval ${id}`);
  },
  async proveOnce({ dpopReplay }, id, known) {
    const jti = `${id} ${known.version('proofs')}`;
    await known.change('proofs', async () => undefined);
    const proof = { tenant: 't', scope: 's', jti, ttlSeconds: 60 };
    await dpopReplay.firstUse(proof);
    expect(await dpopReplay.firstUse(proof)).toBe(false);
  },
  async hint({ idempotencyHints }, id) {
    const scope = { tenant: 't', workload: 'w', integration: 'i', group: 'g', key: id };
    await idempotencyHints.remember(scope, { claim: `claim ${id}`, fingerprint: 'f' }, 60);
    const found = await idempotencyHints.find(scope);
    expect(['undefined', `claim ${id}`]).toContain(String(found?.claim));
  },
  async lock({ executionLocks, rotationLock }, id) {
    const scope = { tenant: 't', workload: 'w', integration: 'i', group: 'g', key: id };
    const owner = await executionLocks.acquire(scope, 5);
    if (owner !== undefined) await executionLocks.release(scope, owner);
    const rotator = await rotationLock.acquire('t', id, 5_000);
    if (rotator === undefined) return;
    await rotationLock.renew('t', id, { owner: rotator, ttlMs: 5_000 });
    await rotationLock.release('t', id, rotator);
  },
  async status({ approvalStatus }, id) {
    const at = { changedAtMs: Date.now(), expiresAtMs: Date.now() + 60_000 };
    await approvalStatus.put('t', id, { status: 'pending', ...at });
    expect(['undefined', 'pending']).toContain(String((await approvalStatus.get('t', id))?.status));
  },
  async resolve({ dnsAnswers, rebindingHistory }, id) {
    await dnsAnswers.put('t', id, { addresses: [`192.0.2.${id}`], resolvedAtMs: Date.now(), ttlSeconds: 5 });
    expect(['undefined', `192.0.2.${id}`]).toContain(String((await dnsAnswers.get('t', id))?.addresses));
    await rebindingHistory.append('t', id, { observedAtMs: Date.now(), before: [], after: [], hasNewClass: false });
    await rebindingHistory.list('t', id);
  },
  async spend({ rateLimits }, id) {
    const limits = [
      { tenant: 't', rule: 'r', key: id, requests: 5, perSeconds: 60 },
      { tenant: 't', rule: 's', key: 'all', requests: 1_000, perSeconds: 3_600 },
    ];
    const verdicts = await rateLimits.spend(limits, 0);
    expect(verdicts.length).toBe(2);
    if (id === '0') await rateLimits.giveBack(limits, verdicts);
  },
  notify: ({ invalidations }, id) => invalidations.publish({ topic: 'policy', tenant: 't', subject: id }),
};

describe('while keys are deleted at random', () => {
  test('no answer is older than what was told, and what happens once happens once', async () => {
    const known = truth();
    const steps = Object.values(STEPS);
    const [first, second, third] = nodes as [RedisConnection, RedisConnection, RedisConnection];
    const stores = [createRedisStores(first), createRedisStores(second)] as const;
    let isDone = false;
    const deleting = (async () => {
      let deleted = 0;
      while (!isDone) {
        const key = await third.command('RANDOMKEY');
        if (typeof key === 'string') deleted += Number(await third.command('DEL', key));
      }
      return deleted;
    })();
    const worker = async (number: number) => {
      const random = seededRandom(SEED + number);
      for (let round = 0; round < ROUNDS; round += 1) {
        const step = steps[random.integer(steps.length)] as Step;
        await step(stores[random.integer(2)] as VolatileStores, `${random.integer(IDS)}`, known);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, number) => worker(number))).finally(() => {
      isDone = true;
    });
    expect(await deleting).toBeGreaterThan(100);
  });

  test('and each key that is left has its end, as has each that was ever written', async () => {
    const [redis] = nodes as [RedisConnection];
    const [stores, known] = [createRedisStores(redis, { prefix: 'postern:left' }), truth()];
    for (const step of Object.values(STEPS)) await step(stores, '1', known);
    const keys = (await redis.command('KEYS', 'postern:*')) as string[];
    expect(keys.length).toBeGreaterThan(10);
    for (const key of keys) expect([key, Number(await redis.command('PTTL', key)) !== -1]).toEqual([key, true]);
    const named = (name: string) => commands.filter(([command]) => command?.toUpperCase() === name);
    expect(named('SET').length).toBeGreaterThan(100);
    expect(named('SET').filter((parameters) => !parameters.includes('PX'))).toEqual([]);
    expect(['SETNX', 'MSET', 'GETSET', 'PERSIST', 'FLUSHALL', 'INCR'].flatMap(named)).toEqual([]);
    // The one of this test.
    expect(named('KEYS').length).toBe(1);
    // Hashes, lists and sorted sets are written by scripts, which give them their end before they return.
    for (const writes of ['HSET', 'ZADD', 'RPUSH'].map(named)) expect(writes.length).toBeGreaterThan(0);
  });
});
