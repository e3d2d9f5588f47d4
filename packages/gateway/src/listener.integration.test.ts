import { once } from 'node:events';
import { connect } from 'node:net';
import { answerEcho, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openRaw } from './client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from './gateway.fixture.ts';
import { stopListener } from './stop-listener.ts';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway({
    integrations: [{ name: 'api', baseUrl: upstream.url, network: LOOPBACK }],
    publicHost: 'gateway.test',
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

let sentBefore: number;
beforeEach(() => {
  sentBefore = upstream.requests.length;
});
const sent = () => upstream.requests.length - sentBefore;

const HOST = 'Host: localhost\r\n';
const key = () => `Postern-Key: ${gateway.key}\r\n`;
const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\n${HOST}${key()}${fields}\r\n`;
const post = (path: string, body: string, fields = '') =>
  `POST ${path} HTTP/1.1\r\n${HOST}${key()}content-length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`;
const many = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: 1\r\n`).join('');

/** What is refused although it is well-framed: the connection goes on, and the next answer belongs to the next request. */
const KEPT: readonly [what: string, bytes: () => string, status: number, code: string][] = [
  ['101 fields', () => `GET /to/api/x HTTP/1.1\r\n${HOST}${many(100)}\r\n`, 431, 'headers_too_large'],
  ['a URL over 8 KiB', () => get(`/to/api/${'a'.repeat(8_200)}`), 400, 'target_invalid'],
  ['two Hosts', () => get('/to/api/x', 'host: localhost\r\n'), 400, 'malformed_request'],
  ['a Host that is none', () => `GET /to/api/x HTTP/1.1\r\nHost: a/b\r\n${key()}\r\n`, 400, 'malformed_request'],
  ['no Host', () => `GET /to/api/x HTTP/1.1\r\n${key()}\r\n`, 400, 'malformed_request'],
  [
    'no Host beside an absolute target',
    () => `GET http://localhost/to/api/x HTTP/1.1\r\n${key()}\r\n`,
    400,
    'malformed_request',
  ],
  ['a foreign Host', () => `GET /to/api/x HTTP/1.1\r\nHost: evil.test\r\n${key()}\r\n`, 421, 'unknown_host'],
  [
    'a Host with a trailing dot',
    () => `GET /to/api/x HTTP/1.1\r\nHost: localhost.\r\n${key()}\r\n`,
    421,
    'unknown_host',
  ],
  ['another authority in the target', () => get('http://evil.test/to/api/x'), 421, 'unknown_host'],
  ['an asterisk', () => `OPTIONS * HTTP/1.1\r\n${HOST}${key()}\r\n`, 400, 'malformed_request'],
  ['an upgrade', () => get('/to/api/x', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), 501, 'upgrade_unsupported'],
  [
    'an upgrade to h2c and another',
    () => get('/to/api/x', 'Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n'),
    501,
    'upgrade_unsupported',
  ],
  ['our own Via', () => get('/to/api/x', 'Via: 1.1 a.test, 1.1 Postern-Test\r\n'), 403, 'address_forbidden'],
  ['another expectation', () => get('/to/api/x', 'Expect: tea\r\n'), 400, 'malformed_request'],
  ['no key', () => `GET /to/api/x HTTP/1.1\r\n${HOST}\r\n`, 401, 'unauthenticated'],
  ['an unknown integration', () => get('/to/nothing/x'), 404, 'unknown_integration'],
  ['an encoded name', () => get('/to/%61pi/x'), 404, 'unknown_integration'],
  ['a name in other letters', () => get('/to/API/x'), 404, 'unknown_integration'],
  ['two slashes first', () => get('//to/api/x'), 404, 'not_found'],
  ['no name', () => get('/to/'), 404, 'unknown_integration'],
  ['a path that leads out', () => get('/to/api/%2e%2e%2f..'), 400, 'target_invalid'],
  ['a fragment', () => get('/to/api/a#b'), 400, 'target_invalid'],
  ['TRACE', () => `TRACE /to/api/x HTTP/1.1\r\n${HOST}${key()}\r\n`, 405, 'method_not_allowed'],
  [
    'a method that a path does not take',
    () => `DELETE /v1/whoami HTTP/1.1\r\n${HOST}${key()}\r\n`,
    405,
    'method_not_allowed',
  ],
  ['a key in a header', () => get('/to/api/x', `Referer: http://a.test/?k=${gateway.key}\r\n`), 400, 'key_in_request'],
];

describe('refusals of well-framed requests', () => {
  test.each(KEPT)('%s', async (_what, bytes, status, code) => {
    using connection = await openRaw(gateway.port);
    connection.write(bytes());
    const answer = await connection.read();
    expect(answer.problem()).toMatchObject({ status, code });
    expect(answer.headers['postern-request-id']).toBe(answer.problem().requestId);
    expect(sent()).toBe(0);
    connection.write(get('/v1/whoami'));
    const next = await connection.read();
    expect(next.status).toBe(200);
    expect(next.json().agent).toBe('coder');
  });

  test('HEAD is refused with the head alone, and the connection stays in step', async () => {
    using connection = await openRaw(gateway.port);
    connection.write(`HEAD /nothing HTTP/1.1\r\n${HOST}\r\n`);
    const refused = await connection.read('HEAD');
    expect(refused.status).toBe(404);
    expect(Number(refused.headers['content-length'])).toBeGreaterThan(100);
    connection.write(get('/v1/whoami'));
    expect((await connection.read()).json().agent).toBe('coder');
  });
});

describe('what is answered although it looks odd', () => {
  test.each([
    ['a Host in other letters', () => `GET /to/api/x HTTP/1.1\r\nHost: LocalHost:1\r\n${key()}\r\n`],
    ['an IPv6 Host', () => `GET /to/api/x HTTP/1.1\r\nHost: [::1]:80\r\n${key()}\r\n`],
    ['the public host', () => `GET /to/api/x HTTP/1.1\r\nHost: gateway.test\r\n${key()}\r\n`],
    ['a target in absolute form', () => get('http://localhost:1/to/api/x')],
    ['an offer of h2c', () => get('/to/api/x', 'Connection: Upgrade\r\nUpgrade: h2c\r\n')],
    ['100 fields', () => `GET /to/api/x HTTP/1.1\r\n${HOST}${key()}${many(98)}\r\n`],
    ['two request ids', () => get('/to/api/x', 'X-Request-Id: a\r\nx-request-id: b\r\n')],
    ['a thousand query parameters', () => get(`/to/api/x?${'a=b&'.repeat(1_000)}`)],
    ['no path', () => get('/to/api')],
    ['a query alone', () => get('/to/api?x=1')],
  ])('%s', async (_what, bytes) => {
    using connection = await openRaw(gateway.port);
    connection.write(bytes());
    expect((await connection.read()).status).toBe(200);
    expect(sent()).toBe(1);
    expect(upstream.requests.at(-1)?.headers['host']).toBe(`127.0.0.1:${upstream.port}`);
  });
});

/** What leaves it open where the next request begins: answered once, and the connection ends. */
const CLOSED: readonly [what: string, bytes: () => string, status: number, code: string][] = [
  ['a body that nobody reads', () => post('/nothing', 'body of a refused call'), 404, 'not_found'],
  ['noise', () => 'hello\r\n\r\n', 400, 'malformed_request'],
  ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed_request'],
  ['a head over 32 KiB', () => get('/to/api/x', `X-Long: ${'a'.repeat(33_000)}\r\n`), 431, 'headers_too_large'],
  [
    'both framings',
    () => get('/to/api/x', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n') + '0\r\n\r\n',
    400,
    'malformed_request',
  ],
  [
    'two lengths',
    () => get('/to/api/x', 'Content-Length: 1\r\nContent-Length: 2\r\n') + 'ab',
    400,
    'malformed_request',
  ],
  ['a signed length', () => get('/to/api/x', 'Content-Length: +1\r\n') + 'a', 400, 'malformed_request'],
  ['an unknown transfer coding', () => get('/to/api/x', 'Transfer-Encoding: gzip\r\n'), 400, 'malformed_request'],
  ['a folded field', () => get('/to/api/x', 'X-A: 1\r\n folded\r\n'), 400, 'malformed_request'],
  ['a space before the colon', () => get('/to/api/x', 'X-A : 1\r\n'), 400, 'malformed_request'],
  [
    'a bad chunk',
    () => `POST /to/api/x HTTP/1.1\r\n${HOST}${key()}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    400,
    'malformed_request',
  ],
  ['more than 100-continue', () => get('/to/api/x', 'Expect: 100-continue, tea\r\n'), 400, 'malformed_request'],
  ['CONNECT', () => `CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n${key()}\r\n`, 405, 'method_not_allowed'],
  ['HTTP/1.0 without Host', () => `GET /to/api/x HTTP/1.0\r\n${key()}\r\n`, 400, 'malformed_request'],
  [
    'a body that was announced and is too long',
    () => `POST /to/api/x HTTP/1.1\r\n${HOST}${key()}Content-Length: 99999999\r\n\r\n`,
    413,
    'request_too_large',
  ],
];

describe('refusals after which the connection ends', () => {
  test.each(CLOSED)('%s', async (_what, bytes, status, code) => {
    using connection = await openRaw(gateway.port);
    connection.write(bytes());
    const answer = await connection.read();
    expect(answer.problem()).toMatchObject({ status, code });
    expect(answer.headers['connection']).toBe('close');
    expect(answer.headers['postern-request-id']).toBe(answer.problem().requestId);
    // Who is in the middle of a body gets time to send it.
    if (code === 'request_too_large') connection.socket.end();
    expect((await connection.rest).toString('latin1')).toBe('');
    expect(sent()).toBe(0);
  });

  test('an expectation of 100-continue is met only when the body is wanted', async () => {
    using connection = await openRaw(gateway.port);
    const head = (path: string) =>
      `POST ${path} HTTP/1.1\r\n${HOST}${key()}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`;
    connection.write(head('/to/api/x'));
    expect((await connection.read()).status).toBe(100);
    connection.write('body');
    expect((await connection.read()).json().body).toBe('body');
    connection.write(head('/to/nothing/x'));
    const refused = await connection.read();
    expect(refused.problem().code).toBe('unknown_integration');
    expect(refused.headers['connection']).toBe('close');
  });

  test('a head that does not come is 408', async () => {
    gateway.server.headersTimeout = 100;
    try {
      using connection = await openRaw(gateway.port);
      connection.write('GET /to/api/x HTTP/1.1\r\nHost: loc');
      const answer = await connection.read();
      expect(answer.problem()).toMatchObject({ status: 408, code: 'request_timeout' });
      expect(answer.headers['connection']).toBe('close');
    } finally {
      gateway.server.headersTimeout = 10_000;
    }
  });
});

describe('clients that do not go by themselves', () => {
  test.each([
    ['CONNECT', () => `CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n`],
    ['noise', () => 'hello\r\n\r\n'],
  ])('a refused client that keeps its side open does not hold up a stop: %s', async (_what, bytes) => {
    await using other = await startTestGateway();
    using connection = await openRaw(other.port);
    connection.write(bytes());
    await connection.read();
    await stopListener(other.server, 50);
    expect(other.server.listening).toBe(false);
  });

  test('clients that reset after CONNECT harm nobody', async () => {
    for (let round = 0; round < 50; round += 1) {
      const socket = connect(gateway.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(`CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n`);
      socket.resetAndDestroy();
      await once(socket, 'close');
    }
    using connection = await openRaw(gateway.port);
    connection.write(get('/v1/whoami'));
    expect((await connection.read()).status).toBe(200);
  });

  test.each([
    ['a body too long', () => `POST /to/api/x HTTP/1.1\r\n${HOST}${key()}Content-Length: 16777216\r\n\r\n`, 413],
    ['a head too long', () => get('/to/api/x', `X-Long: ${'a'.repeat(33_000)}\r\n`), 431],
    ['CONNECT', () => `CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n`, 405],
  ])('a client that first sends all it has still reads the refusal: %s', async (_what, bytes, status) => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.pause();
    await once(socket, 'connect');
    socket.write(bytes(), 'latin1');
    for (let i = 0; i < 256; i += 1) {
      if (!socket.write(Buffer.alloc(65_536))) await once(socket, 'drain');
    }
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString('latin1')).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe('pipelined requests', () => {
  test('are answered in their order', async () => {
    using connection = await openRaw(gateway.port);
    connection.write(get('/to/api/one') + get('/nothing') + post('/to/api/two', 'body') + get('/v1/whoami'));
    expect((await connection.read()).json().url).toBe('/one');
    expect((await connection.read()).problem().code).toBe('not_found');
    expect((await connection.read()).json()).toMatchObject({ url: '/two', body: 'body' });
    expect((await connection.read()).json().agent).toBe('coder');
  });

  test.each<[string, () => string, RegExp]>([
    ['noise', () => 'hello\r\n\r\n', /^HTTP\/1\.1 400 .*"code":"malformed_request"/s],
    ['CONNECT', () => 'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', /^HTTP\/1\.1 405 /],
    ['a head too long', () => get('/to/api/x', `X-Long: ${'a'.repeat(33_000)}\r\n`), /^HTTP\/1\.1 431 /],
    ['a bad length', () => get('/to/api/x', 'Content-Length: -1\r\n'), /^HTTP\/1\.1 400 /],
  ])('%s behind a call is refused after that call was answered', async (_what, noise, refusal) => {
    const release = Promise.withResolvers<void>();
    upstream.answerWith(async (_request, response) => {
      await release.promise;
      response.end('late');
    });
    try {
      using connection = await openRaw(gateway.port);
      connection.write(get('/to/api/x'));
      await upstream.waitForRequests(sentBefore + 1);
      connection.write(noise());
      connection.write('more of it\r\n\r\n');
      await connection.idle();
      release.resolve();
      expect((await connection.read()).text).toBe('late');
      expect((await connection.rest).toString('latin1')).toMatch(refusal);
      expect(sent()).toBe(1);
    } finally {
      release.resolve();
      upstream.answerWith(answerEcho);
    }
  });

  test('a request behind the announced last one is passed over, and the answer of the last one comes', async () => {
    using connection = await openRaw(gateway.port);
    connection.write(get('/to/api/last', 'Connection: close\r\n') + get('/to/api/over'));
    const answer = await connection.read();
    expect(answer.json().url).toBe('/last');
    expect(answer.headers['connection']).toBe('close');
    expect((await connection.rest).toString('latin1')).toBe('');
    expect(sent()).toBe(1);
  });

  test('noise behind a call does not get into its answer', async () => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    upstream.answerWith(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
      await over;
      response.end('data: 2\n\n');
    });
    try {
      using connection = await openRaw(gateway.port);
      connection.write(get('/to/api/x'));
      await connection.received((text) => text.includes('data: 1'));
      connection.write('hello\r\n\r\n');
      await connection.idle();
      end();
      expect((await connection.read()).text).toBe('data: 1\n\ndata: 2\n\n');
      expect((await connection.rest).toString('latin1')).toMatch(/^HTTP\/1\.1 400 /);
    } finally {
      end();
      upstream.answerWith(answerEcho);
    }
  });

  test('a body that breaks off behind a call is refused in its turn', async () => {
    const release = Promise.withResolvers<void>();
    upstream.answerWith(async (_request, response) => {
      await release.promise;
      response.end('late');
    });
    try {
      using connection = await openRaw(gateway.port);
      connection.write(get('/to/api/x'));
      await upstream.waitForRequests(sentBefore + 1);
      connection.write(`POST /to/api/y HTTP/1.1\r\n${HOST}${key()}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n`);
      await connection.idle();
      release.resolve();
      expect((await connection.read()).text).toBe('late');
      expect((await connection.read()).problem()).toMatchObject({ status: 400, code: 'malformed_request' });
      expect((await connection.rest).toString('latin1')).toBe('');
      expect(sent()).toBe(1);
    } finally {
      release.resolve();
      upstream.answerWith(answerEcho);
    }
  });

  test('a client that sends without end and never waits is cut, and no call of its is lost to another', async () => {
    const release = Promise.withResolvers<void>();
    upstream.answerWith(async (_request, response) => {
      await release.promise;
      response.end('late');
    });
    try {
      using connection = await openRaw(gateway.port);
      connection.write(get('/to/api/x').repeat(101));
      await upstream.waitForRequests(sentBefore + 1);
      await connection.idle();
      expect(connection.isClosed()).toBe(false);
      connection.write(get('/to/api/x'));
      expect((await connection.rest).toString('latin1')).toBe('');
      expect(sent()).toBe(1);
    } finally {
      release.resolve();
      upstream.answerWith(answerEcho);
    }
  });

  test('of a client that leaves, those still waiting are not sent', async () => {
    const release = Promise.withResolvers<void>();
    upstream.answerWith(async (_request, response) => {
      await release.promise;
      response.end('x'.repeat(1_048_576));
    });
    const ended = gateway.calls.length;
    try {
      using connection = await openRaw(gateway.port);
      connection.write(get('/to/api/first') + get('/to/api/second') + get('/to/api/third'));
      await upstream.waitForRequests(sentBefore + 1);
      connection.socket.destroy();
      await gateway.waitForCalls(ended + 1);
      release.resolve();
      await gateway.entries();
      expect(gateway.calls.at(-1)).toMatchObject({ code: 'client_gone' });
      expect(sent()).toBe(1);
    } finally {
      release.resolve();
      upstream.answerWith(answerEcho);
    }
  });
});
