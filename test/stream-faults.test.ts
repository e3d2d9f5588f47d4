import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { type RecordedRequest, type SeededRandom, seededRandom, startRawUpstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { auditEvents, outcomeAt } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';
import {
  STREAM_LIMIT,
  type StreamScenario,
  sha256,
  startStreamScenario,
  streamActions,
} from './support/stream-scenario.ts';

let streams: StreamScenario;

beforeAll(async () => {
  streams = await startStreamScenario();
});

afterAll(async () => {
  await streams?.[Symbol.asyncDispose]();
});

beforeEach(() => streams.answerAsAtFirst());

afterEach(() => {
  expect(streams.gateway.process.exitCode).toBeNull();
});

const urlOf = (path: string) => `${streams.upstream.url}${path}`;

/** Bytes of the program's memory that are in use. */
function memoryOf(own: RunningGateway): number {
  const status = readFileSync(`/proc/${own.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

describe('backpressure', () => {
  test('an upstream that does not read holds the client back, in little memory, and loses nothing', async () => {
    const hold = Promise.withResolvers<void>();
    await using slow = await startRawUpstream(async (socket) => {
      // `data` handlers make it flow; nothing is read until the test says so.
      socket.pause();
      await hold.promise;
      socket.resume();
    });
    const body = Buffer.alloc(64 * 1_048_576, 'x');
    await using own = await startGateway({
      config: configOf(
        [streams.coder],
        [integration('slow', slow.url, { actions: streamActions, limits: { requestBytes: 1_000_000_000 } })],
      ),
    });
    const { hostname, port } = new URL(own.dataUrl);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(
      `POST /to/slow/up/a HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${streams.coder.key}\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    const freshBytes = memoryOf(own);
    let before = -1;
    // Until nothing has moved for a while.
    const taken = await vi.waitFor(
      () => {
        const now = socket.bytesWritten - socket.writableLength;
        const isStill = now === before && now > 0;
        before = now;
        if (!isStill) throw new Error('bytes are moving still');
        return now;
      },
      { timeout: 20_000, interval: 500 },
    );
    // What the kernel's buffers on both sides take, and a little of the gateway's.
    expect(taken).toBeLessThan(40 * 1_048_576);
    expect(memoryOf(own) - freshBytes).toBeLessThan(32 * 1_048_576);
    hold.resolve();
    await vi.waitFor(
      () => {
        const got = slow.received[0]?.byteLength ?? 0;
        if (got < body.length) throw new Error(`${got} of ${body.length}`);
      },
      { timeout: 20_000, interval: 50 },
    );
    socket.destroy();
  });

  test('a client that is slow gets its time, and the upstream the bytes as they come', async () => {
    const upload = await streams.beginUpload('/to/api/up/a', ['Content-Length: 6']);
    for (const letter of 'abcdef') {
      upload.write(letter);
      await vi.waitFor(() =>
        expect(
          Buffer.from(streams.last()?.body ?? [])
            .toString()
            .at(-1),
        ).toBe(letter),
      );
    }
    await upload.until(/6 bytes/);
  });
});

describe('an answer before the end of the body', () => {
  test('is passed on, and the connection is in order afterwards', async () => {
    streams.upstream.answerWith(
      (_request, response) => void response.writeHead(401, { 'content-length': 4 }).end('away'),
    );
    const upload = await streams.beginUpload('/to/api/up/early');
    upload.chunk('abc');
    expect(await upload.until(/away/)).toMatch(/^HTTP\/1\.1 401 /);
    const outcome = await outcomeAt(streams.gateway, urlOf('/up/early'));
    expect(outcome).toMatchObject({ result: 'done', status: 401 });
    expect(outcome).not.toHaveProperty('argsHash');
    // The rest of the body is passed over, however much it is, and is not taken for another request.
    const rest = `${'GET /to/api/smuggled HTTP/1.1\r\nHost: localhost\r\nPostern-Key: '}${streams.coder.key}\r\n\r\n`;
    for (let sent = 0; sent < 20; sent += 1) upload.chunk(Buffer.alloc(100_000));
    upload.chunk(rest);
    upload.end();
    upload.write(`GET /to/api/next HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${streams.coder.key}\r\n\r\n`);
    await upload.until(/away[\s\S]*away/);
    expect(streams.upstream.requests.map(({ url }) => url)).not.toContain('/smuggled');
    expect(streams.last()?.url).toBe('/next');
  });

  test('ends the connection of a client that never ends its body', async () => {
    streams.upstream.answerWith((_request, response) => void response.end('early'));
    const upload = await streams.beginUpload('/to/api/up/endless');
    upload.chunk('abc');
    await upload.until(/early/);
    const timer = setInterval(() => upload.chunk('more'), 100);
    await upload.closed();
    clearInterval(timer);
  }, 20_000);

  test('reaches a client that sends the whole body first', async () => {
    streams.upstream.answerWith((_request, response) => void response.writeHead(403).end('no'));
    for (let round = 0; round < 10; round += 1) {
      const answer = await streams.post('/to/big/up/a', [Buffer.alloc(1_000_000), Buffer.alloc(1_000_000)]);
      expect([answer.status, answer.text]).toEqual([403, 'no']);
    }
  });
});

