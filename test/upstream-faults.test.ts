import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import {
  createCertificateAuthority,
  type RawUpstream,
  readRequestHead,
  startRawUpstream,
  startUpstream,
  type Upstream,
} from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { outcomeAt, outcomeOf } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const authority = createCertificateAuthority();
const strangers = createCertificateAuthority('Somebody else');

/** For an upstream that fails at every call: each call is to reach it, and once. */
const PERSISTENT = { retry: { attempts: 1 }, breaker: { failures: 1_000 } };

/** What the raw upstream does with the next connections. */
let behave: (socket: Socket, head: string) => void = () => undefined;

let raw: RawUpstream;
let secure: Upstream;
let gateway: RunningGateway;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

beforeAll(async () => {
  raw = await startRawUpstream(async (socket) => behave(socket, await readRequestHead(socket)));
  secure = await startUpstream({ tls: authority.issue(['127.0.0.1']) });
  const wrongName = secure.url.replace('127.0.0.1', '127.0.0.2');
  const integrations = [
    integration('raw', raw.url, { timeouts: { firstByteMs: 300, totalMs: 700, idleMs: 300 }, ...PERSISTENT }),
    integration('down', `http://127.0.0.1:${await freePort()}`),
    integration('single', raw.url, { limits: { concurrency: 1 } }),
    integration('secure', secure.url, { tls: { ca: authority.cert } }),
    integration('untrusted', secure.url),
    integration('other-ca', secure.url, { tls: { ca: strangers.cert } }),
    integration('other-name', wrongName, {
      tls: { ca: authority.cert },
      network: { unsafeAllowAddresses: ['127.0.0.0/8'] },
    }),
  ];
  const environment = { POSTERN_UNSAFE_ALLOW_ADDRESSES: '127.0.0.0/8' };
  gateway = await startGateway({ config: configOf([coder], integrations), environment });
});

afterAll(async () => {
  await gateway?.close();
  for (const server of [raw, secure]) await server?.close();
});

const headers = { 'postern-key': coder.key };
const get = (name: string) => call(gateway.dataUrl, `/to/${name}/x`, { headers });
const execute = (name: string) =>
  call(gateway.dataUrl, '/v1/execute', {
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ integration: name, request: { method: 'GET', path: '/x' } }),
  });

interface Expected {
  readonly status: number;
  readonly code: string;
  readonly retryable: boolean;
  readonly result: string;
}

/** Both ways in answer alike, the outcome is recorded, and nothing of the upstream's inside is told. */
async function expectFault(name: string, { result, ...problem }: Expected): Promise<void> {
  for (const send of [get, execute]) {
    const answer = await send(name);
    expect(answer.problem()).toMatchObject(problem);
    expect(answer.text).not.toMatch(/127\.0\.0|ECONN|UND_ERR|HPE_|CERT|undici/);
    const outcome = await outcomeOf(gateway, answer.problem().requestId);
    expect(outcome).toMatchObject({ result, code: problem.code, integration: name });
  }
}

