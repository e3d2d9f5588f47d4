import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openRaw } from '../client.fixture.ts';
import { BodyMemory } from './body-memory.ts';
import { receiveBody } from './receive-body.ts';
import { disposeBody, type ReceivedBody } from './request-body.ts';

const MIB = 1_048_576;
/** Larger than what Node reads of a paused request ahead. */
const BIG = 4 * MIB;

let folder: TemporaryFolder;
let server: Server;
let reception: PromiseWithResolvers<ReceivedBody>;
let request: IncomingMessage;
let bytesMax: number;
let memory: BodyMemory;
const bodies: ReceivedBody[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  reception = Promise.withResolvers();
  reception.promise.catch(() => undefined);
  bytesMax = BIG;
  memory = new BodyMemory();
  server = createServer((incoming, response) => receive(incoming, response, false));
  server.on('checkContinue', (incoming, response) => receive(incoming, response, true));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  for (const body of bodies.splice(0)) disposeBody(body);
  await folder.remove();
});

function receive(incoming: IncomingMessage, response: ServerResponse, continueExpected: boolean) {
  request = incoming;
  const limits = { bytesMax, spoolFolder: folder.path, memory };
  Promise.try(() => receiveBody({ request: incoming, response, continueExpected }, limits)).then((body) => {
    bodies.push(body);
    reception.resolve(body);
  }, reception.reject);
}

const port = () => (server.address() as AddressInfo).port;
const head = (fields: string) => `POST / HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`;

async function send(body: Uint8Array, framing: 'length' | 'chunked'): Promise<void> {
  const connection = await openRaw(port());
  if (framing === 'length') {
    connection.write(head(`Content-Length: ${body.byteLength}\r\n`));
    connection.write(body);
    return;
  }
  connection.write(head('Transfer-Encoding: chunked\r\n'));
  for (let start = 0; start < body.byteLength; start += 100_000) {
    const piece = body.subarray(start, start + 100_000);
    connection.write(`${piece.byteLength.toString(16)}\r\n`);
    connection.write(piece);
    connection.write('\r\n');
  }
  connection.write('0\r\n\r\n');
}

async function bytesOf(body: ReceivedBody): Promise<Buffer> {
  switch (body.kind) {
    case 'none':
      return Buffer.alloc(0);
    case 'bytes':
      return Buffer.from(body.bytes);
    case 'spooled': {
      const pieces: Uint8Array[] = [];
      for await (const piece of body.spool.read()) pieces.push(piece);
      return Buffer.concat(pieces);
    }
  }
}

