import { openRawConnection, type RawConnection, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/**
 * Ways to make two readers of one connection disagree about where a request ends. Each is sent as an attacker would, with a second
 * request behind or inside the doubtful part, and nothing of it may reach the upstream.
 */
const coder = newAgent('coder');

let upstream: Upstream;
let gateway: RunningGateway;
let port: number;
let sentBefore: number;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ config: configOf([coder], [integration('api', upstream.url)]) });
  port = Number(new URL(gateway.dataUrl).port);
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

beforeEach(() => {
  sentBefore = upstream.requests.length;
});

/** Whatever was tried, the gateway goes on serving, and nothing of it lies about for the next client. */
afterEach(async () => {
  const before = upstream.requests.length;
  const answer = await call(gateway.dataUrl, '/to/api/canary', { headers: { 'postern-key': coder.key } });
  expect([answer.status, answer.json().url]).toEqual([200, '/canary']);
  expect(upstream.requests.length).toBe(before + 1);
});

const sent = () => upstream.requests.slice(sentBefore).map(({ url }) => url);
const HOST = 'Host: localhost\r\n';
const KEY = `Postern-Key: ${coder.key}\r\n`;
const SMUGGLED = `GET /to/api/smuggled HTTP/1.1\r\n${HOST}${KEY}\r\n`;
const post = (fields: string, body: string) => `POST /to/api/x HTTP/1.1\r\n${HOST}${KEY}${fields}\r\n${body}`;
const CHUNKS = '3\r\nabc\r\n0\r\n\r\n';

async function open(bytes: string): Promise<RawConnection> {
  const connection = await openRawConnection(port);
  connection.write(bytes);
  return connection;
}

async function expectRefused(bytes: string): Promise<void> {
  using connection = await open(bytes);
  const answer = await connection.read();
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body.toString()).code).toBe('malformed_request');
  expect(answer.headers['connection']).toBe('close');
  expect((await connection.rest).toString('latin1')).toBe('');
  expect(sent()).toEqual([]);
}

