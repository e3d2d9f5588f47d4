import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { CallJournal } from '@postern/db/ports';
import { answerEcho, startRawUpstream, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { begin, call, openRaw, type RawConnection } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from '../gateway.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;
/** Runs when an intent has become durable, before its call goes on. */
let afterIntent: () => Promise<unknown> = async () => undefined;

beforeAll(async () => {
  upstream = await startUpstream();
  const wrapJournal = (journal: CallJournal): CallJournal => ({
    ...journal,
    commitIntent: async (draft) => {
      await journal.commitIntent(draft);
      await afterIntent();
    },
  });
  const limits = { responseBytes: 100_000_000, streamBytes: 1_000 };
  gateway = await startTestGateway({
    wrapJournal,
    integrations: [{ name: 'api', baseUrl: `${upstream.url}/v1`, network: LOOPBACK, limits }],
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

let sentBefore: number;
let endedBefore: number;
beforeEach(() => {
  sentBefore = upstream.requests.length;
  endedBefore = gateway.calls.length;
});
afterEach(() => {
  upstream.answerWith(answerEcho);
  afterIntent = async () => undefined;
});

const request = (method = 'GET', version = '1.1') =>
  `${method} /to/api/x HTTP/${version}\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\n\r\n`;

/** The outcome of the call that ended last, once it has ended. */
async function lastOutcome() {
  await gateway.waitForCalls(endedBefore + 1);
  const requestId = gateway.calls.at(-1)?.requestId ?? '';
  const entries = await gateway.entries({ requestId });
  expect(entries.map(({ type }) => type)).toEqual(['intent', 'outcome']);
  return entries[1];
}

describe('framing', () => {
  test('an announced length is kept, to the byte', async () => {
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'content-length': 100_003 });
      response.write('a'.repeat(50_000));
      response.write('b'.repeat(50_000));
      response.end('end');
    });
    using connection = await openRaw(gateway.port);
    connection.write(request());
    const answer = await connection.read();
    expect(answer.headers['content-length']).toBe('100003');
    expect(answer.headers['transfer-encoding']).toBeUndefined();
    expect(answer.text).toBe(`${'a'.repeat(50_000)}${'b'.repeat(50_000)}end`);
    connection.write(request());
    expect((await connection.read()).status).toBe(200);
  });

  test('a body of no announced length is chunked, and taken apart to its end by HTTP/1.0', async () => {
    upstream.answerWith((_request, response) => {
      response.write('one');
      response.end('two');
    });
    using connection = await openRaw(gateway.port);
    connection.write(request());
    const answer = await connection.read();
    expect(answer.headers['transfer-encoding']).toBe('chunked');
    expect(answer.text).toBe('onetwo');
    using old = await openRaw(gateway.port);
    old.write(request('GET', '1.0'));
    const text = (await old.rest).toString('latin1');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).not.toMatch(/transfer-encoding/i);
    expect(text.endsWith('\r\n\r\nonetwo')).toBe(true);
  });

  test('an empty body is an empty body', async () => {
    upstream.answerWith((_request, response) => void response.writeHead(200, { 'content-length': 0 }).end());
    using connection = await openRaw(gateway.port);
    connection.write(request());
    expect((await connection.read()).body.byteLength).toBe(0);
    expect(await lastOutcome()).toMatchObject({ result: 'done', status: 200 });
  });

  test('HEAD keeps the length and has no body', async () => {
    upstream.answerWith((_request, response) => void response.writeHead(200, { 'content-length': 1_000 }).end());
    using connection = await openRaw(gateway.port);
    connection.write(request('HEAD'));
    expect((await connection.read('HEAD')).headers['content-length']).toBe('1000');
    connection.write(request('HEAD'));
    expect((await connection.read('HEAD')).status).toBe(200);
  });

  test.each([204, 304])('%i has no body, and the connection goes on', async (status) => {
    upstream.answerWith((_request, response) => void response.writeHead(status, { etag: '"1"' }).end());
    using connection = await openRaw(gateway.port);
    for (const _ of [1, 2]) {
      connection.write(request());
      const answer = await connection.read();
      expect(answer.status).toBe(status);
      expect(answer.headers['etag']).toBe('"1"');
    }
  });

  test('interim answers of the upstream stay behind', async () => {
    upstream.answerWith((_request, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.end('x');
    });
    using connection = await openRaw(gateway.port);
    connection.write(request());
    expect((await connection.read()).status).toBe(200);
  });
});

