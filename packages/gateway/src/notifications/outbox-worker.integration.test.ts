import { verifyWebhook, WEBHOOK_ATTEMPTS_MAX } from '@postern/approvals';
import { DbError } from '@postern/db/ports';
import { type RecordedRequest, startUpstream, type Upstream, type UpstreamHandler } from '@postern/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TENANT } from '../gateway.fixture.ts';
import { startWorkerGround, WEBHOOK_SECRET, type WorkerGround } from './worker-ground.fixture.ts';

const DAY_MS = 86_400_000;
const answers =
  (status: number, headers: Record<string, string> = {}): UpstreamHandler =>
  (_request, response) =>
    void response.writeHead(status, headers).end();
const never: UpstreamHandler = () => new Promise(() => undefined);

let ground: WorkerGround;
let receiver: Upstream;

beforeEach(async () => {
  ground = await startWorkerGround();
  receiver = await startUpstream({ handler: answers(204) });
});

afterEach(async () => {
  await ground?.[Symbol.asyncDispose]();
  await receiver?.close();
});

const verifies = ({ headers, body }: RecordedRequest, secrets: string | readonly string[] = WEBHOOK_SECRET) =>
  verifyWebhook({ headers: { ...headers }, body, secrets, now: ground.clock.nowMs / 1_000 });
const disabled = async () => (await ground.outbox.listDisabledEndpoints(TENANT)).map(({ endpoint }) => endpoint);

