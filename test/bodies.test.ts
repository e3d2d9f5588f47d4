import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventualAuditEvents, outcomeAt, outcomeOf } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const MEBIBYTE = 1_048_576;
const coder = newAgent('coder');
const leavers = Array.from({ length: 5 }, (_, index) => newAgent(`leaver-${index}`));

let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream({ handler: (_request, response) => void response.end('taken') });
  const integrations = [
    integration('tiny', upstream.url, { limits: { requestBytes: 1_000, responseBytes: 1_000 } }),
    integration('large', upstream.url, { limits: { requestBytes: 2_000_000, responseBytes: 4_000_000 } }),
    integration('none', upstream.url, { limits: { requestBytes: 0 } }),
    integration('default', upstream.url),
  ];
  gateway = await startGateway({ config: configOf([coder, ...leavers], integrations) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const key = { 'postern-key': coder.key };
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
/** Pieces that do not end where a limit lies. */
const inPieces = (bytes: Buffer) =>
  Array.from({ length: 3 }, (_, i) => bytes.subarray((i * bytes.length) / 3, ((i + 1) * bytes.length) / 3));

/** Files of the spool folder that the gateway holds, with a name or without. */
async function spooledFiles(): Promise<string[]> {
  const named = await readdir(path.join(gateway.dataFolder, 'spool'));
  const folder = `/proc/${gateway.process.pid}/fd`;
  const open = await Promise.all((await readdir(folder)).map((fd) => readlink(path.join(folder, fd)).catch(() => '')));
  return [...named, ...open.filter((target) => target.includes('/spool/'))];
}

describe('the limit of a request body, at the exact byte', () => {
  test.each([
    ['tiny', 1_000],
    ['large', 2_000_000],
    ['default', 10_485_760],
    ['none', 0],
  ])('%s takes %i bytes and not one more', async (name, limit) => {
    const bytes = randomBytes(limit + 1);
    const fitting = bytes.subarray(0, limit);
    for (const body of [fitting, inPieces(fitting)]) {
      const answer = await call(gateway.dataUrl, `/to/${name}/x`, { method: 'POST', headers: key, body });
      expect(answer.status).toBe(200);
      expect(digest(upstream.requests.at(-1)?.body ?? new Uint8Array())).toBe(digest(fitting));
    }
    const before = upstream.requests.length;
    for (const body of [bytes, inPieces(bytes)]) {
      const answer = await call(gateway.dataUrl, `/to/${name}/x`, { method: 'POST', headers: key, body });
      expect(answer.problem()).toMatchObject({ status: 413, code: 'request_too_large', retryable: false });
      const [entry] = await eventualAuditEvents(gateway, { requestId: answer.problem().requestId });
      expect(entry).toMatchObject({ type: 'denied', code: 'request_too_large', status: 413 });
    }
    expect(upstream.requests.length).toBe(before);
  });

  test('the body of a document is measured decoded', async () => {
    const execute = (request: object) =>
      call(gateway.dataUrl, '/v1/execute', {
        headers: { ...key, 'content-type': 'application/json' },
        body: JSON.stringify({ integration: 'tiny', request: { method: 'POST', path: '/x', ...request } }),
      });
    const fits = randomBytes(1_000);
    expect((await execute({ bodyBase64: fits.toString('base64') })).status).toBe(200);
    expect(digest(upstream.requests.at(-1)?.body ?? new Uint8Array())).toBe(digest(fits));
    expect((await execute({ bodyText: 'ü'.repeat(500) })).status).toBe(200);
    expect((await execute({ body: 'a'.repeat(998) })).status).toBe(200);
    for (const request of [
      { bodyBase64: randomBytes(1_001).toString('base64') },
      { bodyText: 'ü'.repeat(500) + 'a' },
      { body: 'a'.repeat(999) },
    ]) {
      expect((await execute(request)).problem()).toMatchObject({ status: 413, code: 'request_too_large' });
    }
  });

  test('a document has at most 16 MiB', async () => {
    const document = (bytes: number) => {
      const around = JSON.stringify({ integration: 'tiny', request: { method: 'POST', path: '/x', bodyText: '' } });
      return around.replace('""', `"${'a'.repeat(bytes - around.length)}"`);
    };
    const headers = { ...key, 'content-type': 'application/json' };
    const send = (bytes: number) => call(gateway.dataUrl, '/v1/execute', { headers, body: document(bytes) });
    // Both are too much for the integration; which limit it was shows in the words.
    const [fits, over] = [await send(16 * MEBIBYTE), await send(16 * MEBIBYTE + 1)];
    expect(fits.problem().detail).toContain('1000');
    expect(over.problem().detail).toContain(String(16 * MEBIBYTE));
    expect(over.problem().code).toBe('request_too_large');
  });
});

describe('bodies on their way', () => {
  test.each([1, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 1_999_999])(
    '%i bytes arrive intact, by length and in chunks',
    async (size) => {
      const bytes = randomBytes(size);
      for (const body of [bytes, inPieces(bytes)]) {
        expect((await call(gateway.dataUrl, '/to/large/x', { method: 'PUT', headers: key, body })).status).toBe(200);
        const seen = upstream.requests.at(-1);
        expect(seen?.method).toBe('PUT');
        expect(digest(seen?.body ?? new Uint8Array())).toBe(digest(bytes));
        expect(seen?.headers['content-length']).toBe(String(size));
      }
      await vi.waitFor(async () => expect(await spooledFiles()).toEqual([]));
    },
  );

  test.each<[string, object]>([
    ['a length of 0', { body: '' }],
    ['no length at all', {}],
    ['an empty chunked body', { body: [] as Uint8Array[], headers: { ...key, 'transfer-encoding': 'chunked' } }],
  ])('a POST with %s has no body on the other side', async (_what, options) => {
    const answer = await call(gateway.dataUrl, '/to/tiny/x', { method: 'POST', headers: key, ...options });
    expect(answer.status).toBe(200);
    expect(upstream.requests.at(-1)?.body.byteLength).toBe(0);
    expect(upstream.requests.at(-1)?.complete).toBe(true);
  });

  test('a GET and a DELETE may have a body', async () => {
    for (const method of ['GET', 'DELETE']) {
      expect((await call(gateway.dataUrl, '/to/tiny/x', { method, headers: key, body: 'hello' })).status).toBe(200);
      expect(Buffer.from(upstream.requests.at(-1)?.body ?? []).toString()).toBe('hello');
    }
  });

  test('encoded bodies pass unchanged in both directions', async () => {
    const packed = gzipSync('a'.repeat(10_000));
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' }).end(packed);
    });
    const headers = { ...key, 'content-encoding': 'gzip', 'accept-encoding': 'gzip' };
    const answer = await call(gateway.dataUrl, '/to/tiny/x', { method: 'POST', headers, body: packed });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(answer.body.equals(packed)).toBe(true);
    expect(upstream.requests.at(-1)?.headers['content-encoding']).toBe('gzip');
    expect(Buffer.from(upstream.requests.at(-1)?.body ?? []).equals(packed)).toBe(true);
  });

  test('a client that leaves in the middle of its body reaches nobody', async () => {
    const before = upstream.requests.length;
    const { port } = new URL(gateway.dataUrl);
    for (const sent of [10, 1_500_000]) {
      // Of each agent also the first call, for which its key must be looked up before the body is received.
      for (const agent of leavers) {
        const socket = connect(Number(port), '127.0.0.1');
        await once(socket, 'connect');
        socket.write(
          `POST /to/large/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${agent.key}\r\nContent-Length: 1900000\r\n\r\n`,
        );
        socket.end(Buffer.alloc(sent));
        socket.resume();
        await once(socket, 'close');
      }
    }
    for (const { name } of leavers) {
      const entries = await eventualAuditEvents(gateway, { agent: name }, 2);
      const refused = { type: 'denied', code: 'malformed_request' };
      expect(entries).toMatchObject([refused, refused]);
    }
    expect(upstream.requests.length).toBe(before);
    await vi.waitFor(async () => expect(await spooledFiles()).toEqual([]));
  });
});

