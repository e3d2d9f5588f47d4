import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { openRawConnection, type RawConnection, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');

let upstream: Upstream;
let gateway: RunningGateway;
let port: number;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ config: configOf([coder], [integration('api', upstream.url)]) });
  port = Number(new URL(gateway.dataUrl).port);
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const TIMED_OUT = /^HTTP\/1\.1 408 .*"code":"request_timeout"/s;
const OWN = `Host: localhost\r\nPostern-Key: ${coder.key}\r\n`;

describe('a head that drips is cut after 10 s, whatever drips', () => {
  /** Writes `drop` four times a second, and tells how many seconds it took to be cut and what was said. */
  async function drip(first: string, drop: string, answers = 0): Promise<{ seconds: number; text: string }> {
    using connection: RawConnection = await openRawConnection(port);
    connection.write(first);
    for (let count = 0; count < answers; count += 1) await connection.read();
    const started = performance.now();
    const timer = setInterval(() => connection.write(drop), 250);
    const text = (await connection.rest).toString('latin1');
    clearInterval(timer);
    return { seconds: (performance.now() - started) / 1_000, text };
  }

  const whoami = `GET /v1/whoami HTTP/1.1\r\n${OWN}\r\n`;
  const start = 'GET /to/api/x HTTP/1.1\r\nHost: localhost\r\n';

  const DRIPS: readonly [what: string, first: string, drop: string, answers: number, said: RegExp][] = [
    ['one byte of a field at a time', `${start}X-Long: `, 'a', 0, TIMED_OUT],
    ['one field at a time', start, 'X-Many: 1\r\n', 0, TIMED_OUT],
    ['the target', 'GET /', 'a', 0, TIMED_OUT],
    ['empty lines', '', '\r\n', 0, TIMED_OUT],
    ['nothing at all', '', '', 0, TIMED_OUT],
    ['a second head on a connection', `${whoami}${start}X-Long: `, 'a', 1, TIMED_OUT],
    ['empty lines on a connection that was used', whoami, '\r\n', 1, /^$/],
  ];
  /** All at once: each takes as long as all. */
  const dripping = new Map<string, ReturnType<typeof drip>>();

  beforeAll(() => {
    for (const [what, first, drop, answers] of DRIPS) dripping.set(what, drip(first, drop, answers));
  });

  test.each(DRIPS)('%s', async (what, _first, _drop, _answers, said) => {
    const { seconds, text } = (await dripping.get(what)) ?? { seconds: 0, text: '' };
    expect(seconds).toBeGreaterThan(9.4);
    expect(seconds).toBeLessThan(13);
    expect(text).toMatch(said);
  });
});

describe('memory', () => {
  /** `docs/guides/http.md` states it for 1,000 clients. */
  const MEBIBYTES_MAX = 768;
  const CLIENTS = 1_000;

  const peakMebibytes = () => {
    const status = readFileSync(`/proc/${gateway.process.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  };

  async function openAll(fields: string): Promise<Socket[]> {
    const sockets = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined).resume();
        await once(socket, 'connect');
        socket.write(`POST /to/api/x HTTP/1.1\r\n${OWN}${fields}\r\n`);
        return socket;
      }),
    );
    return sockets;
  }

  const writeAll = (sockets: readonly Socket[], bytes: Uint8Array) =>
    Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.write(bytes, () => resolve()))));

  /** The gateway goes on serving others, and what it has read so far is where it belongs. */
  async function expectServing(): Promise<void> {
    const answer = await call(gateway.dataUrl, '/to/api/meanwhile', { headers: { 'postern-key': coder.key } });
    expect(answer.status).toBe(200);
    expect(peakMebibytes()).toBeLessThan(MEBIBYTES_MAX);
  }

  async function closeAll(sockets: readonly Socket[]): Promise<void> {
    const closed = sockets.map((socket) => (socket.closed ? undefined : once(socket, 'close')));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  }

  test('1,000 slow clients with bodies of 10 MiB stay under what the guide states', async () => {
    const sockets = await openAll('Content-Length: 10485760\r\n');
    for (let round = 0; round < 20; round += 1) {
      await writeAll(sockets, Buffer.alloc(2_000, 'a'));
      await expectServing();
    }
    await closeAll(sockets);
  });

  test('so do 1,000 that stop just before the size at which a body leaves the memory', async () => {
    const sockets = await openAll('Transfer-Encoding: chunked\r\n');
    const chunk = Buffer.from(`10000\r\n${'a'.repeat(65_536)}\r\n`);
    for (let round = 0; round < 15; round += 1) {
      await writeAll(sockets, chunk);
      await expectServing();
    }
    // A gigabyte is with the gateway now, most of it in files without names; each client may still come to its end.
    const [first] = sockets as [Socket];
    const answered = once(first, 'data') as Promise<[Buffer]>;
    first.write('0\r\n\r\n');
    const [answer] = await answered;
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 (200|503) /);
    await closeAll(sockets);
    await expectServing();
  });
});
