import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mapUpstreamError } from './map-upstream-error.ts';
import { ProxyRefusal } from './proxy-refusal.ts';
import { type ProxyAnswer, proxyRequest } from './proxy-request.ts';
import { answers, type RawUpstream, startRawUpstream } from './raw-upstream.test-support.ts';
import { createUpstreamClient, type UpstreamClient, type UpstreamClientOptions } from './upstream-client.ts';
import type { UpstreamConfig } from './upstream-config.ts';
import { UpstreamFailure } from './upstream-failure.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const loopback = { unsafeAllowAddresses: ['127.0.0.0/8'] };

interface Setting {
  readonly upstream: RawUpstream;
  readonly client: UpstreamClient;
}

async function setUp(
  onRequest: (socket: Socket, head: string) => void,
  config: Partial<UpstreamConfig> = {},
  options: UpstreamClientOptions = {},
): Promise<Setting> {
  const upstream = await startRawUpstream(onRequest);
  const client = createUpstreamClient(
    { name: 'demo', baseUrl: `http://upstream.test:${upstream.port}/v1`, network: loopback, ...config },
    { resolve: async () => ({ addresses: ['127.0.0.1'] }), ...options },
  );
  onTestFinished(async () => {
    await client.lane.transport.destroy();
    await upstream.close();
  });
  return { upstream, client };
}