describe('the outbox worker', () => {
  test('delivers what waited before it started, and what is added then', async () => {
    const endpoint = await ground.addEndpoint(`${receiver.url}/hook?a=b`);
    const before = await ground.add(endpoint, '{"n":1}');
    ground.startWorker();
    await ground.triesEnded(1);
    const after = await ground.add(endpoint, '{"n":"é"}');
    await ground.triesEnded(2);
    expect(receiver.requests.map(({ url, body }) => [url, Buffer.from(body).toString()])).toEqual([
      ['/hook?a=b', '{"n":1}'],
      ['/hook?a=b', '{"n":"é"}'],
    ]);
    expect(receiver.requests.map(({ headers }) => headers['webhook-id'])).toEqual([before.id, after.id]);
    expect(receiver.requests.map((request) => verifies(request))).toEqual([true, true]);
    expect(await ground.message(before.id)).toMatchObject({ state: 'delivered', attempts: 1 });
    expect(ground.tries.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered']);
  });

  test('sends nothing of the gateway but what the receiver needs', async () => {
    await ground.add(await ground.addEndpoint(`${receiver.url}/hook`));
    ground.startWorker();
    await ground.triesEnded(1);
    expect(Object.keys(receiver.requests[0]?.headers ?? {}).sort()).toEqual([
      ...['accept-encoding', 'connection', 'content-length', 'content-type', 'host', 'user-agent', 'via'],
      ...['webhook-id', 'webhook-signature', 'webhook-timestamp'],
    ]);
  });

  test('tries a receiver that answers 500 for days ever more rarely, each time with a new signature, and gives up in the end', async () => {
    receiver.answerWith(answers(500));
    const endpoint = await ground.addEndpoint(`${receiver.url}/`);
    const { id } = await ground.add(endpoint);
    ground.startWorker();
    const begun = ground.clock.nowMs;
    const waits: number[] = [];
    for (let attempt = 1; attempt < WEBHOOK_ATTEMPTS_MAX; attempt += 1) {
      await ground.triesEnded(attempt);
      const message = await ground.message(id);
      expect(message).toMatchObject({ state: 'pending', attempts: attempt, lastError: 'status_500' });
      expect(verifies(receiver.requests.at(-1) as RecordedRequest)).toBe(true);
      waits.push(Math.round((message.nextAttemptAt - ground.clock.nowMs) / 1_000));
      // A moment too early nothing is sent.
      ground.clock.nowMs = message.nextAttemptAt - 1;
      ground.worker.wake();
      await ground.outbox.nextDueAt();
      expect(receiver.requests).toHaveLength(attempt);
      ground.clock.nowMs = message.nextAttemptAt;
      ground.worker.wake();
    }
    await ground.triesEnded(WEBHOOK_ATTEMPTS_MAX);
    expect(waits).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    expect(ground.clock.nowMs - begun).toBeGreaterThan(3 * DAY_MS);
    expect(await ground.message(id)).toMatchObject({ state: 'dead', lastError: 'status_500' });
    expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([id]));
    expect(await ground.outbox.nextDueAt()).toBeUndefined();
  });

  test.each([
    [429, '3600', 3_600_000],
    [503, '120', 120_000],
    // Shorter than our own pace, and on an answer that does not say so.
    [429, '1', 5_000],
    [500, '3600', 5_000],
    // Nobody puts a message off for ever.
    [429, '9999999', DAY_MS],
    [429, 'soon', 5_000],
  ])('after %i with Retry-After: %s waits %i ms', async (status, retryAfter, waitMs) => {
    receiver.answerWith(answers(status, { 'retry-after': retryAfter }));
    const { id } = await ground.add(await ground.addEndpoint(receiver.url));
    ground.startWorker();
    await ground.triesEnded(1);
    expect((await ground.message(id)).nextAttemptAt - ground.clock.nowMs).toBe(waitMs);
  });

  test('sends nothing more to an endpoint that is gone, until it is enabled', async () => {
    receiver.answerWith(answers(410));
    const endpoint = await ground.addEndpoint(`${receiver.url}/`);
    const [first, second] = [await ground.add(endpoint), await ground.add(endpoint)];
    ground.startWorker();
    await ground.triesEnded(1);
    await vi.waitFor(async () => expect(await disabled()).toEqual([endpoint]));
    expect(await ground.message(first.id)).toMatchObject({ state: 'dead', lastError: 'status_410' });
    expect(await ground.message(second.id)).toMatchObject({ state: 'disabled', attempts: 0 });
    expect((await ground.add(endpoint)).state).toBe('disabled');
    expect(receiver.requests).toHaveLength(1);
    receiver.answerWith(answers(200));
    await ground.outbox.enableEndpoint(TENANT, endpoint);
    await ground.outbox.replay(TENANT, second.id, ground.clock.nowMs);
    ground.worker.wake();
    await ground.triesEnded(2);
    expect(receiver.requests.at(-1)?.headers['webhook-id']).toBe(second.id);
  });

  test('gives an endpoint one message at a time, oldest first, and lets none wait for another endpoint that hangs', async () => {
    await using hanging = await startUpstream({ handler: never });
    const stuck = await ground.addEndpoint(`${hanging.url}/stuck`);
    const free = await ground.addEndpoint(`${receiver.url}/free`);
    let running = 0;
    let most = 0;
    receiver.answerWith(async (_request, response) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      response.writeHead(200).end();
    });
    for (let i = 0; i < 5; i += 1) await ground.add(stuck, `{"stuck":${i}}`);
    for (let i = 0; i < 20; i += 1) await ground.add(free, `{"free":${i}}`);
    ground.startWorker();
    await ground.triesEnded(20);
    expect(most).toBe(1);
    expect(receiver.requests.map(({ body }) => Buffer.from(body).toString())).toEqual(
      Array.from({ length: 20 }, (_, i) => `{"free":${i}}`),
    );
    expect(hanging.requests).toHaveLength(1);
  });

  test('sends to no more endpoints at once than it is given', async () => {
    await using hanging = await startUpstream({ handler: never });
    for (let i = 0; i < 5; i += 1) await ground.add(await ground.addEndpoint(`${hanging.url}/${i}`));
    await ground.add(await ground.addEndpoint(`${receiver.url}/`));
    ground.startWorker({ parallelMax: 5, parallelOfTenantMax: 5, timeoutMs: 300 });
    await hanging.waitForRequests(5);
    expect(receiver.requests).toHaveLength(0);
    await receiver.waitForRequests(1);
    expect(ground.tries.filter(({ error }) => error === 'timeout').length).toBeGreaterThan(0);
  });

  test('lets no tenant whose receivers all hang delay another', async () => {
    await using hanging = await startUpstream({ handler: never });
    const { tenants, notificationEndpoints } = ground.gateway.repositories;
    await tenants.create('other');
    const stuck: string[] = [];
    for (let i = 0; i < 20; i += 1) stuck.push(await ground.addEndpoint(`${hanging.url}/${i}`));
    for (const endpoint of stuck) await ground.add(endpoint);
    const spec = {
      url: `${receiver.url}/`,
      secret: 'webhook-secret',
      events: [],
      unsafeAllowAddresses: ['127.0.0.1/32'],
    };
    const { id } = await notificationEndpoints.create('other', { ...spec, events: ['approval.created'] }, 'config');
    await ground.gateway.runInTransaction((context) => ground.writeSecretOf('other', context));
    const message = { tenant: 'other', endpoint: id, type: 'approval.created', body: '{}' };
    await ground.outbox.add([message], ground.clock.nowMs);
    ground.startWorker();
    await receiver.waitForRequests(1);
    await hanging.waitForRequests(4);
    await ground.outbox.nextDueAt();
    expect(hanging.requests).toHaveLength(4);
  });

  test('delivers what another worker had taken and never finished, when its time is over', async () => {
    const { id } = await ground.add(await ground.addEndpoint(`${receiver.url}/`));
    await ground.outbox.take(ground.clock.nowMs, { leaseMs: 60_000, limit: 1 });
    ground.startWorker();
    await ground.outbox.nextDueAt();
    expect(receiver.requests).toHaveLength(0);
    ground.clock.nowMs += 60_000;
    ground.worker.wake();
    await ground.triesEnded(1);
    expect(await ground.message(id)).toMatchObject({ state: 'delivered', attempts: 2 });
  });

  test('two of them deliver each message once', async () => {
    const endpoints = await Promise.all([1, 2, 3, 4].map((i) => ground.addEndpoint(`${receiver.url}/${i}`)));
    for (let i = 0; i < 40; i += 1) await ground.add(endpoints[i % 4] as string);
    const first = ground.startWorker();
    ground.startWorker();
    await ground.triesEnded(40);
    await first.stop();
    expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(40);
    expect(receiver.requests).toHaveLength(40);
  });

  test('at the end lets a try that ends soon end, and puts back the others', async () => {
    await using hanging = await startUpstream({ handler: never });
    const stuck = await ground.add(await ground.addEndpoint(`${hanging.url}/`));
    receiver.answerWith(async (_request, response) => {
      await hanging.waitForRequests(1);
      response.writeHead(200).end();
    });
    const done = await ground.add(await ground.addEndpoint(`${receiver.url}/`));
    ground.startWorker();
    await hanging.waitForRequests(1);
    await ground.worker.stop();
    expect(await ground.message(done.id)).toMatchObject({ state: 'delivered' });
    expect(await ground.message(stuck.id)).toMatchObject({
      state: 'pending',
      lastError: 'stopping',
      nextAttemptAt: ground.clock.nowMs,
    });
    ground.worker.wake();
    await ground.outbox.nextDueAt();
    expect(hanging.requests).toHaveLength(1);
    const outcomes = await ground.gateway.entries({ type: 'outcome' });
    expect(outcomes.map(({ code }) => code).sort()).toEqual(['stopping', undefined]);
  });

  test('that cannot read the store says so and goes on when it can', async () => {
    const { outbox } = ground;
    let isBroken = true;
    await ground.add(await ground.addEndpoint(`${receiver.url}/`));
    ground.startWorker({
      outbox: {
        ...outbox,
        nextDueAt: () => (isBroken ? Promise.reject(new DbError('unavailable', 'gone')) : outbox.nextDueAt()),
      },
    });
    await vi.waitFor(() => expect(ground.faults).toHaveLength(1));
    ground.worker.wake();
    await ground.outbox.nextDueAt();
    expect(ground.faults).toHaveLength(1);
    isBroken = false;
    ground.worker.wake();
    await ground.triesEnded(1);
    expect(ground.tries[0]).toMatchObject({ outcome: 'delivered' });
  });

  test('that cannot write down how a try ended makes it again: at least once', async () => {
    const { outbox } = ground;
    let isBroken = true;
    const { id } = await ground.add(await ground.addEndpoint(`${receiver.url}/`));
    ground.startWorker({
      outbox: {
        ...outbox,
        finish: (message, outcome) =>
          isBroken ? Promise.reject(new DbError('unavailable', 'gone')) : outbox.finish(message, outcome),
      },
    });
    await vi.waitFor(() => expect(ground.faults).toHaveLength(1));
    isBroken = false;
    ground.clock.nowMs += 60_000;
    ground.worker.wake();
    await ground.triesEnded(1);
    expect(receiver.requests).toHaveLength(2);
    expect(await ground.message(id)).toMatchObject({ state: 'delivered', attempts: 2 });
  });

  test('asks nothing of anybody while nothing waits', async () => {
    let asked = 0;
    const { outbox } = ground;
    ground.startWorker({
      outbox: {
        ...outbox,
        nextDueAt: () => {
          asked += 1;
          return outbox.nextDueAt();
        },
        take: () => Promise.reject(new Error('nothing is due')),
      },
    });
    await vi.waitFor(() => expect(asked).toBe(1));
    expect(ground.faults).toEqual([]);
  });
});

