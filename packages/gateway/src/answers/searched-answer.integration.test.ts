import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { answerEcho, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { begin, call, openRaw } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from '../gateway.fixture.ts';

const SECRET = 'tok-3a7c5e9f1b2d4680';
let upstream: Upstream;
let gateway: TestGateway;
let endedBefore: number;

beforeAll(async () => {
  upstream = await startUpstream();
  const limits = { responseBytes: 100_000_000, streamBytes: 100_000_000 };
  const through = (name: string, credential: object) =>
    ({ name, baseUrl: upstream.url, network: LOOPBACK, limits, credential }) as never;
  gateway = await startTestGateway({
    secrets: { token: SECRET },
    integrations: [
      through('api', { type: 'bearer', secret: 'token' }),
      through('signed', { type: 'hmac', secret: 'token', header: 'X-Signature' }),
    ],
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

beforeEach(() => {
  endedBefore = gateway.calls.length;
});
afterEach(() => upstream.answerWith(answerEcho));

async function lastOutcome() {
  await gateway.waitForCalls(endedBefore + 1);
  const entries = await gateway.entries({ requestId: gateway.calls.at(-1)?.requestId ?? '' });
  return entries.find(({ type }) => type === 'outcome');
}

/** Bytes that hardly pack, sent as fast as they are taken; `state.written` counts them. */
function pour(headers: object, body: Buffer): { written: number } {
  const state = { written: 0 };
  upstream.answerWith(async (_request, response) => {
    response.writeHead(200, headers as never);
    for (; state.written < body.length; state.written += 65_536) {
      const piece = body.subarray(state.written, state.written + 65_536);
      if (!response.write(piece)) await once(response, 'drain');
    }
    response.end();
  });
  return state;
}

const BIG = randomBytes(40_000_000);
const bodies: [string, object, Buffer][] = [
  ['plain', { 'content-type': 'application/octet-stream' }, BIG],
  ['encoded', { 'content-encoding': 'gzip' }, gzipSync(BIG, { level: 0 })],
];

describe.each(bodies)('a %s body', (_kind, headers, body) => {
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

  test('waits for a slow client instead of filling memory, and comes whole in the end', async () => {
    const state = pour(headers, body);
    const response = await begin(gateway, '/to/api/x', {});
    expect(await settled(() => state.written)).toBeLessThan(body.length - 5_000_000);
    const hash = createHash('sha256');
    for await (const chunk of response) hash.update(chunk as Buffer);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
    expect(await lastOutcome()).toMatchObject({ result: 'done', status: 200 });
  });

  test('is left off when the client leaves', async () => {
    const state = pour(headers, body);
    const response = await begin(gateway, '/to/api/x', {});
    await settled(() => state.written);
    const open = upstream.openConnections;
    response.destroy();
    expect(await lastOutcome()).toMatchObject({ result: 'failed', status: 200, code: 'client_gone' });
    await vi.waitFor(() => expect(upstream.openConnections).toBe(open - 1));
  });
});

test('an upstream that breaks off within an encoded body is a cut', async () => {
  upstream.answerWith((_request, response) => {
    response.writeHead(200, { 'content-encoding': 'br' });
    response.write(brotliCompressSync('x'.repeat(100)).subarray(0, 8));
    setImmediate(() => response.destroy());
  });
  await expect(call(gateway, '/to/api/x')).rejects.toThrow();
  expect(await lastOutcome()).toMatchObject({ result: 'failed', code: 'upstream_reset' });
});

test('to HTTP/1.0, which knows no other end of such a body, the secret in an encoded one is a reset', async () => {
  upstream.answerWith((_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' });
    response.end(gzipSync(SECRET));
  });
  using connection = await openRaw(gateway.port);
  connection.write(`GET /to/api/x HTTP/1.0\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\n\r\n`);
  const closed = new Promise<Error | undefined>((resolve) => {
    connection.socket.on('error', resolve);
    connection.socket.on('end', () => resolve(undefined));
  });
  expect(await closed).toMatchObject({ code: 'ECONNRESET' });
  expect(await lastOutcome()).toMatchObject({ result: 'failed', code: 'upstream_reset' });
});

test('what a signature adds to one call is taken out of its answer', async () => {
  for (const _call of [1, 2]) {
    const answer = await call(gateway, '/to/signed/x');
    const signature = upstream.requests.at(-1)?.headers['x-signature'] ?? '';
    expect(signature).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);
    expect(answer.json().headers['x-signature']).toBe('*'.repeat(signature.length));
  }
  upstream.answerWith((request, response) => {
    const signature = request.headers['x-signature'] ?? '';
    response.end(
      `${Buffer.from(signature).toString('base64')} ${signature.slice(-64)} ${SECRET} ${signature.slice(2, 12)}`,
    );
  });
  const { text } = await call(gateway, '/to/signed/x');
  expect(text).toMatch(/^\*{103,}[\w=]* \*{64} \*{20} \d{10}$/);
});

test('a secret is searched for from its first call on, after a change the new one', async () => {
  const echoed = async () => (await call(gateway, '/to/api/x')).json().headers.authorization;
  expect(await echoed()).toBe('*'.repeat(`Bearer ${SECRET}`.length));
  await gateway.change((context) => gateway.writeSecret('token', 'another-0123456789', context));
  expect(await echoed()).toBe('*'.repeat('Bearer another-0123456789'.length));
  expect(upstream.requests.at(-1)?.headers['authorization']).toBe('Bearer another-0123456789');
});
