import { INSTANCE_SCOPE } from '@postern/db';
import { DbError, type QueuedCallsPort } from '@postern/db/ports';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { TENANT } from '../gateway.fixture.ts';
import { type QueueOptions, type QueueScene, startQueue } from './queued-calls.fixture.ts';

let upstream: Upstream;
let scene: QueueScene;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  await scene?.[Symbol.asyncDispose]();
});

const start = async (options: QueueOptions = {}, integration: object = {}) => {
  scene = await startQueue(upstream, { isWorking: false, queueLeaseMs: 1_500, ...options }, integration);
};

const record = async (id: string) => {
  const found = await scene.gateway.repositories.queuedCalls.getById(TENANT, id);
  if (found === undefined) throw new Error('no such call');
  return found;
};

/** Takes the one call as another process would that is gone a moment later. */
async function takeAndVanish(leaseMs = 50) {
  const [taken] = await scene.gateway.repositories.queuedCalls.take(Date.now(), { leaseMs, limit: 1 });
  if (taken === undefined) throw new Error('nothing to take');
  return taken;
}

/** The rest of the port as it is. */
const failingOnce =
  (method: 'finish' | 'take' | 'putBack' | 'renew') =>
  (calls: QueuedCallsPort): QueuedCallsPort => {
    let left = 1;
    return {
      ...calls,
      [method]: (...given: never[]) => {
        if (left > 0) {
          left -= 1;
          return Promise.reject(new DbError('unavailable', 'the disk is away'));
        }
        return (calls[method] as (...all: never[]) => unknown)(...given);
      },
    };
  };