describe('headers', () => {
  test('pass in order and repeated, less those that no response may carry', async () => {
    upstream.answerWith((_request, response) => {
      const fields = ['X-B', '1', 'X-A', '2', 'x-b', '3', 'ETag', '"x"', 'Set-Cookie', 'a=b', 'set-cookie', 'c=d'];
      const refused = ['Alt-Svc', 'h3', 'Refresh', '1', 'Strict-Transport-Security', '1', 'Clear-Site-Data', '"*"'];
      const ours = [
        'Postern-Request-Id',
        'forged',
        'Postern-Any',
        '1',
        'Proxy-Authenticate',
        'Basic',
        'Authentication-Info',
        'x',
      ];
      const hop = ['Connection', 'X-Hop, keep-alive', 'X-Hop', '1', 'Keep-Alive', 'timeout=1'];
      response.writeHead(200, [...fields, ...refused, ...ours, ...hop]).end();
    });
    using connection = await openRaw(gateway.port);
    connection.write(request());
    const { headers } = await connection.read();
    expect(headers).toMatchObject({ 'x-b': '1, 3', 'x-a': '2', etag: '"x"' });
    expect(headers['postern-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    const names = Object.keys(headers).filter((name) =>
      /cookie|alt-svc|refresh|transport|site-data|any|proxy|info|hop/.test(name),
    );
    expect(names).toEqual([]);
    expect(headers['keep-alive']).toBe('timeout=65');
  });

  test('a key for one dispatch is answered with what it came to, whatever its letters', async () => {
    expect((await call(gateway, '/to/api/x')).headers['postern-idempotency']).toBeUndefined();
    const answer = await call(gateway, '/to/api/x', { headers: { 'IDEMPOTENCY-key': 'k' } });
    expect(answer.headers['postern-idempotency']).toBe('stored');
    const refused = await call(gateway, '/to/none/x', { headers: { 'idempotency-key': 'k' } });
    expect(refused.headers['postern-idempotency']).toBe('none');
    expect(upstream.requests.at(-1)?.headers['idempotency-key']).toBeUndefined();
  });

  test.each<[string, string]>([
    ['/v1/next?page=2', '/to/api/next?page=2'],
    ['next', '/to/api/next'],
    ['?page=2', '/to/api/x?page=2'],
    ['{base}/v1', '/to/api'],
    ['{base}/v1/a#b', '/to/api/a#b'],
  ])('a redirect to %s leads to %s of the gateway', async (location, expected) => {
    upstream.answerWith((_request, response) => {
      response.writeHead(307, { location: location.replace('{base}', upstream.url) }).end();
    });
    const answer = await call(gateway, '/to/api/x');
    expect(answer.status).toBe(307);
    expect(answer.headers['location']).toBe(`${gateway.url}${expected}`);
  });

  test.each([
    '/elsewhere',
    '{base}/v1evil',
    '{base}/v1/../x',
    '//evil.test/v1/x',
    'https://evil.test/v1',
    '/v1/%2e%2e/x',
    '/v1/..%2fx',
    'javascript:alert(1)',
    '\\\\evil.test/v1',
  ])('a redirect to %s is refused', async (location) => {
    upstream.answerWith((_request, response) => {
      response.writeHead(302, { location: location.replace('{base}', upstream.url) }).end();
    });
    const answer = await call(gateway, '/to/api/x');
    expect(answer.problem()).toMatchObject({ status: 502, code: 'redirect_refused' });
    expect(answer.headers['location']).toBeUndefined();
    expect(answer.text).not.toContain('evil');
    expect(upstream.requests.length).toBe(sentBefore + 1);
  });
});

describe('event streams', () => {
  const STREAM = { 'content-type': 'text/event-stream' };

  /** Lets the test hold the upstream's answer. */
  function holdAnswer(): Promise<ServerResponse> {
    return new Promise((resolve) => {
      upstream.answerWith((_request, response) => resolve(response));
    });
  }

  test('the head passes before the first event, each event before the next', async () => {
    const held = holdAnswer();
    using connection = await openRaw(gateway.port);
    connection.write(request());
    const response = await held;
    response.writeHead(200, STREAM).flushHeaders();
    await connection.received((text) => text.includes('content-type: text/event-stream'));
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      response.write(event);
      await connection.received((text) => text.includes(event));
    }
    response.end();
    expect((await connection.read()).text).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\n');
  });

  test('one that outgrows its limit is cut without an end', async () => {
    upstream.answerWith((_request, response) => {
      response.writeHead(200, STREAM);
      response.write('x'.repeat(1_000));
      response.end('y');
    });
    await expect(call(gateway, '/to/api/x')).rejects.toThrow();
    expect(await lastOutcome()).toMatchObject({ result: 'failed', status: 200, code: 'response_too_large' });
  });

  test('one that breaks off is cut without an end', async () => {
    const held = holdAnswer();
    using connection = await openRaw(gateway.port);
    connection.write(request());
    const response = await held;
    response.writeHead(200, STREAM).write('data: 1\n\n');
    await connection.received((text) => text.includes('data: 1'));
    response.destroy();
    expect((await connection.rest).toString('latin1')).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(await lastOutcome()).toMatchObject({ result: 'failed', code: 'upstream_reset' });
  });
});