describe('a body that breaks off', () => {
  test('with its client reaches the upstream as broken off, never as whole', async () => {
    const count = streams.upstream.requests.length;
    const upload = await streams.beginUpload('/to/api/up/gone');
    upload.chunk('abc');
    await streams.upstream.waitForRequests(count + 1);
    upload.socket.resetAndDestroy();
    await streams.last()?.ended;
    expect(streams.last()?.complete).toBe(false);
    const outcome = await outcomeAt(streams.gateway, urlOf('/up/gone'));
    expect(outcome).toMatchObject({ result: 'unknown', code: 'client_gone' });
    expect(outcome).not.toHaveProperty('argsHash');
  });

  test('before its announced length likewise', async () => {
    const count = streams.upstream.requests.length;
    const upload = await streams.beginUpload('/to/api/up/short', ['Content-Length: 10']);
    upload.write('abc');
    await streams.upstream.waitForRequests(count + 1);
    // A client that only ends its side may still read why.
    upload.socket.end();
    expect(await upload.until(/"code"/)).toMatch(/^HTTP\/1\.1 400 /);
    await streams.last()?.ended;
    expect(streams.last()?.complete).toBe(false);
    expect(await outcomeAt(streams.gateway, urlOf('/up/short'))).toMatchObject({
      result: 'unknown',
      code: 'malformed_request',
    });
  });

  test.each(['zz\r\n', '-1\r\n', '5;\n', '3\r\nabcde\r\n'])('with the bad chunk %j is refused', async (bad) => {
    const count = streams.upstream.requests.length;
    const path = `/up/bad-${Buffer.from(bad).toString('hex')}`;
    const upload = await streams.beginUpload(`/to/api${path}`);
    upload.chunk('abc');
    await streams.upstream.waitForRequests(count + 1);
    upload.write(bad);
    expect(await upload.until(/"code"/)).toMatch(/^HTTP\/1\.1 400 /);
    await streams.last()?.ended;
    expect(streams.last()?.complete).toBe(false);
    expect(await outcomeAt(streams.gateway, urlOf(path))).toMatchObject({
      result: 'unknown',
      code: 'malformed_request',
    });
  });

  test('by the upstream’s doing is not sent again, whatever the method', async () => {
    await using broken = await startRawUpstream((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    await using own = await startGateway({
      config: configOf(
        [streams.coder],
        [
          integration('broken', broken.url, {
            actions: [{ name: 'up', methods: ['GET', 'PUT', 'OPTIONS'], paths: ['/**'], risk: 'low', body: 'stream' }],
            retry: { attempts: 3, baseMs: 1, maxMs: 1 },
          }),
        ],
      ),
    });
    for (const [index, method] of ['PUT', 'OPTIONS', 'GET'].entries()) {
      const answer = await call(own.dataUrl, '/to/broken/x', { method, headers: streams.key, body: 'abc' });
      expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_reset' });
      expect(broken.connections).toBe(index + 1);
    }
  });
});

test('the next request on the connection is in its place', async () => {
  const upload = await streams.beginUpload('/to/api/up/a');
  upload.chunk('abc');
  upload.end();
  upload.write(
    `POST /to/api/up/b HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${streams.coder.key}\r\nContent-Length: 2\r\n\r\nde`,
  );
  upload.write(`GET /to/api/c HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${streams.coder.key}\r\n\r\n`);
  await upload.until(/3 bytes[\s\S]*2 bytes[\s\S]*0 bytes/);
});

test('fifty at once arrive each with its own bytes', async () => {
  streams.upstream.answerWith(async (request, response) => {
    await request.ended;
    response.end(sha256(request.body));
  });
  const uploads = Array.from({ length: 50 }, async (_, index) => {
    const parts = [Buffer.alloc(100_000 + index, index), Buffer.alloc(200_000, index + 1)];
    const answer = await streams.post('/to/api/up/a', parts);
    expect(answer.text).toBe(sha256(Buffer.concat(parts)));
  });
  await Promise.all(uploads);
});

test('whatever client and upstream do, no broken body is taken for a whole one, and each call has one outcome', async () => {
  const random = seededRandom('bodies that break');
  const whole = new Map<string, string>();
  const before = streams.upstream.requests.length;
  streams.upstream.answerWith((request, response) => hostileAnswer(request, response, random));
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => hostileUpload(`${round}-${index}`, whole, random)));
  }
  await vi.waitFor(
    async () => {
      const open = new Set((await auditEvents(streams.gateway, { type: 'intent' })).map(({ requestId }) => requestId));
      for (const { requestId } of await auditEvents(streams.gateway, { type: 'outcome' })) open.delete(requestId);
      expect(open.size).toBe(0);
    },
    { timeout: 40_000, interval: 200 },
  );
  const intents = await auditEvents(streams.gateway, { type: 'intent' });
  expect((await auditEvents(streams.gateway, { type: 'outcome' })).length).toBe(intents.length);
  const complete = streams.upstream.requests.slice(before).filter((request) => request.complete);
  expect(complete.length).toBeGreaterThan(20);
  for (const { url, body } of complete) expect([url, sha256(body)]).toEqual([url, whole.get(url.slice('/up/'.length))]);
});

