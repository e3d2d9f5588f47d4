import { createHash } from 'node:crypto';
import { INSTANCE_SCOPE } from '@postern/db';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { call, postJson } from '../client.fixture.ts';
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
  scene = await startQueue(upstream, options, integration);
};
/** Answered at once. */
const WAITING = { prefer: 'wait=0' };
const QUIET = { isWorking: false };

describe('a call that nobody waits for', () => {
  test('is queued, sent once, and its answer given to whoever asks', async () => {
    await start(QUIET);
    const queued = await scene.send('k-1');
    const id = scene.idOf(queued);
    expect(queued.json().call.status).toBe('queued');
    const before = (await scene.stateOf(id)).json();
    const requestId = queued.headers['postern-request-id'];
    expect(before).toEqual({ id, status: 'queued', createdAt: expect.any(String), requestId });
    expect(scene.sent()).toHaveLength(0);
    scene.work();
    expect(await scene.done(id)).toEqual({
      ...before,
      status: 'done',
      startedAt: expect.any(String),
      finishedAt: expect.any(String),
      result: { status: 201, headers: expect.objectContaining({ 'x-made': 'yes' }), bodyText: 'made' },
    });
    expect(scene.sent()).toHaveLength(1);
    const [request] = scene.sent();
    expect(Buffer.from(request?.body ?? []).toString()).toBe('a');
    expect(request?.headers).toMatchObject({ 'content-type': 'text/plain', 'x-request-id': requestId });
    expect(request?.headers['authorization']).toMatch(/^Bearer /);
    for (const name of ['prefer', 'idempotency-key', 'postern-queued-terms', 'postern-key'])
      expect(request?.headers).not.toHaveProperty(name);
  });

  test('is answered from the store when its key comes again', async () => {
    await start();
    await scene.done(await scene.queue('k-1'));
    for (const prefer of ['respond-async', 'return=minimal']) {
      const again = await scene.send('k-1', 'a', { headers: { prefer } });
      // The one preference is forwarded, and part of the call.
      if (prefer !== 'respond-async') expect(again.json()).toMatchObject({ code: 'idempotency_key_mismatch' });
      else expect([again.status, again.text, again.headers['postern-idempotency']]).toEqual([201, 'made', 'replayed']);
    }
    expect(scene.sent()).toHaveLength(1);
  });

  test('is recorded and told of as every call, under the id that its agent was told', async () => {
    await start();
    const intent = 'make a thing – ✓';
    const field = Buffer.from(intent, 'utf8').toString('latin1');
    const queued = await scene.send('k-1', Buffer.from('a'), { headers: { 'postern-intent': field } });
    const id = scene.idOf(queued);
    const { requestId } = await scene.done(id);
    const entries = await scene.gateway.entries({ requestId });
    expect(entries.map(({ type, result }) => [type, result])).toEqual([
      ['intent', undefined],
      ['outcome', 'done'],
    ]);
    expect(entries[0]).toMatchObject({
      agent: 'coder',
      method: 'POST',
      decision: 'allow',
      intent,
    });
    const lines = scene.gateway.calls.filter((event) => event.requestId === requestId);
    expect(lines.map(({ status, queuedCall, clientAddress }) => [status, queuedCall, clientAddress])).toEqual([
      [202, id, '127.0.0.1'],
      [201, id, '127.0.0.1'],
    ]);
  });

  test('can be asked for with a document', async () => {
    await start();
    const document = {
      integration: 'api',
      request: { method: 'POST', path: '/doc', body: { a: 1 } },
      idempotencyKey: 'd',
    };
    const answer = await call(scene.gateway, '/v1/execute', {
      headers: { 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify(document),
    });
    expect((await scene.done(scene.idOf(answer))).result).toMatchObject({ status: 201, bodyText: 'made' });
    expect(scene.sent()[0]).toMatchObject({ method: 'POST', url: '/doc' });
    const again = await postJson(scene.gateway, '/v1/execute', document);
    expect(again.json()).toMatchObject({ status: 201, bodyText: 'made', idempotency: 'replayed' });
  });

  test('can come by the host of its integration', async () => {
    await start();
    upstream.answerWith((_request, response) => {
      const link = `<http://upstream.test:${upstream.port}/next>; rel="next"`;
      response.writeHead(200, { link }).end('page');
    });
    const answer = await scene.send('k-1', 'a', { path: '/items', headers: { host: 'api.to.localhost' } });
    const { result } = await scene.done(scene.idOf(answer));
    expect(result.headers.link).toBe(`<${scene.gateway.url}/to/api/next>; rel="next"`);
    expect(scene.sent()[0]?.url).toBe('/items');
  });

  test.each<[string, string, Buffer, object]>([
    ['JSON with a long number', 'application/json', Buffer.from('{ "n": 12345678901234567890.10 }'), { body: {} }],
    ['text', 'text/plain; charset=utf-8', Buffer.from('grüß dich\n'), { bodyText: 'grüß dich\n' }],
    ['bytes', 'application/octet-stream', Buffer.from([0, 255, 1, 254]), { bodyBase64: 'AP8B/g==' }],
  ])('gives its answer byte for byte: %s', async (_what, type, body, expected) => {
    await start();
    upstream.answerWith((_request, response) => void response.writeHead(200, { 'content-type': type }).end(body));
    const id = await scene.queue('k-1');
    const { result } = await scene.done(id);
    expect(Object.keys(result)).toEqual(['status', 'headers', ...Object.keys(expected)]);
    if ('body' in expected) expect((await scene.stateOf(id)).text).toContain(`"body":${body.toString()}}}`);
    else expect(result).toMatchObject(expected);
    expect((await scene.send('k-1')).body.equals(body)).toBe(true);
  });

  test('may have no body in its answer', async () => {
    await start();
    upstream.answerWith((_request, response) => void response.writeHead(204).end());
    expect(Object.keys((await scene.done(await scene.queue('k-1'))).result)).toEqual(['status', 'headers']);
  });

  test('may have a large body, which is sent byte for byte', async () => {
    await start();
    const body = Buffer.alloc(5_000_003, 'postern ');
    const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    await scene.done(scene.idOf(await scene.send('k-1', body)));
    expect(sha(scene.sent()[0]?.body ?? new Uint8Array())).toBe(sha(body));
    // Nothing of it is kept any longer.
    const left = await scene.gateway.db.points(INSTANCE_SCOPE).selectFrom('sealed_requests').select('id').execute();
    expect(left).toEqual([]);
    expect(scene.gateway.gateway.bodyMemory.heldBytes).toBe(0);
  });

  test('lies sealed in the store, with its answer', async () => {
    await start(QUIET);
    upstream.answerWith((_request, response) => void response.end('the answer nobody reads'));
    const id = await scene.queue('k-1', 'the body nobody reads');
    const chunks = await scene.gateway.db.points(INSTANCE_SCOPE).selectFrom('sealed_chunks').select('sealed').execute();
    expect(chunks.length).toBeGreaterThan(0);
    scene.work();
    await scene.done(id);
    const answers = await scene.gateway.db
      .points(INSTANCE_SCOPE)
      .selectFrom('stored_answers')
      .select('sealed')
      .execute();
    expect(answers).toHaveLength(2);
    for (const { sealed } of [...chunks, ...answers]) expect(Buffer.from(sealed).includes('nobody reads')).toBe(false);
  });

  test('with an answer past what is kept is sent once, and says so', async () => {
    await start();
    upstream.answerWith((_request, response) => void response.writeHead(203).end(Buffer.alloc(1_048_577, 'x')));
    const { result, problem } = await scene.done(await scene.queue('k-1'));
    expect(result).toBeUndefined();
    expect(problem).toMatchObject({ status: 409, code: 'replay_unavailable', detail: expect.stringContaining('203') });
    expect((await scene.send('k-1')).json()).toMatchObject({ code: 'replay_unavailable' });
    expect(scene.sent()).toHaveLength(1);
  });

  test('that the upstream answers 429 has that for its answer, and its key is free', async () => {
    await start();
    upstream.answerWith((_request, response) => void response.writeHead(429, { 'retry-after': '7' }).end('slow'));
    const id = await scene.queue('k-1');
    expect((await scene.done(id)).result).toMatchObject({ status: 429, headers: { 'retry-after': '7' } });
    const again = await scene.queue('k-1');
    expect(again).not.toBe(id);
    await scene.done(again);
    expect(scene.sent()).toHaveLength(2);
  });

  test('whose outcome nobody knows is not sent again, not even where a re-send may', async () => {
    await start({}, { retry: { attempts: 1 } });
    upstream.answerWith((_request, response) => void response.destroy());
    const id = await scene.queue('k-1');
    expect((await scene.done(id)).problem).toMatchObject({ status: 502, code: 'upstream_reset', retryable: false });
    expect((await scene.send('k-1')).json()).toMatchObject({ status: 409, code: 'outcome_unknown' });
    expect(scene.sent()).toHaveLength(1);
  });

  test('without a key is answered at once', async () => {
    await start();
    const answer = await scene.send(undefined);
    expect([answer.status, answer.text]).toEqual([201, 'made']);
  });

  test('of an action whose body passes as it comes is refused', async () => {
    await start({}, { actions: [{ name: 'up', methods: ['POST'], paths: ['/**'], body: 'stream' }] });
    expect((await scene.send('k-1')).json()).toMatchObject({ status: 400, code: 'target_invalid' });
    expect((await scene.send(undefined)).json()).toMatchObject({ status: 400, code: 'target_invalid' });
  });

  test('that policy denies is refused, not queued', async () => {
    await start({ rules: [{ id: 'no', effect: 'deny' }] });
    expect((await scene.send('k-1')).json()).toMatchObject({ status: 403, code: 'denied' });
    expect(await scene.gateway.repositories.queuedCalls.nextDueAt()).toBeUndefined();
  });

  test('that a person must approve asks for the approval', async () => {
    await start({ rules: [{ id: 'ask', effect: 'require_approval' }] });
    const answer = await scene.send('k-1');
    expect(answer.status).toBe(202);
    expect(answer.headers['location']).toBe(answer.json().approval.statusUrl);
    expect(await scene.gateway.repositories.queuedCalls.nextDueAt()).toBeUndefined();
  });
});

describe('a key that comes again', () => {
  test('while its call is queued or running leads to the same call', async () => {
    await start(QUIET);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    upstream.answerWith((_request, response) => void held.then(() => response.end('late')));
    const id = await scene.queue('k-1');
    expect(await scene.queue('k-1')).toBe(id);
    expect((await scene.send('k-1', 'b')).json()).toMatchObject({ status: 422, code: 'idempotency_key_mismatch' });
    scene.work();
    await vi.waitFor(() => expect(scene.sent()).toHaveLength(1), { timeout: 5_000, interval: 5 });
    const running = await scene.send('k-1');
    expect(scene.idOf(running)).toBe(id);
    expect(running.json().call.status).toBe('running');
    const waiting = await scene.send('k-1', 'a', { headers: WAITING });
    expect(waiting.json()).toMatchObject({ status: 409, code: 'in_flight' });
    release();
    expect((await scene.done(id)).result.bodyText).toBe('late');
    expect(scene.sent()).toHaveLength(1);
  });

  test('a hundred times at once is one call', async () => {
    await start();
    const answers = await Promise.all(Array.from({ length: 100 }, () => scene.send('k-1')));
    const ids = answers.flatMap((answer) => (answer.status === 202 ? [scene.idOf(answer)] : []));
    // Some may come after its end, and are given the answer.
    for (const answer of answers) expect([201, 202]).toContain(answer.status);
    expect(new Set(ids).size).toBe(1);
    await scene.done(ids[0] ?? '');
    expect(scene.sent()).toHaveLength(1);
    const left = await scene.gateway.db.points(INSTANCE_SCOPE).selectFrom('sealed_requests').select('id').execute();
    expect(left).toEqual([]);
  });

  test('without the preference goes ahead of its place, and the queued call has the same answer', async () => {
    await start(QUIET);
    const id = await scene.queue('k-1');
    const answer = await scene.send('k-1', 'a', { headers: WAITING });
    expect([answer.status, answer.text, answer.headers['postern-idempotency']]).toEqual([201, 'made', 'stored']);
    scene.work();
    expect((await scene.done(id)).result).toMatchObject({ status: 201, bodyText: 'made' });
    expect(scene.sent()).toHaveLength(1);
  });

  test('while a call that its agent waits for is being sent is in flight', async () => {
    await start();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    upstream.answerWith((_request, response) => void held.then(() => response.end('late')));
    const waiting = scene.send('k-1', 'a', { headers: WAITING });
    await vi.waitFor(() => expect(scene.sent()).toHaveLength(1), { timeout: 5_000, interval: 5 });
    expect((await scene.send('k-1')).json()).toMatchObject({ status: 409, code: 'in_flight' });
    release();
    expect((await waiting).text).toBe('late');
  });
});

describe('/v1/calls/{id}', () => {
  test('cancels a call while it is queued, and its key is free', async () => {
    await start(QUIET);
    const id = await scene.queue('k-1');
    expect((await scene.cancel(id)).status).toBe(204);
    const after = (await scene.stateOf(id)).json();
    expect(after).toMatchObject({ id, status: 'cancelled', finishedAt: expect.any(String) });
    expect((await scene.cancel(id)).json()).toMatchObject({ status: 409, code: 'conflict' });
    const other = await scene.queue('k-1', 'b');
    expect(other).not.toBe(id);
    scene.work();
    await scene.done(other);
    expect(scene.sent().map(({ body }) => Buffer.from(body).toString())).toEqual(['b']);
  });

  test('cancels none that runs or has ended', async () => {
    await start();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    upstream.answerWith((_request, response) => void held.then(() => response.end('late')));
    const id = await scene.queue('k-1');
    await vi.waitFor(() => expect(scene.sent()).toHaveLength(1), { timeout: 5_000, interval: 5 });
    expect((await scene.stateOf(id)).json()).toMatchObject({ status: 'running', startedAt: expect.any(String) });
    expect((await scene.cancel(id)).json()).toMatchObject({ status: 409, code: 'conflict' });
    release();
    await scene.done(id);
    expect((await scene.cancel(id)).json()).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('cancelled and run at once is one of both', async () => {
    await start();
    for (let round = 0; round < 20; round += 1) {
      const id = await scene.queue(`k-${round}`);
      const { status } = await scene.cancel(id);
      if (status === 204) expect((await scene.stateOf(id)).json().status).toBe('cancelled');
      else await scene.done(id);
    }
    const states = await scene.gateway.db.points(INSTANCE_SCOPE).selectFrom('queued_calls').select('state').execute();
    expect(states.filter(({ state }) => state === 'done')).toHaveLength(scene.sent().length);
  });

  test('tells another agent nothing', async () => {
    await start(QUIET);
    const id = await scene.queue('k-1');
    const other = await scene.newAgent('other');
    for (const method of ['GET', 'DELETE']) {
      const answer = await call(other, `/v1/calls/${id}`, { method });
      expect(answer.json()).toMatchObject({ status: 404, code: 'not_found' });
    }
    expect((await scene.stateOf(id)).json().status).toBe('queued');
    for (const unknown of ['none', '..%2f', 'a'.repeat(300)])
      expect((await scene.stateOf(unknown)).json()).toMatchObject({ status: 404, code: 'not_found' });
    expect((await call(scene.gateway, `/v1/calls/${id}`, { method: 'PUT' })).headers['allow']).toContain('DELETE');
    expect((await call(scene.gateway, `/v1/calls/${id}`, { headers: { 'postern-key': '' } })).status).toBe(401);
  });
});

describe('the queue', () => {
  test('sends four calls of an integration at a time, the oldest first', async () => {
    await start(QUIET);
    let running = 0;
    let most = 0;
    const releases: (() => void)[] = [];
    upstream.answerWith(async (_request, response) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => releases.push(resolve));
      running -= 1;
      response.end('done');
    });
    const ids: string[] = [];
    for (let count = 0; count < 12; count += 1) ids.push(await scene.queue(`k-${count}`, String(count)));
    scene.work();
    for (let released = 0; released < 12; released += 1) {
      await vi.waitFor(() => expect(running).toBe(Math.min(4, 12 - released)), { timeout: 10_000, interval: 2 });
      releases[released]?.();
      await vi.waitFor(() => expect(scene.sent().length).toBeGreaterThanOrEqual(Math.min(12, released + 5)), {
        timeout: 10_000,
        interval: 2,
      });
    }
    for (const id of ids) await scene.done(id);
    expect(most).toBe(4);
    const order = scene.sent().map(({ body }) => Number(Buffer.from(body).toString()));
    expect(order).toHaveLength(12);
    for (const [place, number] of order.entries()) expect(Math.abs(place - number)).toBeLessThan(4);
  });

  test('takes ten thousand calls of a tenant, and refuses the next without a trace of it', async () => {
    await start(QUIET);
    const now = Date.now();
    for (let part = 0; part < 20; part += 1) {
      const rows = Array.from({ length: 500 }, (_, index) => ({
        ...{ tenant: TENANT, id: `${part}-${index}`, agent: 'coder', integration: 'api', state: 'queued' as const },
        ...{ sealed_request: 's', claim_key: `${part}-${index}`, request_id: 'r', attempts: 0 },
        ...{ due_at: now, created_at: now },
      }));
      await scene.gateway.db.writes(INSTANCE_SCOPE).insertInto('queued_calls').values(rows).execute();
    }
    const refused = await scene.send('k-1');
    expect(refused.json()).toMatchObject({ status: 503, code: 'overloaded', retryable: true });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const points = scene.gateway.db.points(INSTANCE_SCOPE);
    expect(await points.selectFrom('claims').select('key').execute()).toEqual([]);
    expect(await points.selectFrom('sealed_requests').select('id').execute()).toEqual([]);
    // Whoever waits is served.
    expect((await scene.send('k-1', 'a', { headers: WAITING })).status).toBe(201);
  });

  test('lets what runs end when it stops, and keeps what is queued for the next start', async () => {
    await start(QUIET);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    upstream.answerWith((_request, response) => void held.then(() => response.end('late')));
    const ids: string[] = [];
    for (let count = 0; count < 6; count += 1) ids.push(await scene.queue(`k-${count}`));
    scene.work();
    await vi.waitFor(() => expect(scene.sent()).toHaveLength(4), { timeout: 5_000, interval: 5 });
    const stopped = scene.gateway.gateway.queue.stop(10_000);
    release();
    await stopped;
    const states = await Promise.all(ids.map(async (id) => (await scene.stateOf(id)).json().status));
    expect(states).toEqual(['done', 'done', 'done', 'done', 'queued', 'queued']);
    expect(scene.sent()).toHaveLength(4);
  });
});