describe('the secret of an endpoint', () => {
  const write = (value: string) =>
    ground.gateway.change((context) => ground.gateway.writeSecret('webhook-secret', value, context));
  const OTHER = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;

  test('signs beside the one before it for a day, so that no receiver is left out', async () => {
    await write(OTHER);
    const endpoint = await ground.addEndpoint(`${receiver.url}/`);
    await ground.add(endpoint);
    ground.startWorker();
    await ground.triesEnded(1);
    const [request] = receiver.requests;
    expect(request?.headers['webhook-signature']?.split(' ')).toHaveLength(2);
    for (const secret of [OTHER, WEBHOOK_SECRET]) expect(verifies(request as RecordedRequest, secret)).toBe(true);
    ground.clock.nowMs += DAY_MS + 60_000;
    await ground.add(endpoint);
    await ground.triesEnded(2);
    const last = receiver.requests.at(-1) as RecordedRequest;
    expect([verifies(last, OTHER), verifies(last, WEBHOOK_SECRET)]).toEqual([true, false]);
  });

  test('that cannot sign, or is not there, lets messages wait', async () => {
    await write('this is not a webhook secret');
    const [unfit, absent] = [
      await ground.add(await ground.addEndpoint(`${receiver.url}/a`)),
      await ground.add(await ground.addEndpoint(`${receiver.url}/b`, { secret: 'nowhere' })),
    ];
    ground.startWorker();
    await ground.triesEnded(2);
    expect(await ground.message(unfit.id)).toMatchObject({ state: 'pending', lastError: 'secret_invalid' });
    expect(await ground.message(absent.id)).toMatchObject({ state: 'pending', lastError: 'secret_unavailable' });
    expect(receiver.requests).toHaveLength(0);
    expect(await ground.gateway.entries({ type: 'intent' })).toEqual([]);
    await write(OTHER);
    ground.clock.nowMs += 6_000;
    ground.worker.wake();
    await receiver.waitForRequests(1);
    expect(verifies(receiver.requests[0] as RecordedRequest, OTHER)).toBe(true);
    // What could not sign then signs nothing now.
    expect(receiver.requests[0]?.headers['webhook-signature']?.split(' ')).toHaveLength(1);
  });
});