describe('the limit of an answer, at the exact byte', () => {
  const answering = (bytes: number, chunked: boolean) =>
    upstream.answerWith((_request, response) => {
      const body = Buffer.alloc(bytes, 'a');
      if (chunked) {
        response.write(body.subarray(0, bytes / 2));
        response.end(body.subarray(bytes / 2));
      } else {
        response.writeHead(200, { 'content-length': bytes }).end(body);
      }
    });
  const stream = () => call(gateway.dataUrl, '/to/tiny/x', { headers: key });
  const execute = () =>
    call(gateway.dataUrl, '/v1/execute', {
      headers: { ...key, 'content-type': 'application/json' },
      body: JSON.stringify({ integration: 'tiny', request: { method: 'GET', path: '/x' } }),
    });

  test.each([false, true])('1,000 bytes pass (chunked: %s)', async (chunked) => {
    answering(1_000, chunked);
    expect((await stream()).body.byteLength).toBe(1_000);
    expect((await execute()).json().bodyText).toHaveLength(1_000);
  });

  test('1,001 announced bytes are 502 and nothing of them is passed on', async () => {
    answering(1_001, false);
    for (const answer of [await stream(), await execute()]) await expectTooLarge(answer);
  });

  test('1,001 bytes that were not announced cut the connection; a document is 502', async () => {
    answering(1_001, true);
    await expect(call(gateway.dataUrl, '/to/tiny/unannounced', { headers: key })).rejects.toThrow();
    const outcome = await outcomeAt(gateway, `${upstream.url}/unannounced`);
    expect(outcome).toMatchObject({ result: 'failed', status: 200, code: 'response_too_large' });
    await expectTooLarge(await execute());
  });

  async function expectTooLarge(answer: Answer): Promise<void> {
    expect(answer.problem()).toMatchObject({ status: 502, code: 'response_too_large', retryable: false });
    const outcome = await outcomeOf(gateway, answer.problem().requestId);
    expect(outcome).toMatchObject({ result: 'failed', code: 'response_too_large' });
  }
});
