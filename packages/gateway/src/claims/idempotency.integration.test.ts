import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../client.fixture.ts';
import type { TestGateway, TestGatewayOptions } from '../gateway.fixture.ts';
import { startOn } from '../refused-call.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;
/** Requests of earlier tests. */
let seen = 0;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  await gateway?.close();
});

const start = async (options: TestGatewayOptions = {}, integration: object = {}) => {
  gateway = await startOn(upstream.port, options, integration);
  seen = upstream.requests.length;
};

const sent = () => upstream.requests.slice(seen);

const post = (key: string, body: string, path = '/to/api/things') =>
  call(gateway, path, { method: 'POST', body, headers: { 'idempotency-key': key, 'content-type': 'text/plain' } });

describe('a call with an idempotency key', () => {
  test('is answered from the store when it comes again, byte for byte, and sent once', async () => {
    await start();
    let count = 0;
    upstream.answerWith((_request, response) => {
      count += 1;
      response.writeHead(201, { 'x-made': String(count), 'set-cookie': 'a=b' }).end(`made ${count}`);
    });
    const first = await post('k-1', 'a');
    const again = await post('"k-1"', 'a');
    expect([first.status, first.text, first.headers['postern-idempotency']]).toEqual([201, 'made 1', 'stored']);
    expect([again.status, again.text, again.headers['postern-idempotency']]).toEqual([201, 'made 1', 'replayed']);
    expect(again.headers['x-made']).toBe('1');
    expect(again.headers).not.toHaveProperty('set-cookie');
    expect(sent()).toHaveLength(1);
    expect(sent()[0]?.headers).not.toHaveProperty('idempotency-key');
    const replayed = await gateway.entries({ type: 'replayed' });
    expect(replayed).toHaveLength(1);
    expect(replayed[0]).toMatchObject({ requestId: again.headers['postern-request-id'], status: 201 });
  });

  test('is refused when another call comes under it', async () => {
    await start();
    await post('k-1', 'a');
    expect((await post('k-1', 'b')).json()).toMatchObject({ status: 422, code: 'idempotency_key_mismatch' });
    expect((await post('k-1', 'a', '/to/api/others')).json()).toMatchObject({ code: 'idempotency_key_mismatch' });
    expect(sent()).toHaveLength(1);
  });

  test('is sent once when two hundred come at once', async () => {
    await start();
    upstream.answerWith((_request, response) => void setTimeout(() => response.end('done'), 50));
    const answers = await Promise.all(Array.from({ length: 200 }, () => post('k-1', 'a')));
    const codes = answers.map((answer) => (answer.status === 200 ? answer.text : answer.json().code));
    expect(new Set(codes)).toEqual(new Set(['done', 'in_flight']));
    expect(sent()).toHaveLength(1);
    expect((await post('k-1', 'a')).text).toBe('done');
  });

  test('is unknown, and not sent again, when the upstream broke off after it was sent', async () => {
    await start({}, { retry: { attempts: 1 } });
    upstream.answerWith((_request, response) => void response.destroy());
    expect((await post('k-1', 'a')).json()).toMatchObject({ code: 'upstream_reset' });
    upstream.answerWith((_request, response) => void response.end('late'));
    expect((await post('k-1', 'a')).json()).toMatchObject({ status: 409, code: 'outcome_unknown' });
    expect(sent()).toHaveLength(1);
  });

  test('is free again when nothing was sent, and after a 429', async () => {
    await start();
    upstream.answerWith((_request, response) => void response.writeHead(429).end('slow'));
    expect((await post('k-1', 'a')).status).toBe(429);
    upstream.answerWith((_request, response) => void response.end('done'));
    expect((await post('k-1', 'a')).text).toBe('done');
    expect(sent()).toHaveLength(2);
  });

  test('whose caller leaves is read to its end and kept', async () => {
    await start();
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('first ');
      arrive();
      void left.then(() => response.end('last'));
    });
    const gone = new AbortController();
    const request = fetch(`${gateway.url}/to/api/things`, {
      method: 'POST',
      body: 'a',
      headers: { 'postern-key': gateway.key, 'idempotency-key': 'k-1', 'content-type': 'text/plain', accept: '*/*' },
      signal: gone.signal,
    }).then((answer) => answer.text());
    await arrived;
    gone.abort();
    await expect(request).rejects.toThrow();
    leave();
    await gateway.waitForCalls(1);
    expect(gateway.calls[0]).toMatchObject({ status: 200, code: undefined });
    const outcomes = await gateway.entries({ type: 'outcome' });
    expect(outcomes[0]).toMatchObject({ result: 'done', status: 200 });
  });

  test('over the replay limit is not made again', async () => {
    await start();
    upstream.answerWith((_request, response) => void response.end(Buffer.alloc(1_048_577, 'x')));
    expect((await post('k-1', 'a')).status).toBe(200);
    expect((await post('k-1', 'a')).json()).toMatchObject({ status: 409, code: 'replay_unavailable' });
    expect(sent()).toHaveLength(1);
  });

  test.each<[string, string]>([
    ['nothing', ''],
    ['a space', 'a b'],
    ['256 characters', 'k'.repeat(256)],
    ['a broken string', '"abc'],
  ])('of %s is refused', async (_what, key) => {
    await start();
    expect((await post(key, 'a')).json()).toMatchObject({ status: 400, code: 'malformed_request' });
    expect(sent()).toHaveLength(0);
  });

  test('is asked for where the integration demands one', async () => {
    await start({}, { idempotency: { required: ['POST'] } });
    const answer = await call(gateway, '/to/api/things', { method: 'POST', body: 'a' });
    expect(answer.json()).toMatchObject({ status: 400, code: 'idempotency_key_required' });
    expect((await call(gateway, '/to/api/things')).status).toBe(200);
    expect((await post('k'.repeat(255), 'a')).status).toBe(200);
  });

  test('gives an upstream that honours keys one of its own, the same for every attempt and re-send', async () => {
    await start(
      {},
      { idempotency: { upstreamHeader: 'Idempotency-Key' }, retry: { attempts: 3, baseMs: 1, maxMs: 2 } },
    );
    let count = 0;
    upstream.answerWith((_request, response) => {
      count += 1;
      if (count < 3) response.destroy();
      else response.end('done');
    });
    expect((await post('k-1', 'a')).text).toBe('done');
    const keys = sent().map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});