describe('a queued call', () => {
  test('whose process is gone before it was sent is sent by the next', async () => {
    await start();
    const id = await scene.queue('k-1');
    await takeAndVanish();
    expect((await scene.stateOf(id)).json().status).toBe('running');
    scene.work();
    expect((await scene.done(id)).result).toMatchObject({ status: 201 });
    expect(await record(id)).toMatchObject({ attempts: 2 });
    expect(scene.sent()).toHaveLength(1);
  });

  test('whose end could not be stored is not sent again, and has its answer', async () => {
    await start({ wrapQueuedCalls: failingOnce('finish') });
    scene.work();
    const id = await scene.queue('k-1');
    expect((await scene.done(id)).result).toMatchObject({ status: 201, bodyText: 'made' });
    expect(await record(id)).toMatchObject({ attempts: 2 });
    expect(scene.sent()).toHaveLength(1);
    expect(scene.gateway.faults.map(({ doing }) => doing)).toEqual(['run a queued call']);
  });

  test.each<[string, (response: import('node:http').ServerResponse) => void, object, string]>([
    ['unknown', (response) => void response.destroy(), { retry: { attempts: 1 } }, 'outcome_unknown'],
    [
      'one that may not be passed on',
      (response) => void response.writeHead(302, { location: 'http://else.where/' }).end(),
      {},
      'redirect_refused',
    ],
    ['a 429', (response) => void response.writeHead(429).end(), {}, 'internal_error'],
  ])(
    'whose end could not be stored, %s, is told from its claim and not sent again',
    async (_end, behave, integration, code) => {
      await start({ wrapQueuedCalls: failingOnce('finish') }, integration);
      upstream.answerWith((_request, response) => behave(response));
      scene.work();
      const id = await scene.queue('k-1');
      expect((await scene.done(id)).problem).toMatchObject({ code });
      expect(scene.sent()).toHaveLength(1);
    },
  );

  test('of a safe method whose outcome is unknown is not sent again by the gateway', async () => {
    await start({ wrapQueuedCalls: failingOnce('finish') }, { retry: { attempts: 1 } });
    upstream.answerWith((_request, response) => void response.destroy());
    scene.work();
    const id = scene.idOf(await scene.send('k-1', undefined, { method: 'GET', path: '/to/api/safe', body: '' }));
    expect((await scene.done(id)).problem).toMatchObject({ code: 'outcome_unknown' });
    expect(scene.sent()).toHaveLength(1);
    // The agent may.
    upstream.answerWith((_request, response) => void response.end('at last'));
    const again = await scene.send('k-1', undefined, { method: 'GET', path: '/to/api/safe', body: '' });
    expect([again.status, again.text]).toEqual([200, 'at last']);
  });

  test('that its process has lost while it was held up is not sent by it', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    await start({
      wrapQueuedCalls: (calls) => ({ ...calls, renew: async () => false }),
      rules: [
        { id: 'all', effect: 'allow' },
        { id: 'pace', effect: 'rate_limit', limit: { requests: 9, perSeconds: 9, per: ['agent'] } },
      ],
      wrapRateLimits: (limits) => ({
        ...limits,
        judge: (...given) => limits.judge(...given),
        giveBack: (...given) => limits.giveBack(...given),
        spend: async (...given) => {
          await held;
          return limits.spend(...given);
        },
      }),
    });
    const id = await scene.queue('k-1');
    scene.work();
    await expect.poll(async () => (await record(id)).attempts, { timeout: 5_000 }).toBeGreaterThan(0);
    // Its time runs out, and nobody may renew it.
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    release();
    await expect
      .poll(async () => (await scene.gateway.entries({ type: 'outcome' })).map(({ result }) => result), {
        timeout: 5_000,
      })
      .toContain('not_sent');
    const before = scene.sent().length;
    expect(before).toBeLessThanOrEqual(1);
    await scene.done(id);
    expect(scene.sent().length).toBeLessThanOrEqual(1);
  });

  test('that cannot be opened is not sent', async () => {
    await start();
    const id = await scene.queue('k-1');
    await scene.gateway.db
      .writes(INSTANCE_SCOPE)
      .updateTable('sealed_chunks')
      .set({ sealed: Buffer.from([1, 2, 3]) })
      .execute();
    scene.work();
    expect((await scene.done(id)).problem).toMatchObject({ code: 'internal_error' });
    expect(scene.sent()).toHaveLength(0);
  });

  test('whose stored request was moved to another call is not sent', async () => {
    await start();
    const first = await scene.queue('k-1', 'one');
    const second = await scene.queue('k-2', 'two');
    const { sealedRequest } = await record(second);
    await scene.gateway.db
      .writes(INSTANCE_SCOPE)
      .updateTable('queued_calls')
      .set({ sealed_request: sealedRequest })
      .where('id', '=', first)
      .execute();
    scene.work();
    expect((await scene.done(first)).problem).toMatchObject({ code: 'internal_error' });
    expect(scene.sent().map(({ body }) => Buffer.from(body).toString())).not.toContain('one');
  });

  test('that cannot be recorded waits until it can', async () => {
    let isDown = true;
    await start({
      wrapJournal: (journal) =>
        Object.assign(Object.create(journal), {
          commitIntent: (...given: Parameters<typeof journal.commitIntent>) =>
            isDown ? Promise.reject(new DbError('unavailable', 'full')) : journal.commitIntent(...given),
          recordOutcome: (...given: Parameters<typeof journal.recordOutcome>) => journal.recordOutcome(...given),
          recordRefusal: (...given: Parameters<typeof journal.recordRefusal>) => journal.recordRefusal(...given),
          settling: (requestId: string) => journal.settling(requestId),
        }),
    });
    const id = await scene.queue('k-1');
    scene.work();
    await expect.poll(async () => record(id), { timeout: 5_000 }).toMatchObject({ attempts: 1, state: 'queued' });
    expect(scene.sent()).toHaveLength(0);
    isDown = false;
    expect((await scene.done(id, 15_000)).result).toMatchObject({ status: 201 });
    expect(scene.sent()).toHaveLength(1);
  });

  test('is taken once the store answers again, which is told of once', async () => {
    await start({ wrapQueuedCalls: failingOnce('take') });
    scene.work();
    const id = await scene.queue('k-1');
    await scene.done(id);
    expect(scene.gateway.faults.map(({ doing }) => doing)).toEqual(['take queued calls']);
  });

  test('that takes longer than its lease stays the one run', async () => {
    await start();
    upstream.answerWith((_request, response) => void setTimeout(() => response.end('slow'), 4_000));
    scene.work();
    const id = await scene.queue('k-1');
    expect((await scene.done(id)).result).toMatchObject({ bodyText: 'slow' });
    expect(await record(id)).toMatchObject({ attempts: 1 });
    expect(scene.sent()).toHaveLength(1);
  });
});

describe('a call that cannot be queued', () => {
  test('because the store does not answer is refused, and not sent', async () => {
    await start({
      wrapQueuedCalls: (calls) => ({
        ...calls,
        enqueue: () => Promise.reject(new DbError('unavailable', 'the disk is away')),
      }),
    });
    expect((await scene.send('k-1')).json()).toMatchObject({ status: 503, code: 'audit_unavailable' });
    const points = scene.gateway.db.points(INSTANCE_SCOPE);
    expect(await points.selectFrom('claims').select('key').execute()).toEqual([]);
    await vi.waitFor(async () => expect(await points.selectFrom('sealed_requests').select('id').execute()).toEqual([]));
    expect(scene.sent()).toHaveLength(0);
  });
});
