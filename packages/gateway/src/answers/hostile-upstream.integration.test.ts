import { type RawUpstream, readRequestHead, startRawUpstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRaw } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from '../gateway.fixture.ts';

/** What the upstream writes when a request head has come. */
let bytes = '';
let closes = true;
let upstream: RawUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startRawUpstream(async (socket) => {
    for (;;) {
      await readRequestHead(socket);
      if (closes) socket.end(bytes, 'latin1');
      else socket.write(bytes, 'latin1');
    }
  });
  // It fails at every call: each is to reach it, and once.
  const persistent = { retry: { attempts: 1 }, breaker: { failures: 1_000 } };
  gateway = await startTestGateway({
    integrations: [{ name: 'api', baseUrl: upstream.url, network: LOOPBACK, ...persistent }],
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const request = (method = 'GET') =>
  `${method} /to/api/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n';

/** The upstream's answer as the client sees it, and the entry that closes the call. */
async function answerTo(text: string, method = 'GET') {
  bytes = text;
  const before = gateway.calls.length;
  using connection = await openRaw(gateway.port);
  connection.write(request(method));
  const answer = await connection.read(method === 'HEAD' ? 'HEAD' : undefined).catch(() => undefined);
  await gateway.waitForCalls(before + 1);
  const requestId = gateway.calls.at(-1)?.requestId ?? '';
  const entries = await gateway.entries({ requestId });
  expect(entries.map(({ type }) => type)).toEqual(['intent', 'outcome']);
  return { answer, outcome: entries[1], isKept: !connection.isClosed() };
}

describe('an upstream that is no good HTTP server', () => {
  test.each([
    ['a status below 100', 'HTTP/1.1 099 X\r\ncontent-length: 2\r\n\r\nok'],
    ['a status of two digits', 'HTTP/1.1 20 X\r\ncontent-length: 2\r\n\r\nok'],
    ['a status of four digits', 'HTTP/1.1 2000 X\r\ncontent-length: 2\r\n\r\nok'],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['a control character in a value', `${OK}x-a: a\x01b\r\n\r\nok`],
    ['a NUL in a value', `${OK}x-a: a\0b\r\n\r\nok`],
    ['a bare line feed in a value', `${OK}x-a: a\n b\r\n\r\nok`],
    ['a space in a name', `${OK}x a: 1\r\n\r\nok`],
    ['no name', `${OK}: 1\r\n\r\nok`],
    ['two lengths', `${OK}content-length: 3\r\n\r\nok`],
    ['a list of lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok'],
    ['a length in hexadecimal', 'HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok'],
    ['both framings', `${OK}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
    ['a head without end', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(70_000)}`],
    ['too many fields', `HTTP/1.1 200 OK\r\n${'x-a: 1\r\n'.repeat(300)}content-length: 2\r\n\r\nok`],
    ['nothing but interim answers', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(20)],
  ])('%s: what is passed on is framed by us, and the call is closed once', async (_what, text) => {
    const { answer, outcome } = await answerTo(text);
    if (answer === undefined || answer.status >= 500) {
      expect(outcome?.result).not.toBe('done');
      if (answer !== undefined) expect(answer.problem().code).toMatch(/^upstream_|^response_too_large$/);
    } else {
      // Where the parser is lenient, the client must see one well-framed answer and nothing behind it.
      expect([answer.text, outcome?.result]).toEqual(['ok', 'done']);
    }
  });

  test.each([
    ['a reason of odd bytes', 'HTTP/1.1 200 \xff\xfe\r\ncontent-length: 2\r\n\r\nok', 'GET', 200, 'ok'],
    ['no reason', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok', 'GET', 200, 'ok'],
    ['a status that nobody knows', 'HTTP/1.1 799 X\r\ncontent-length: 2\r\n\r\nok', 'GET', 799, 'ok'],
    ['bytes above ASCII in a value', `${OK}x-a: \xe4\r\n\r\nok`, 'GET', 200, 'ok'],
    ['a body where there is none: 204', 'HTTP/1.1 204 No\r\ncontent-length: 2\r\n\r\nok', 'GET', 204, ''],
    ['a body where there is none: 304', 'HTTP/1.1 304 No\r\ncontent-length: 2\r\n\r\nok', 'GET', 304, ''],
    ['a body where there is none: HEAD', `${OK}\r\nok`, 'HEAD', 200, ''],
    [
      'trailers',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-a\r\n\r\n2\r\nok\r\n0\r\nx-a: 1\r\nset-cookie: a=b\r\n\r\n',
      'GET',
      200,
      'ok',
    ],
    ['an old version', 'HTTP/1.0 200 OK\r\n\r\nok', 'GET', 200, 'ok'],
  ])('%s: is passed on', async (_what, text, method, status, body) => {
    const { answer } = await answerTo(text, method);
    expect([answer?.status, answer?.text]).toEqual([status, body]);
    expect(JSON.stringify(answer?.headers)).not.toMatch(/cookie|trailer/);
  });

  test('one answer too many never becomes the answer of the next call', async () => {
    closes = false;
    try {
      const forged = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged';
      for (const own of ['one', 'two', 'six']) {
        const { answer } = await answerTo(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n${own}${forged}`);
        // Cut or passed, but never the forged one.
        if (answer?.status === 200) expect(answer.text).toBe(own);
        else expect(answer?.problem().code).toMatch(/^upstream_/);
      }
    } finally {
      closes = true;
    }
  });
});