function openSpools(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${folder.path}/`);
    } catch {
      return false;
    }
  }).length;
}

describe.each(['length', 'chunked'] as const)('a body framed by %s', (framing) => {
  test.each<[number, ReceivedBody['kind']]>([
    [0, 'none'],
    [1, 'bytes'],
    [MIB - 1, 'bytes'],
    [MIB, 'bytes'],
    [MIB + 1, 'spooled'],
    [BIG, 'spooled'],
  ])('of %i bytes is received as %s', async (size, kind) => {
    const sent = randomBytes(size);
    await send(sent, framing);
    const body = await reception.promise;
    expect(body.kind).toBe(kind);
    if (body.kind === 'spooled') expect(body.byteLength).toBe(size);
    expect((await bytesOf(body)).equals(sent)).toBe(true);
  });

  test.each([1_000, MIB, MIB + 1, BIG])('may have %i bytes when that is the limit, and no byte more', async (limit) => {
    bytesMax = limit;
    await send(Buffer.alloc(limit), framing);
    expect((await bytesOf(await reception.promise)).byteLength).toBe(limit);
    disposeBody(await reception.promise);
    reception = Promise.withResolvers();
    await send(Buffer.alloc(limit + 1), framing);
    await expect(reception.promise).rejects.toMatchObject({ code: 'request_too_large' });
    await vi.waitFor(() => expect(openSpools()).toBe(0));
  });
});

test('a length over the limit is refused before a byte has come', async () => {
  bytesMax = 10;
  using connection = await openRaw(port());
  connection.write(head('Content-Length: 11\r\nExpect: 100-continue\r\n'));
  await expect(reception.promise).rejects.toMatchObject({ code: 'request_too_large' });
});

test('a client that waits to be asked is asked', async () => {
  using connection = await openRaw(port());
  connection.write(head('Content-Length: 3\r\nExpect: 100-continue\r\n'));
  expect((await connection.read()).status).toBe(100);
  connection.write('abc');
  expect((await bytesOf(await reception.promise)).toString()).toBe('abc');
});

describe('a client that leaves', () => {
  test.each<[string, number, number]>([
    ['in the middle of a small body', 100, 50],
    ['in the middle of a body in memory', MIB, MIB - 1],
    ['in the middle of a spooled body', BIG, BIG - 1],
  ])('%s makes no call, and leaves no file', async (_what, announced, sent) => {
    const connection = await openRaw(port());
    connection.write(head(`Content-Length: ${announced}\r\n`));
    connection.write(Buffer.alloc(sent));
    await once(server, 'request');
    connection.socket.end();
    await expect(reception.promise).rejects.toMatchObject({ code: 'malformed_request' });
    await vi.waitFor(() => expect(openSpools()).toBe(0));
  });

  test('before its body is asked for makes no call', async () => {
    server.removeAllListeners('request');
    const arrived = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
    const connection = await openRaw(port());
    connection.write(head('Content-Length: 100\r\n'));
    connection.write(Buffer.alloc(10));
    const [incoming, response] = await arrived;
    const gone = new Promise((resolve) => incoming.once('close', resolve));
    connection.socket.end();
    await gone;
    receive(incoming, response, false);
    await expect(reception.promise).rejects.toMatchObject({ code: 'malformed_request' });
  });

  test.each([1, 100, 40_000])(
    'with %i bytes of its whole body still unread makes an end, one or the other',
    async (over) => {
      const connection = await openRaw(port());
      connection.write(head(`Content-Length: ${MIB + over}\r\n`));
      connection.write(Buffer.alloc(MIB + over));
      connection.socket.end();
      // What has come whole may be taken or refused; it must not be waited for.
      const end = await reception.promise.then(
        (body) => body.kind,
        (error) => error.code,
      );
      expect(['spooled', 'malformed_request']).toContain(end);
      if (end === 'malformed_request') await vi.waitFor(() => expect(openSpools()).toBe(0));
    },
  );
});

describe('the memory of all bodies', () => {
  test.each(['length', 'chunked'] as const)(
    'is taken for what came, and given back at the end (%s)',
    async (framing) => {
      const sent = randomBytes(300_000);
      await send(sent, framing);
      const body = await reception.promise;
      expect(memory.heldBytes).toBe(300_000);
      disposeBody(body);
      bodies.length = 0;
      expect(memory.heldBytes).toBe(0);
    },
  );

  test('is not taken for what was announced and has not come', async () => {
    using connection = await openRaw(port());
    connection.write(head(`Content-Length: ${MIB}\r\n`));
    connection.write(Buffer.alloc(1_000));
    await once(server, 'request');
    await vi.waitFor(() => expect(memory.heldBytes).toBe(1_000));
    connection.socket.destroy();
    await expect(reception.promise).rejects.toMatchObject({ code: 'malformed_request' });
    expect(memory.heldBytes).toBe(0);
  });

  test('is not taken at all for a body that is announced large', async () => {
    using connection = await openRaw(port());
    connection.write(head(`Content-Length: ${BIG}\r\n`));
    connection.write(Buffer.alloc(100_000));
    await vi.waitFor(() => expect(openSpools()).toBe(1));
    expect(memory.heldBytes).toBe(0);
  });

  test.each([
    ['a body too large for what is left', 0],
    ['a body that outgrows it on the way', 100_000],
  ])('%s waits in a file, and is brought back when there is room', async (_what, left) => {
    memory = new BodyMemory(2 * MIB);
    memory.take(2 * MIB - left);
    using connection = await openRaw(port());
    const sent = randomBytes(500_000);
    connection.write(head('Content-Length: 500000\r\n'));
    connection.write(sent.subarray(0, 400_000));
    await vi.waitFor(() => expect(openSpools()).toBe(1));
    await vi.waitFor(() => expect(memory.heldBytes).toBe(2 * MIB - left));
    memory.give(1_000_000);
    connection.write(sent.subarray(400_000));
    const body = await reception.promise;
    expect(body.kind).toBe('bytes');
    expect((await bytesOf(body)).equals(sent)).toBe(true);
    expect(memory.heldBytes).toBe(2 * MIB - left - 1_000_000 + 500_000);
    await vi.waitFor(() => expect(openSpools()).toBe(0));
  });

  test('that stays full makes the gateway overloaded, and leaves no file', async () => {
    memory = new BodyMemory(100);
    memory.take(100);
    await send(randomBytes(1_000), 'chunked');
    await expect(reception.promise).rejects.toMatchObject({ code: 'overloaded', details: { retryAfterSeconds: 1 } });
    await vi.waitFor(() => expect(openSpools()).toBe(0));
    expect(memory.heldBytes).toBe(100);
  });

  test('a body sent byte by byte takes hardly more memory than it has bytes', async () => {
    using connection = await openRaw(port());
    connection.write(head('Transfer-Encoding: chunked\r\n'));
    const before = process.memoryUsage().rss;
    const pieces = Buffer.from('1\r\na\r\n'.repeat(10_000));
    for (let count = 0; count < 100; count += 1) connection.write(pieces);
    await vi.waitFor(() => expect(memory.heldBytes).toBe(1_000_000), 20_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
    connection.write('0\r\n\r\n');
    expect((await bytesOf(await reception.promise)).equals(Buffer.alloc(1_000_000, 'a'))).toBe(true);
  });
});

describe('a disk', () => {
  test('that cannot be written makes the gateway overloaded', async () => {
    await rm(folder.path, { recursive: true });
    await send(Buffer.alloc(BIG), 'length');
    await expect(reception.promise).rejects.toMatchObject({ code: 'overloaded' });
  });

  test('is not needed for what fits into memory', async () => {
    await rm(folder.path, { recursive: true });
    await send(Buffer.alloc(MIB), 'length');
    expect((await reception.promise).kind).toBe('bytes');
  });

  test('slower than the client holds the client back', async () => {
    const probe = await open(path.join(folder.path, 'probe'), 'w');
    const disk = Object.getPrototypeOf(probe) as typeof probe;
    await probe.close();
    const release = Promise.withResolvers<void>();
    const writing = Promise.withResolvers<void>();
    const write = disk.write;
    vi.spyOn(disk, 'write').mockImplementation(async function slowly(this: FileHandle, ...given: unknown[]) {
      writing.resolve();
      await release.promise;
      return Reflect.apply(write, this, given);
    } as typeof write);
    try {
      const sent = randomBytes(BIG);
      await send(sent, 'length');
      await writing.promise;
      // Read again and again until nothing more comes: the rest stays with the client.
      let read = -1;
      await vi.waitFor(() => {
        const before = read;
        read = request.socket.bytesRead;
        expect(read).toBe(before);
      });
      expect(request.isPaused()).toBe(true);
      expect(read).toBeLessThan(MIB + 4 * 65_536);
      release.resolve();
      expect((await bytesOf(await reception.promise)).equals(sent)).toBe(true);
    } finally {
      vi.restoreAllMocks();
    }
  });
});