describe('before the head of an answer', () => {
  const unavailable = { status: 502, code: 'upstream_unavailable', retryable: true, result: 'not_sent' };
  const reset = { status: 502, code: 'upstream_reset', retryable: false, result: 'unknown' };

  test('an upstream that is down', async () => {
    await expectFault('down', unavailable);
  });

  test.each(['untrusted', 'other-ca', 'other-name'])('a certificate that does not hold (%s)', async (name) => {
    await expectFault(name, unavailable);
    expect(secure.requests).toHaveLength(0);
  });

  test('a private authority that the integration names is trusted', async () => {
    expect((await get('secure')).status).toBe(200);
    expect(secure.requests).toHaveLength(1);
  });

  test('an upstream that says nothing', async () => {
    behave = () => undefined;
    await expectFault('raw', { status: 504, code: 'upstream_timeout', retryable: false, result: 'unknown' });
  });

  test.each<[string, (socket: Socket) => void]>([
    ['resets', (socket) => socket.resetAndDestroy()],
    ['closes', (socket) => socket.end()],
    ['closes within the head', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-')],
    ['speaks another protocol', (socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')],
    [
      'names two lengths',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
    ],
    [
      'codes its chunks further',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n'),
    ],
    [
      'codes its body after the chunks',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n1\r\na\r\n0\r\n\r\n'),
    ],
    [
      'names a length and chunks',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ],
  ])('an upstream that %s', async (_what, behaviour) => {
    behave = behaviour;
    await expectFault('raw', reset);
  });

  test('an upstream with an endless head', async () => {
    behave = (socket) => socket.end(`HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`);
    await expectFault('raw', { status: 502, code: 'response_too_large', retryable: false, result: 'failed' });
  });

  test('as many calls as the integration allows, and one more', async () => {
    const { promise: arrived, resolve } = Promise.withResolvers<Socket>();
    behave = resolve;
    const first = get('single');
    const socket = await arrived;
    for (const answer of [await get('single'), await execute('single')]) {
      expect(answer.problem()).toMatchObject({ status: 503, code: 'upstream_saturated', retryable: true });
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(answer.problem().retryAfterSeconds).toBe(Number(answer.headers['retry-after']));
      expect(await outcomeOf(gateway, answer.problem().requestId)).toMatchObject({ result: 'not_sent' });
    }
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect((await first).text).toBe('ok');
  });
});

describe('a gateway that stood still', () => {
  test('fails no call whose answer had arrived meanwhile', async () => {
    const { promise: arrived, resolve } = Promise.withResolvers<Socket>();
    behave = resolve;
    const calling = get('raw');
    const socket = await arrived;
    gateway.process.kill('SIGSTOP');
    try {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      // Longer than firstByteMs and totalMs; the bytes lie in the gateway's socket all the while.
      await new Promise((done) => setTimeout(done, 900));
    } finally {
      gateway.process.kill('SIGCONT');
    }
    expect((await calling).text).toBe('ok');
  });

  test('still fails a call whose answer had not arrived', async () => {
    const { promise: arrived, resolve } = Promise.withResolvers<Socket>();
    behave = resolve;
    const calling = get('raw');
    await arrived;
    gateway.process.kill('SIGSTOP');
    await new Promise((done) => setTimeout(done, 500));
    gateway.process.kill('SIGCONT');
    expect((await calling).problem()).toMatchObject({ status: 504, code: 'upstream_timeout' });
  });
});

describe('after the head of an answer the connection is cut, never a made-up end', () => {
  test.each<[string, string, (socket: Socket) => void]>([
    [
      'a reset in the middle of chunks',
      'upstream_reset',
      (socket) =>
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', () =>
          socket.resetAndDestroy(),
        ),
    ],
    [
      'an end without the last chunk',
      'upstream_reset',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    ],
    [
      'bad chunks',
      'upstream_reset',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n'),
    ],
    [
      'a body that is too short',
      'upstream_reset',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello'),
    ],
    [
      'a body that never ends',
      'upstream_timeout',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello'),
    ],
    [
      'an event stream that falls silent',
      'upstream_timeout',
      (socket) =>
        socket.write(
          'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n',
        ),
    ],
  ])('%s', async (what, code, behaviour) => {
    behave = behaviour;
    const path = `/${encodeURIComponent(what)}`;
    await expect(call(gateway.dataUrl, `/to/raw${path}`, { headers })).rejects.toThrow();
    expect(await outcomeAt(gateway, raw.url + path)).toMatchObject({ result: 'failed', status: 200, code });
    const answer = await execute('raw');
    expect(answer.problem().code).toBe(code);
  });

  test('a client of HTTP/1.0, for whom the end of the connection is the end of the body, gets a reset', async () => {
    behave = (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    const client = connect(Number(new URL(gateway.dataUrl).port), '127.0.0.1');
    client.resume();
    client.write(`GET /to/raw/old HTTP/1.0\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\n\r\n`);
    await expect(once(client, 'close')).rejects.toThrow('ECONNRESET');
  });

  test('a client that leaves ends the upstream call', async () => {
    const { promise: left, resolve } = Promise.withResolvers<void>();
    behave = (socket) => {
      socket.once('close', () => resolve());
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n');
    };
    const client = connect(Number(new URL(gateway.dataUrl).port), '127.0.0.1');
    client.write(`GET /to/single/leave HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\n\r\n`);
    await once(client, 'data');
    client.destroy();
    await left;
    expect(await outcomeAt(gateway, `${raw.url}/leave`)).toMatchObject({ code: 'client_gone', status: 200 });
  });

  test('what an upstream says without a length and ends by closing is whole', async () => {
    behave = (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nhello');
    expect((await get('raw')).text).toBe('hello');
  });

  test('an upstream’s own errors are passed on as they are', async () => {
    behave = (socket) => socket.end('HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy');
    const answer = await get('raw');
    expect([answer.status, answer.text, answer.headers['retry-after']]).toEqual([503, 'busy', '7']);
    expect(await outcomeOf(gateway, answer.headers['postern-request-id'])).toMatchObject({
      result: 'done',
      status: 503,
    });
  });
});