function hostileAnswer(request: RecordedRequest, response: ServerResponse, random: SeededRandom): void {
  switch (random.integer(6)) {
    case 0:
      return void response.writeHead(401).end('early');
    case 1:
      return void response.socket?.resetAndDestroy();
    case 2:
      response.write('part');
      return void setImmediate(() => response.socket?.destroy());
    case 3:
      return void setImmediate(() => response.writeHead(413, { connection: 'close' }).end('no'));
    default:
      return void request.ended.then(() => response.end('done'));
  }
}

/** Sends a body in pieces and breaks it off, or does not. What came to its end is noted in `whole`. */
async function hostileUpload(name: string, whole: Map<string, string>, random: SeededRandom): Promise<void> {
  const size = [0, 1, 70_000, STREAM_LIMIT, STREAM_LIMIT + 1][random.integer(5)] ?? 0;
  const body = Buffer.alloc(size, random.bytes(1_000));
  const isChunked = random.integer(2) === 0;
  const upload = await streams.beginUpload(`/to/api/up/${name}`, isChunked ? [] : [`Content-Length: ${body.length}`]);
  const fault = (['none', 'none', 'reset', 'end', 'garbage'] as const)[random.integer(5)] ?? 'none';
  const sentBytes = fault === 'none' ? body.length : random.integer(body.length + 1);
  for (let at = 0; at < sentBytes; ) {
    const piece = body.subarray(at, Math.min(sentBytes, at + 1 + random.integer(200_000)));
    if (isChunked) upload.chunk(piece);
    else upload.write(piece);
    at += piece.length;
  }
  if (sentBytes === body.length && (fault === 'none' || !isChunked)) whole.set(name, sha256(body));
  if (fault === 'reset') upload.socket.resetAndDestroy();
  else if (fault === 'end') upload.socket.end();
  else if (fault === 'garbage' && isChunked) upload.write('xyz\r\n');
  else if (isChunked) upload.end();
  else if (fault !== 'none') upload.socket.end();
  if (fault === 'none') await upload.until(/^HTTP\/1\.1 [245]/);
}
