import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { createDbRepositories, openSqlite, runInTransaction } from '@postern/db';
import {
  type ApprovalSummary,
  DbError,
  type DbRepositories,
  type LeaseOwner,
  type NewApproval,
} from '@postern/db/ports';
import { templateSchema } from '@postern/schemas';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createBackgroundLease } from './nodes/background-lease.ts';
import { createSweeps, OUTBOX_KEPT_MS, type SweepParts, type Sweeps } from './sweeps.ts';

const TENANT = 'default';
const APPROVAL: NewApproval = {
  tenant: TENANT,
  agent: 'coder',
  integration: 'github',
  method: 'POST',
  url: 'https://api.github.com/x',
  fingerprint: 'f'.repeat(64),
  requestId: 'r-1',
  summary: 'POST /x',
  descriptor: '{}',
  terms: { approvers: 1, groups: [], pendingSeconds: 60, executeSeconds: 60, grant: 'once' },
};

const TEMPLATE = {
  name: 'acme',
  version: 1,
  title: 'Acme',
  provider: 'Acme',
  sources: ['https://docs.acme.test'],
  baseUrl: 'https://api.acme.test',
  credential: { type: 'bearer' },
  actions: [{ name: 'things.read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
};

let folder: TemporaryFolder;
let db: Awaited<ReturnType<typeof openSqlite>>;
let repositories: DbRepositories;
let sweeps: Sweeps | undefined;
let expired: ApprovalSummary[];
let faults: string[];
const clock = { nowMs: 1_000_000 };

beforeEach(async () => {
  clock.nowMs = 1_000_000;
  expired = [];
  faults = [];
  folder = await temporaryFolder();
  const now = () => clock.nowMs;
  db = await openSqlite({ file: path.join(folder.path, 'postern.db'), now });
  repositories = createDbRepositories(db, { now, newId: () => randomUUID() });
  await repositories.tenants.create(TENANT);
});

afterEach(async () => {
  await sweeps?.stop();
  sweeps = undefined;
  await db.close();
  await folder.remove();
});

function start(change: Partial<SweepParts> = {}): Sweeps {
  sweeps = createSweeps({
    repositories,
    now: () => clock.nowMs,
    onError: (_error, doing) => faults.push(doing),
    onExpired: (approval) => expired.push(approval),
    onTemplate: async () => {},
    everyMs: 5,
    ...change,
  });
  sweeps.start();
  return sweeps;
}

/** Waits for so many whole rounds from now on. */
function countRounds() {
  let rounds = 0;
  const onRound = () => {
    rounds += 1;
  };
  const more = (count: number) => {
    // The one that is under way may have begun before.
    const wanted = rounds + count + 1;
    return vi.waitFor(() => expect(rounds).toBeGreaterThanOrEqual(wanted));
  };
  return { onRound, more };
}

describe('sweeps', () => {
  test('tell of a published template until they have been heard, and once then', async () => {
    const document = JSON.stringify(templateSchema.parse(TEMPLATE));
    await runInTransaction(db, (context) =>
      repositories.templates.createTemplateVersionImmutable({ tenant: TENANT, document, origin: 'api' }, context),
    );
    const told: string[] = [];
    let isHeard = false;
    const rounds = countRounds();
    const onTemplate = async ({ tenant, name }: { tenant: string; name: string }) => {
      told.push(`${tenant} ${name}`);
      if (!isHeard) throw new DbError('unavailable', 'the bus is away');
    };
    start({ onTemplate, onRound: rounds.onRound });
    await rounds.more(2);
    expect(told).toEqual(['default acme']);
    expect(faults).toContain('tell of templates');
    isHeard = true;
    clock.nowMs += 5_000;
    await vi.waitFor(() => expect(told).toHaveLength(2));
    await rounds.more(2);
    expect(told).toHaveLength(2);
    expect(await repositories.templateInvalidations.listPending(TENANT, 10)).toEqual([]);
  });

  test('tell of what has expired, once, and remove what is over', async () => {
    const { approvals, claims, outbox, sealedRequests } = repositories;
    const ids: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      ids.push((await approvals.create({ ...APPROVAL, fingerprint: `${i}`.repeat(64) }, clock.nowMs)).id);
    }
    const scope = { tenant: TENANT, agent: 'coder', integration: 'github', key: 'k' };
    const times = { fingerprint: 'f'.repeat(64), requestId: 'r', expiresAt: clock.nowMs + 10 };
    await claims.reserve({ ...scope, ...times }, clock.nowMs);
    const stored = await sealedRequests.write({ tenant: TENANT, keepUntil: clock.nowMs + 10 }, [new Uint8Array(8)]);
    await outbox.add([{ tenant: TENANT, endpoint: 'e', type: 't', body: '{}' }], clock.nowMs);
    const [taken] = await outbox.take(clock.nowMs, { leaseMs: 1_000, limit: 1 });
    if (taken === undefined) throw new Error('nothing to take');
    await outbox.finish(taken, { to: 'delivered', at: clock.nowMs });
    const rounds = countRounds();
    start({ onRound: rounds.onRound });
    await rounds.more(2);
    expect(expired).toEqual([]);
    expect(await outbox.getById(TENANT, taken.id)).toBeDefined();
    clock.nowMs += OUTBOX_KEPT_MS + 1;
    await vi.waitFor(() => expect(expired).toHaveLength(3));
    expect(expired.map(({ id, status }) => `${id} ${status}`).sort()).toEqual(ids.map((id) => `${id} expired`).sort());
    await rounds.more(2);
    expect(expired).toHaveLength(3);
    expect(await outbox.getById(TENANT, taken.id)).toBeUndefined();
    expect(await sealedRequests.getById(TENANT, stored.id)).toBeUndefined();
    const page = { limit: 10, nowMs: 0 };
    expect((await claims.list(TENANT, {}, page)).items).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('summarise the audit log as it grows', async () => {
    await runInTransaction(db, async (context) => {
      for (let seq = 0; seq < 1_024; seq += 1) {
        await repositories.audit.append({ at: seq, tenant: TENANT, type: 'denied' }, context);
      }
    });
    const rounds = countRounds();
    start({ onRound: rounds.onRound });
    await rounds.more(1);
    expect(await repositories.audit.summarise(1)).toBe(0);
    expect(faults).toEqual([]);
  });

  test('take many in several rounds, and do not wait long between them', async () => {
    for (let i = 0; i < 250; i += 1) {
      await repositories.approvals.create({ ...APPROVAL, fingerprint: String(i).padStart(64, '0') }, clock.nowMs);
    }
    clock.nowMs += 60_000;
    const sizes: number[] = [];
    const { approvals } = repositories;
    const sweep: typeof approvals.sweep = async (nowMs, limit) => {
      const swept = await approvals.sweep(nowMs, limit);
      sizes.push(swept.length);
      return swept;
    };
    start({ repositories: { ...repositories, approvals: { ...approvals, sweep } }, everyMs: 60_000 });
    await vi.waitFor(() => expect(sizes).toEqual([100, 100, 50]), { timeout: 10_000 });
    expect(expired).toHaveLength(250);
  });

  test('that fail are told of once, keep no other from its work, and are told of again after they have worked', async () => {
    let isBroken = true;
    const { claims } = repositories;
    const sweep: typeof claims.sweep = (nowMs, limit) =>
      isBroken ? Promise.reject(new DbError('unavailable', 'gone')) : claims.sweep(nowMs, limit);
    const rounds = countRounds();
    await repositories.approvals.create(APPROVAL, clock.nowMs);
    clock.nowMs += 60_000;
    start({ repositories: { ...repositories, claims: { ...claims, sweep } }, onRound: rounds.onRound });
    await rounds.more(2);
    expect(faults).toEqual(['sweep claims']);
    expect(expired).toHaveLength(1);
    isBroken = false;
    await rounds.more(2);
    isBroken = true;
    await rounds.more(2);
    expect(faults).toEqual(['sweep claims', 'sweep claims']);
  });

  test('run one at a time, and none after the end', async () => {
    let running = 0;
    let most = 0;
    let calls = 0;
    const { outbox } = repositories;
    const release = Promise.withResolvers<void>();
    const sweep: typeof outbox.sweep = async () => {
      calls += 1;
      running += 1;
      most = Math.max(most, running);
      await release.promise;
      running -= 1;
      return 0;
    };
    const all = start({ repositories: { ...repositories, outbox: { ...outbox, sweep } }, everyMs: 1 });
    await vi.waitFor(() => expect(calls).toBe(1));
    let isStopped = false;
    const stopping = all.stop().then(() => {
      isStopped = true;
    });
    await new Promise(setImmediate);
    expect([isStopped, running]).toEqual([false, 1]);
    release.resolve();
    await stopping;
    expect([most, running, calls]).toEqual([1, 0, 1]);
  });
});

describe('sweeps of several nodes', () => {
  const [ONE, TWO] = [
    { node: 'node-1', boot: 'boot-1' },
    { node: 'node-2', boot: 'boot-2' },
  ];
  const leaseOf = (owner: LeaseOwner, leaseMs = 60_000) =>
    createBackgroundLease(repositories.backgroundLeases, 'sweeps', { ...owner, leaseMs });

  /** Says what was swept, in order. */
  function noting(name: string, swept: string[], onSweep = async () => {}): SweepParts['repositories'] {
    const note = async <T>(what: string, found: T): Promise<T> => {
      swept.push(`${name} ${what}`);
      await onSweep();
      return found;
    };
    return {
      ...repositories,
      approvals: { ...repositories.approvals, sweep: () => note('approvals', []) },
      claims: { ...repositories.claims, sweep: () => note('claims', 0) },
    };
  }

  test('are one node’s, and another’s once that has ended', async () => {
    const swept: string[] = [];
    const [first, second] = [countRounds(), countRounds()];
    const one = start({ repositories: noting('one', swept), lease: leaseOf(ONE), onRound: first.onRound });
    await first.more(1);
    const two = start({ repositories: noting('two', swept), lease: leaseOf(TWO), onRound: second.onRound });
    await second.more(3);
    expect(swept).not.toContain('two approvals');
    await one.stop();
    swept.length = 0;
    await vi.waitFor(() => expect(swept).toContain('two claims'));
    expect(swept).not.toContain('one claims');
    await two.stop();
    expect(faults).toEqual([]);
  });

  test('stop in the middle of a round when another has taken over meanwhile', async () => {
    const swept: string[] = [];
    const rounds = countRounds();
    // Held up for longer than its lease, in the middle of a sweep.
    const steal = async () => {
      expect(await repositories.backgroundLeases.hold('sweeps', TWO, 60_000)).toBe(true);
    };
    start({ repositories: noting('one', swept, steal), lease: leaseOf(ONE, 0), onRound: rounds.onRound });
    await rounds.more(2);
    expect(swept).toEqual(['one approvals']);
  });

  test('are nobody’s while the lease cannot be asked for, which is told once', async () => {
    const swept: string[] = [];
    const rounds = countRounds();
    const lease = leaseOf(ONE);
    const broken = { ...lease, hold: () => Promise.reject(new DbError('unavailable', 'gone')) };
    start({ repositories: noting('one', swept), lease: broken, onRound: rounds.onRound });
    await rounds.more(3);
    expect(swept).toEqual([]);
    expect(faults).toEqual(['hold the lease of the sweeps']);
  });
});
