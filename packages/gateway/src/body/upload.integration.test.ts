import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { answerEcho, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { call, openRaw } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from '../gateway.fixture.ts';

const BIG = 3_145_728;
const LIMIT = 4_194_304;

let upstream: Upstream;
let eager: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  eager = await startUpstream({
    answerAt: 'head',
    handler: (_request, response) => void response.writeHead(418).end('no'),
  });
  const limits = { requestBytes: LIMIT };
  const upload = { name: 'upload', methods: ['PUT'], paths: ['/**'], risk: 'low' as const };
  gateway = await startTestGateway({
    integrations: [
      { name: 'api', baseUrl: upstream.url, network: LOOPBACK, limits, actions: [upload] },
      { name: 'eager', baseUrl: eager.url, network: LOOPBACK, limits },
    ],
    rules: [{}, { id: 'no', effect: 'deny', paths: ['/denied'] }],
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await eager?.close();
});

afterEach(() => upstream.answerWith(answerEcho));

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Bodies that lie in a file at present. */
function openSpools(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${gateway.spoolFolder}/`);
    } catch {
      return false;
    }
  }).length;
}

describe('a body larger than memory takes', () => {
  test('reaches the upstream byte for byte with its length, and its file is gone after', async () => {
    upstream.answerWith((_request, response) => void response.end('taken'));
    const body = randomBytes(BIG);
    const before = upstream.requests.length;
    expect((await call(gateway, '/to/api/x', { body })).text).toBe('taken');
    const sent = upstream.requests[before];
    expect(sent?.headers['content-length']).toBe(String(BIG));
    expect(sent?.headers['transfer-encoding']).toBeUndefined();
    expect(digest(sent?.body ?? Buffer.alloc(0))).toBe(digest(body));
    await vi.waitFor(() => expect(openSpools()).toBe(0));
  });

  test('that came in chunks goes out with its length', async () => {
    upstream.answerWith((_request, response) => void response.end('taken'));
    using connection = await openRaw(gateway.port);
    connection.write(
      `PUT /to/api/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const piece = randomBytes(65_536);
    for (let index = 0; index < 32; index += 1) {
      connection.write('10000\r\n');
      connection.write(piece);
      connection.write('\r\n');
    }
    connection.write('0\r\nX-Trailer: 1\r\n\r\n');
    expect((await connection.read()).text).toBe('taken');
    expect(upstream.requests.at(-1)?.headers['content-length']).toBe(String(32 * 65_536));
    expect(upstream.requests.at(-1)?.rawTrailers).toEqual([]);
  });

  test.each([
    ['refused by policy', '/to/api/denied', 403],
    ['answered before it was sent', '/to/eager/x', 418],
  ])('and is %s leaves no file', async (_what, path, status) => {
    const faults = gateway.faults.length;
    for (let round = 0; round < 3; round += 1) {
      const answer = await call(gateway, path, { body: randomBytes(BIG) });
      // An upstream that answers early may also cut the connection that we still write on.
      expect([status, 502]).toContain(answer.status);
    }
    await vi.waitFor(() => expect(openSpools()).toBe(0));
    expect(gateway.faults.slice(faults).filter(({ doing }) => doing === 'internal_error')).toEqual([]);
  });

  test('of a client that leaves while it is sent leaves no file', async () => {
    upstream.answerWith(() => undefined);
    const [ended, before] = [gateway.calls.length, upstream.requests.length];
    using connection = await openRaw(gateway.port);
    connection.write(
      `POST /to/api/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\nContent-Length: ${BIG}\r\n\r\n`,
    );
    connection.write(Buffer.alloc(BIG));
    await upstream.waitForRequests(before + 1);
    connection.socket.destroy();
    await gateway.waitForCalls(ended + 1);
    expect(gateway.calls.at(-1)?.code).toBe('client_gone');
    await vi.waitFor(() => expect(openSpools()).toBe(0));
  });

  test('may have exactly the bytes that the integration takes', async () => {
    upstream.answerWith((_request, response) => void response.end('taken'));
    expect((await call(gateway, '/to/api/x', { body: Buffer.alloc(LIMIT) })).status).toBe(200);
    const before = upstream.requests.length;
    const answer = await call(gateway, '/to/api/x', { body: Buffer.alloc(LIMIT + 1) });
    expect(answer.problem()).toMatchObject({ status: 413, code: 'request_too_large' });
    expect((await gateway.entries({ requestId: answer.problem().requestId }))[0]).toMatchObject({
      type: 'denied',
      code: 'request_too_large',
      integration: 'api',
    });
    expect(upstream.requests.length).toBe(before);
  });
});

test('a body of a GET goes out as well', async () => {
  const answer = await call(gateway, '/to/api/x', { method: 'GET', body: 'query' });
  expect(answer.json()).toMatchObject({ method: 'GET', body: 'query' });
});