describe('a slow client', () => {
  const PIECE = Buffer.alloc(65_536, 'postern ');
  const PIECES = 800;

  /** 50 MiB as fast as they are taken; `state.written` counts the pieces. */
  function pour(): { written: number } {
    const state = { written: 0 };
    upstream.answerWith(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      for (; state.written < PIECES; state.written += 1) {
        if (!response.write(PIECE)) await once(response, 'drain');
      }
      response.end();
    });
    return state;
  }

  /** Resolves when `read` has given the same value a few times running. */
  async function settled(read: () => number): Promise<number> {
    let last = -1;
    let times = 0;
    await vi.waitFor(
      () => {
        times = read() === last ? times + 1 : 0;
        last = read();
        if (times < 5 || last === 0) throw new Error('still moving');
      },
      { timeout: 10_000, interval: 20 },
    );
    return last;
  }

  test('holds the upstream back instead of filling memory, and gets every byte in the end', async () => {
    const state = pour();
    const memoryBefore = process.memoryUsage().arrayBuffers;
    const response = await begin(gateway, '/to/api/x', {});
    // What the kernel's buffers take is taken; the rest waits in the upstream.
    const written = await settled(() => state.written);
    expect(written).toBeLessThan(PIECES - 100);
    expect(process.memoryUsage().arrayBuffers - memoryBefore).toBeLessThan(16_777_216);
    const hash = createHash('sha256');
    for await (const chunk of response) hash.update(chunk as Buffer);
    const expected = createHash('sha256');
    for (let i = 0; i < PIECES; i += 1) expected.update(PIECE);
    expect(hash.digest('hex')).toBe(expected.digest('hex'));
    expect(await lastOutcome()).toMatchObject({ result: 'done', status: 200 });
  });

  test('that leaves lets the upstream go', async () => {
    const state = pour();
    const response = await begin(gateway, '/to/api/x', {});
    await settled(() => state.written);
    const open = upstream.openConnections;
    response.destroy();
    expect(await lastOutcome()).toMatchObject({ result: 'failed', status: 200, code: 'client_gone' });
    await vi.waitFor(() => expect(upstream.openConnections).toBe(open - 1));
    expect(state.written).toBeLessThan(PIECES);
  });
});

describe('a client that leaves', () => {
  test('before the answer: the upstream is let go, and nobody knows the effect', async () => {
    upstream.answerWith(() => undefined);
    using connection = await openRaw(gateway.port);
    connection.write(request());
    await upstream.waitForRequests(sentBefore + 1);
    const open = upstream.openConnections;
    connection.socket.destroy();
    expect(await lastOutcome()).toMatchObject({ result: 'unknown', code: 'client_gone' });
    await vi.waitFor(() => expect(upstream.openConnections).toBe(open - 1));
  });

  test('before the call was sent: it is not sent, though a warm connection waits', async () => {
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    expect(upstream.openConnections).toBeGreaterThan(0);
    [sentBefore, endedBefore] = [upstream.requests.length, gateway.calls.length];
    const accepted = once(gateway.server, 'connection') as Promise<[Socket]>;
    const connection: RawConnection = await openRaw(gateway.port);
    const [socket] = await accepted;
    afterIntent = async () => {
      connection.socket.destroy();
      await once(socket, 'close');
    };
    connection.write(request('POST'));
    expect(await lastOutcome()).toMatchObject({ result: 'not_sent', code: 'client_gone' });
    expect(upstream.requests.length).toBe(sentBefore);
  });
});

describe('an upstream that breaks off', () => {
  test.each([
    ['in the middle of an announced body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'],
    ['between two chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['in the middle of a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\nhalf'],
    ['with a chunk that is none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
  ])('%s is passed on as a cut, never as an end', async (_what, bytes) => {
    await using broken = await startRawUpstream((socket) => {
      socket.once('data', () => socket.end(bytes));
    });
    await using other = await startTestGateway({
      integrations: [{ name: 'api', baseUrl: broken.url, network: LOOPBACK }],
    });
    using connection = await openRaw(other.port);
    connection.write(`GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${other.key}\r\n\r\n`);
    await expect(connection.read()).rejects.toThrow('ended in the middle');
    await other.waitForCalls(1);
    expect((await other.entries({ type: 'outcome' }))[0]).toMatchObject({
      result: 'failed',
      status: 200,
      code: 'upstream_reset',
    });
  });
});