async function bodyOf(answer: ProxyAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

describe('a call', () => {
  test('is tried again when the provider says in its own way when to come back', async () => {
    let requests = 0;
    const limited = 'HTTP/1.1 403 X\r\nx-remaining: 0\r\nx-wait: 1ms\r\ncontent-length: 2\r\n\r\nno';
    const { client } = await setUp(
      (socket) => {
        requests += 1;
        socket.write(requests === 1 ? limited : OK);
      },
      {
        limitSignals: [
          {
            statuses: [403],
            when: { header: 'x-remaining', equals: '0' },
            wait: { header: 'x-wait', as: 'duration' },
          },
        ],
      },
    );
    expect(await proxyRequest({}, client, { method: 'GET', path: '/' })).toMatchObject({ status: 200, attempts: 2 });
  });

  test('goes to the judged address below the base path and comes back filtered', async () => {
    const text =
      'HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nSet-Cookie: a=b\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 5\r\n\r\nhello';
    const { upstream, client } = await setUp(answers(text));
    const answer = await proxyRequest({ requestId: 'req-1' }, client, {
      method: 'POST',
      path: '/items',
      query: { q: 'a b', tag: ['x', 'y'] },
      headers: { Accept: 'text/plain', Authorization: 'Bearer pst_x', 'X-Request-Id': 'mine' },
      body: 'caf\u00e9',
    });
    expect(answer).toMatchObject({ status: 201, attempts: 1 });
    expect(answer.headers).toEqual({ 'content-type': 'text/plain', 'x-a': '1, 2', 'content-length': '5' });
    expect(await bodyOf(answer)).toBe('hello');
    expect(upstream.received).toBe(
      `POST /v1/items?q=a+b&tag=x&tag=y HTTP/1.1\r\nhost: upstream.test:${upstream.port}\r\nconnection: keep-alive\r\n` +
        'Accept: text/plain\r\nx-request-id: req-1\r\ncontent-length: 5\r\n\r\ncaf\u00c3\u00a9',
    );
  });

  test('streams its request body', async () => {
    const { upstream, client } = await setUp(() => {});
    async function* body() {
      yield Buffer.from('one');
      yield Buffer.from('two');
    }
    const pending = proxyRequest({}, client, { method: 'PUT', path: '/', body: body() });
    await upstream.heads(1);
    const socket = upstream.sockets[0] as Socket;
    while (!upstream.received.endsWith('0\r\n\r\n')) await once(socket, 'data');
    socket.write(OK);
    expect(await bodyOf(await pending)).toBe('ok');
    expect(upstream.received).toContain('3\r\none\r\n3\r\ntwo\r\n');
  });

  test('gets the upstream answer whatever its status', async () => {
    const { client } = await setUp(answers('HTTP/1.1 500 Oh\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n'));
    const answer = await proxyRequest({}, client, { method: 'GET', path: '/' });
    expect(answer).toMatchObject({ status: 500, headers: { 'retry-after': '1' }, attempts: 1 });
  });

  test('is tried again where that is allowed, says how often, and is equal each time', async () => {
    let requests = 0;
    const { upstream, client } = await setUp(
      (socket) => {
        requests += 1;
        if (requests < 3) socket.write('HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy');
        else socket.write(OK);
      },
      { retry: { baseMs: 1 } },
    );
    const answer = await proxyRequest({ requestId: 'req-1' }, client, {
      method: 'GET',
      path: '/a',
      headers: { 'x-a': '1' },
    });
    expect(answer).toMatchObject({ status: 200, attempts: 3 });
    expect(await bodyOf(answer)).toBe('ok');
    const [first, ...others] = upstream.received.split(/(?=GET )/);
    expect(first).toContain('x-request-id: req-1');
    expect(others).toEqual([first, first]);
  });

  test('that nobody may repeat gets its first answer, whatever key its client brought', async () => {
    const { upstream, client } = await setUp(
      answers('HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n'),
    );
    const answer = await proxyRequest({}, client, {
      method: 'POST',
      path: '/',
      headers: { 'idempotency-key': 'k-1' },
      body: 'x',
    });
    expect(answer).toMatchObject({ status: 503, attempts: 1 });
    expect(upstream.requests).toBe(1);
  });

  test('has its redirects rewritten into the gateway', async () => {
    const { client } = await setUp(
      answers('HTTP/1.1 302 Found\r\nlocation: /v1/b\r\ncontent-length: 0\r\n\r\n'),
      {},
      { redirectPrefix: 'http://gw/to/demo' },
    );
    const answer = await proxyRequest({}, client, { method: 'GET', path: '/a' });
    expect(answer.headers['location']).toBe('http://gw/to/demo/b');
  });
});

describe('a refusal before anything is sent', () => {
  test.each([
    ['a private address', ['10.0.0.1'], 'address_forbidden', 403],
    ['one private address among public ones', ['93.184.216.34', '10.0.0.1'], 'address_forbidden', 403],
    ['a metadata address', ['169.254.169.254'], 'address_forbidden', 403],
    ['a name without address', [], 'resolve_failed', 502],
  ])('for %s', async (_name, addresses, code, status) => {
    const { upstream, client } = await setUp(answers(OK), {}, { resolve: async () => ({ addresses }) });
    const call = proxyRequest({}, client, { method: 'GET', path: '/' });
    await expect(call).rejects.toMatchObject({ name: 'ProxyRefusal', code, status });
    expect(upstream.accepted).toBe(0);
  });

  test.each([
    ['/../admin'],
    ['/%2e%2e/admin'],
    ['/..%2fadmin'],
    ['/a\\b'],
    ['/a\tb'],
    ['/a#b'],
    ['items'],
    ['//evil.test/..//../../..'],
    [''],
  ])('for the path %j', async (path) => {
    const { upstream, client } = await setUp(answers(OK));
    const call = proxyRequest({}, client, { method: 'GET', path });
    await expect(call).rejects.toMatchObject({ code: 'target_invalid', status: 400 });
    expect(upstream.accepted).toBe(0);
  });

  test('for a body one byte over the limit, not for one at it', async () => {
    const { upstream, client } = await setUp(answers(OK), { limits: { requestBytes: 4 } });
    expect((await proxyRequest({}, client, { method: 'POST', path: '/', body: '1234' })).status).toBe(200);
    const over = proxyRequest({}, client, { method: 'POST', path: '/', body: '12345' });
    await expect(over).rejects.toMatchObject({ code: 'request_too_large', status: 413 });
    expect(upstream.received).not.toContain('12345');
  });
});

test('a streamed body over the limit ends the call before the byte over it is sent', async () => {
  const { upstream, client } = await setUp(() => {}, { limits: { requestBytes: 4 } });
  async function* body() {
    yield Buffer.from('1234');
    yield Buffer.from('5');
  }
  const call = proxyRequest({}, client, { method: 'POST', path: '/', body: body() });
  await expect(call).rejects.toBeInstanceOf(ProxyRefusal);
  await expect(call).rejects.toMatchObject({ code: 'request_too_large' });
  expect(upstream.received).not.toContain('\r\n5\r\n');
  expect(client.lane.inFlight).toBe(0);
});

describe('a failed call', () => {
  test('before the head rejects with the failure', async () => {
    const { client } = await setUp((socket) => socket.resetAndDestroy());
    const error = await proxyRequest({}, client, { method: 'GET', path: '/' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UpstreamFailure);
    expect(mapUpstreamError(error)).toEqual({ code: 'upstream_reset', status: 502, retryable: false });
  });

  test('within the body throws after the bytes that came', async () => {
    const { client } = await setUp((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
    const answer = await proxyRequest({}, client, { method: 'GET', path: '/' });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of answer.body) seen.push(Buffer.from(chunk).toString());
    })();
    await expect(reading).rejects.toMatchObject({ code: 'upstream_reset', headPassed: true });
    expect(seen.join('')).toBe('abc');
  });
});

describe('a reader', () => {
  test('that leaves early closes the connection', async () => {
    const { upstream, client } = await setUp((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'),
    );
    const answer = await proxyRequest({}, client, { method: 'GET', path: '/' });
    const closed = once(upstream.sockets[0] as Socket, 'close');
    for await (const chunk of answer.body) {
      expect(chunk.length).toBe(3);
      break;
    }
    await closed;
    expect(client.lane.inFlight).toBe(0);
  });

  test('that is slow holds the upstream back and gets every byte', async () => {
    const size = 8 * 1024 * 1024;
    const { upstream, client } = await setUp((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size, 'x'));
    });
    const answer = await proxyRequest({}, client, { method: 'GET', path: '/' });
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(upstream.sockets[0]?.writableLength).toBeGreaterThan(0);
    let bytes = 0;
    for await (const chunk of answer.body) bytes += chunk.length;
    expect(bytes).toBe(size);
  });
});

describe('a signal', () => {
  test('aborted before sends nothing', async () => {
    const { upstream, client } = await setUp(answers(OK));
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(proxyRequest({ signal }, client, { method: 'GET', path: '/' })).rejects.toThrow('gone');
    expect(upstream.accepted).toBe(0);
  });

  test('aborted while waiting closes the connection and rejects with its reason', async () => {
    const { upstream, client } = await setUp(() => {});
    const controller = new AbortController();
    const call = proxyRequest({ signal: controller.signal }, client, { method: 'GET', path: '/' });
    await upstream.heads(1);
    const closed = once(upstream.sockets[0] as Socket, 'close');
    controller.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    await closed;
    expect(client.lane.inFlight).toBe(0);
  });

  test('aborted within the body makes the body throw its reason', async () => {
    const { client } = await setUp((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
    const controller = new AbortController();
    const answer = await proxyRequest({ signal: controller.signal }, client, { method: 'GET', path: '/' });
    const reading = bodyOf(answer);
    controller.abort(new Error('gone'));
    await expect(reading).rejects.toThrow('gone');
  });
});