describe('a length beside a transfer coding', () => {
  test.each([
    ['the length first', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', CHUNKS],
    ['the coding first', 'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', CHUNKS],
    ['a length of the whole', `Content-Length: ${CHUNKS.length}\r\nTransfer-Encoding: chunked\r\n`, CHUNKS],
    ['a length that covers a second request', 'Transfer-Encoding: chunked\r\nContent-Length: 200\r\n', '0\r\n\r\n'],
    ['an unknown coding', 'Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n', 'abc'],
    ['an empty coding', 'Content-Length: 3\r\nTransfer-Encoding:\r\n', 'abc'],
    ['a coding in the trailers', 'Transfer-Encoding: chunked\r\n', '0\r\nTransfer-Encoding: identity\r\n\r\n'],
    ['a length in the trailers', 'Transfer-Encoding: chunked\r\n', '0\r\nContent-Length: 50\r\n\r\n'],
  ])('%s', async (_what, fields, body) => {
    await expectRefused(post(fields, body) + SMUGGLED);
  });

  test('a length spelled with an underscore is no framing, and does not pass', async () => {
    using connection = await open(post('Content_Length: 0\r\nTransfer-Encoding: chunked\r\n', CHUNKS));
    expect(JSON.parse((await connection.read()).body.toString()).body).toBe('abc');
    expect(Object.keys(upstream.requests.at(-1)?.headers ?? {})).not.toContain('content_length');
  });
});

describe('a transfer coding that is not chunked, and nothing else', () => {
  test.each([
    'xchunked',
    'chunked-false',
    'identity',
    'gzip',
    'gzip, chunked',
    'identity, chunked',
    'chunked, identity',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    'chunked;q=1',
    '"chunked"',
    "'chunked'",
    'chunked\t',
    '\x0bchunked',
    '\x0cchunked',
    'chun\x00ked',
    'chunked\x00',
    '\xa0chunked',
    'chunked\x85',
    '',
  ])('%j', async (coding) => {
    await expectRefused(post(`Transfer-Encoding: ${coding}\r\n`, CHUNKS) + SMUGGLED);
  });

  test.each([
    ['twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
    ['once good, once not', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n'],
    ['once not, once good', 'Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n'],
    ['once identity, once good', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n'],
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n'],
    ['a tab before the colon', 'Transfer-Encoding\t: chunked\r\n'],
    ['folded', 'Transfer-Encoding:\r\n chunked\r\n'],
    ['folded in its name', 'Transfer-\r\n Encoding: chunked\r\n'],
    ['behind a bare carriage return', 'X: y\rTransfer-Encoding: chunked\r\n'],
    ['behind a bare line feed', 'X: y\nTransfer-Encoding: chunked\r\n'],
    ['a carriage return in its name', 'Transfer\r-Encoding: chunked\r\n'],
    ['a NUL in its name', 'Transfer\0-Encoding: chunked\r\n'],
    ['a byte above ASCII in its name', 'Transfer\xe9-Encoding: chunked\r\n'],
    ['a leading space', ' Transfer-Encoding: chunked\r\n'],
    ['no colon', 'Transfer-Encoding chunked\r\n'],
  ])('%s', async (_what, fields) => {
    await expectRefused(post(fields, CHUNKS) + SMUGGLED);
  });

  test.each(['chunked', 'Chunked', 'CHUNKED', '\tchunked', '  chunked'])('%j is chunked', async (coding) => {
    using connection = await open(post(`Transfer-Encoding: ${coding}\r\n`, CHUNKS));
    expect(JSON.parse((await connection.read()).body.toString()).body).toBe('abc');
    expect(upstream.requests.at(-1)?.headers).toMatchObject({ 'content-length': '3' });
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('transfer-encoding');
  });
});

describe('a length that is none', () => {
  test.each([
    'Content-Length: +3\r\n',
    'Content-Length: -3\r\n',
    'Content-Length: 0x3\r\n',
    'Content-Length: 3.0\r\n',
    'Content-Length: 3e0\r\n',
    'Content-Length: 1_0\r\n',
    'Content-Length: 3 3\r\n',
    'Content-Length: 3,3\r\n',
    'Content-Length: 3, 4\r\n',
    'Content-Length: "3"\r\n',
    'Content-Length:\r\n',
    'Content-Length: \x0b3\r\n',
    'Content-Length: 3\x00\r\n',
    'Content-Length: \xb3\r\n',
    'Content-Length : 3\r\n',
    'Content-Length: 18446744073709551619\r\n',
    'Content-Length: 99999999999999999999999999\r\n',
    'Content-Length: 3\r\nContent-Length: 3\r\n',
    'Content-Length: 3\r\nContent-Length: 30\r\n',
    'Content-Length: 3\r\ncontent-length: 0\r\n',
    'Content-Length:\r\n 3\r\n',
  ])('%j', async (fields) => {
    await expectRefused(post(fields, 'abc') + SMUGGLED);
  });

  test.each(['3', '003', ' 3 ', '\t3'])('%j is a length', async (length) => {
    using connection = await open(post(`Content-Length: ${length}\r\n`, 'abc') + SMUGGLED);
    expect(JSON.parse((await connection.read()).body.toString())).toMatchObject({ body: 'abc' });
    // No smuggling: the second request stands where the first one ends.
    expect(JSON.parse((await connection.read()).body.toString()).url).toBe('/smuggled');
  });
});

describe('chunks that are none', () => {
  const chunked = (body: string) => post('Transfer-Encoding: chunked\r\n', body);

  test.each([
    ['a size that is no number', 'zz\r\nabc\r\n0\r\n\r\n'],
    ['no size', '\r\nabc\r\n0\r\n\r\n'],
    ['a negative size', '-3\r\nabc\r\n0\r\n\r\n'],
    ['a signed size', '+3\r\nabc\r\n0\r\n\r\n'],
    ['a size with its prefix', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['a space before the size', ' 3\r\nabc\r\n0\r\n\r\n'],
    ['a space behind the size', '3 \r\nabc\r\n0\r\n\r\n'],
    ['a tab behind the size', '3\t\r\nabc\r\n0\r\n\r\n'],
    ['a size that overflows 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
    ['a size without carriage return', '3\nabc\r\n0\r\n\r\n'],
    ['a size without line feed', '3\rabc\r\n0\r\n\r\n'],
    ['data longer than the size', '2\r\nabc\r\n0\r\n\r\n'],
    ['data that ends in a line feed alone', '3\r\nabc\n0\r\n\r\n'],
    ['data without an end', '3\r\nabc0\r\n\r\n'],
    ['an extension that ends in a line feed alone', '3;a\nabc\r\n0\r\n\r\n'],
    ['an extension of nothing', '3;\r\nabc\r\n0\r\n\r\n'],
    ['an extension with a NUL', '3;a\0\r\nabc\r\n0\r\n\r\n'],
    ['a last chunk that ends in line feeds alone', '3\r\nabc\r\n0\n\n'],
    ['a trailer without colon', '0\r\nX\r\n\r\n'],
    ['a folded trailer', '0\r\nX: a\r\n b\r\n\r\n'],
    ['a trailer that ends in a line feed alone', '0\r\nX: a\n\r\n'],
  ])('%s', async (_what, body) => {
    await expectRefused(chunked(body) + SMUGGLED);
  });

  test.each([
    ['an extension', '3;a=b\r\nabc\r\n0\r\n\r\n'],
    ['a quoted extension with what looks like another chunk', '3;a="0;1"\r\nabc\r\n0\r\n\r\n'],
    ['a size with zeros before it', '0003\r\nabc\r\n000\r\n\r\n'],
    ['trailers', '3\r\nabc\r\n0\r\nX-Sum: 1\r\nHost: evil.test\r\nPostern-Intent: x\r\n\r\n'],
  ])('%s is read, and does not pass', async (_what, body) => {
    using connection = await open(chunked(body) + SMUGGLED);
    expect(JSON.parse((await connection.read()).body.toString())).toMatchObject({ url: '/x', body: 'abc' });
    expect(JSON.parse((await connection.read()).body.toString()).url).toBe('/smuggled');
    const [first] = upstream.requests.slice(sentBefore);
    expect(first?.headers['content-length']).toBe('3');
    expect(first?.rawTrailers).toEqual([]);
    expect(JSON.stringify(first?.headers)).not.toMatch(/evil|x-sum/i);
  });

  test('extensions without end are refused', async () => {
    using connection = await open(chunked(`3;${'a'.repeat(20_000)}`));
    expect((await connection.read()).status).toBe(400);
    expect(sent()).toEqual([]);
  });

  test('trailers over the limit of a head are refused', async () => {
    using connection = await open(chunked(`0\r\n${'X-Trailer: yes\r\n'.repeat(5_000)}\r\n`));
    expect((await connection.read()).status).toBe(431);
    expect(sent()).toEqual([]);
  });
});

describe('request lines that are none', () => {
  const fields = `${HOST}${KEY}\r\n`;

  test.each([
    ['HTTP/0.9 without a version', 'GET /to/api/x\r\n\r\n'],
    ['HTTP/0.9', `GET /to/api/x HTTP/0.9\r\n${fields}`],
    ['HTTP/1.10', `GET /to/api/x HTTP/1.10\r\n${fields}`],
    ['HTTP/1.2', `GET /to/api/x HTTP/1.2\r\n${fields}`],
    ['HTTP/01.1', `GET /to/api/x HTTP/01.1\r\n${fields}`],
    ['HTTP/2', `GET /to/api/x HTTP/2\r\n${fields}`],
    ['HTTP/2.0', `GET /to/api/x HTTP/2.0\r\n${fields}`],
    ['HTTP/3.0', `GET /to/api/x HTTP/3.0\r\n${fields}`],
    ['small letters', `GET /to/api/x http/1.1\r\n${fields}`],
    ['no slash', `GET /to/api/x HTTP 1.1\r\n${fields}`],
    ['a space behind the version', `GET /to/api/x HTTP/1.1 \r\n${fields}`],
    ['a tab between the parts', `GET\t/to/api/x\tHTTP/1.1\r\n${fields}`],
    ['a line feed alone', `GET /to/api/x HTTP/1.1\n${fields}`],
    ['a carriage return alone', `GET /to/api/x HTTP/1.1\r${fields}`],
    ['a space before the first field', `GET /to/api/x HTTP/1.1\r\n ${fields}`],
    ['a method in small letters', `get /to/api/x HTTP/1.1\r\n${fields}`],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['the preface of HTTP/2, as HTTP/1.1', `PRI * HTTP/1.1\r\n${fields}`],
    ['authority form', `GET localhost:80 HTTP/1.1\r\n${fields}`],
    ['a target with a space', `GET /to/api/x y HTTP/1.1\r\n${fields}`],
    ['a target with a tab', `GET /to/api/x\ty HTTP/1.1\r\n${fields}`],
    ['a target with a form feed', `GET /to/api/x\x0cy HTTP/1.1\r\n${fields}`],
    ['a target with a NUL', `GET /to/api/x\0 HTTP/1.1\r\n${fields}`],
    ['a target with a byte above ASCII', `GET /to/api/\xe4 HTTP/1.1\r\n${fields}`],
    ['chunks in HTTP/1.0', `POST /to/api/x HTTP/1.0\r\n${HOST}${KEY}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`],
    [
      'chunks and a length in HTTP/1.0',
      `POST /to/api/x HTTP/1.0\r\n${HOST}${KEY}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
    ],
  ])('%s', async (_what, bytes) => {
    await expectRefused(bytes + SMUGGLED);
  });

  test.each([
    ['empty lines first', `\r\n\r\nGET /to/api/x HTTP/1.1\r\n${fields}`],
    ['two spaces between the parts', `GET  /to/api/x  HTTP/1.1\r\n${fields}`],
    ['an empty line behind a body', `${post('Content-Length: 3\r\n', 'abc')}\r\n`],
  ])('%s: read as RFC 9112 section 2.2 and 3 suggest, in step', async (_what, bytes) => {
    using connection = await open(bytes + SMUGGLED);
    expect(JSON.parse((await connection.read()).body.toString()).url).toBe('/x');
    expect(JSON.parse((await connection.read()).body.toString()).url).toBe('/smuggled');
  });
});

describe('fields that are none', () => {
  test.each([
    ['a bare line feed behind a value', 'X: a\nY: b\r\n'],
    ['a bare carriage return in a value', 'X: a\rb\r\n'],
    ['a NUL in a value', 'X: a\0b\r\n'],
    ['a control character in a value', 'X: a\x01b\r\n'],
    ['a DEL in a value', 'X: a\x7fb\r\n'],
    ['no name', ': a\r\n'],
    ['a space in a name', 'X Y: a\r\n'],
    ['a quote in a name', 'X"Y: a\r\n'],
    ['a bracket in a name', 'X(Y: a\r\n'],
    ['a fold', 'X: a\r\n\tb\r\n'],
    ['a line of spaces', '   \r\n'],
  ])('%s', async (_what, field) => {
    await expectRefused(`GET /to/api/x HTTP/1.1\r\n${HOST}${field}${KEY}\r\n${SMUGGLED}`);
  });

  test('a head that ends in line feeds alone', async () => {
    await expectRefused(`GET /to/api/x HTTP/1.1\r\n${HOST}${KEY}\n${SMUGGLED}`);
  });
});

describe('in step after a refusal', () => {
  const whoami = `GET /v1/whoami HTTP/1.1\r\n${HOST}${KEY}\r\n`;

  test.each<[string, string]>([
    ['no key', `POST /to/api/x HTTP/1.1\r\n${HOST}`],
    ['an unknown integration', `POST /to/nothing/x HTTP/1.1\r\n${HOST}${KEY}`],
    ['another host', `POST /to/api/x HTTP/1.1\r\nHost: evil.test\r\n${KEY}`],
    ['two Hosts', `POST /to/api/x HTTP/1.1\r\n${HOST}${HOST}${KEY}`],
    ['a bad target', `POST /to/api/%2e%2e%2fx HTTP/1.1\r\n${HOST}${KEY}`],
    ['an upgrade', `POST /to/api/x HTTP/1.1\r\n${HOST}${KEY}Connection: upgrade\r\nUpgrade: websocket\r\n`],
    ['a path that is none', `POST /nothing HTTP/1.1\r\n${HOST}${KEY}`],
    ['a method that is not forwarded', `TRACE /to/api/x HTTP/1.1\r\n${HOST}${KEY}`],
    ['a key in a header', `POST /to/api/x HTTP/1.1\r\n${HOST}${KEY}Referer: ${coder.key}\r\n`],
  ])('%s, with a request in its body: the next answer is the next request’s, or none', async (_what, head) => {
    const inner = SMUGGLED;
    for (const framing of ['length', 'chunks', 'late'] as const) {
      const length = `Content-Length: ${inner.length}\r\n\r\n`;
      const bytes = {
        length: `${head}${length}${inner}${whoami}`,
        chunks: `${head}Transfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n${whoami}`,
        late: `${head}${length}`,
      }[framing];
      using connection = await open(bytes);
      const refused = await connection.read();
      expect(refused.status).toBeGreaterThanOrEqual(400);
      if (framing === 'late') connection.write(inner + whoami);
      const next = await connection.read().catch(() => undefined);
      if (next === undefined) expect(refused.headers['connection']).toBe('close');
      else expect(JSON.parse(next.body.toString()).agent).toBe('coder');
      expect((await Promise.race([connection.rest, call(gateway.dataUrl, '/healthz').then(() => '')])).toString()).toBe(
        '',
      );
    }
    expect(sent()).toEqual([]);
  });

  test('a refused first request of a pipeline does not hold back the others', async () => {
    const noKey = `GET /to/api/x HTTP/1.1\r\n${HOST}\r\n`;
    using connection = await open(noKey + SMUGGLED + noKey + whoami);
    expect((await connection.read()).status).toBe(401);
    expect(JSON.parse((await connection.read()).body.toString()).url).toBe('/smuggled');
    expect((await connection.read()).status).toBe(401);
    expect(JSON.parse((await connection.read()).body.toString()).agent).toBe('coder');
  });

  test('a GET, HEAD, DELETE and OPTIONS with a body are read to its end', async () => {
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY', 'PROPFIND']) {
      const request = `${method} /to/api/x HTTP/1.1\r\n${HOST}${KEY}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`;
      using connection = await open(request + whoami);
      const first = await connection.read(method === 'HEAD' ? 'HEAD' : undefined);
      // The key in the body is found: the body was read, and not taken for a request.
      expect([method, first.status]).toEqual([method, 400]);
      expect(JSON.parse((await connection.read()).body.toString()).agent).toBe('coder');
    }
    expect(sent()).toEqual([]);
  });

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PUT'])(
    '%s passes a body with its length and no other framing',
    async (method) => {
      for (const size of [1, 5, 1_500_000]) {
        const body = 'a'.repeat(size);
        using connection = await open(
          `${method} /to/api/x HTTP/1.1\r\n${HOST}${KEY}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
        );
        expect((await connection.read(method === 'HEAD' ? 'HEAD' : undefined)).status).toBe(200);
        const seen = upstream.requests.at(-1);
        expect([seen?.method, seen?.headers['content-length'], seen?.body.byteLength]).toEqual([
          method,
          String(size),
          size,
        ]);
        expect(seen?.headers).not.toHaveProperty('transfer-encoding');
      }
    },
  );
});
