import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  openRawConnection,
  type RawAnswer,
  type RawUpstream,
  readRequestHead,
  startRawUpstream,
  startUpstream,
  type Upstream,
} from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { outcomeAt } from './support/audit-log.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/** The duties of RFC 9110 and 9112 for whoever stands between a client and a server, each at the bytes. */
const coder = newAgent('coder');
const patient = { breaker: { failures: 1_000 }, retry: { attempts: 1 }, limits: { responseBytes: 100_000_000 } };

let upstream: Upstream;
/** What the raw upstream does with a request whose head has come. */
let behave: (socket: Socket, head: string) => void;
let raw: RawUpstream;
let gateway: RunningGateway;
let port: number;

beforeAll(async () => {
  upstream = await startUpstream();
  raw = await startRawUpstream(async (socket) => {
    for (;;) {
      const head = await readRequestHead(socket);
      behave(socket, head);
    }
  });
  const integrations = [integration('api', upstream.url), integration('raw', raw.url, patient)];
  gateway = await startGateway({ config: configOf([coder], integrations) });
  port = Number(new URL(gateway.dataUrl).port);
});

afterAll(async () => {
  await gateway?.close();
  for (const server of [upstream, raw]) await server?.close();
});

beforeEach(() => {
  behave = (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
});

const OWN = `Host: localhost\r\nPostern-Key: ${coder.key}\r\n`;
const request = (method: string, path: string, fields = '', body = '') =>
  `${method} ${path} HTTP/1.1\r\n${OWN}${fields}\r\n${body}`;

async function ask(bytes: string, to?: 'HEAD'): Promise<RawAnswer> {
  using connection = await openRawConnection(port);
  connection.write(bytes);
  return await connection.read(to);
}

/** The head of the last request that the raw upstream got. */
const seenHead = () => {
  const all = Buffer.concat(raw.received).toString('latin1');
  const start = Math.max(...['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS'].map((method) => all.lastIndexOf(`${method} /`)));
  return all.slice(start, all.indexOf('\r\n\r\n', start)).toLowerCase().split('\r\n');
};

describe('fields of one hop', () => {
  test('neither those of HTTP nor those that Connection names pass to the upstream, however it is written', async () => {
    const fields =
      'Connection: close, X-One ,,x-TWO\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nconnection: \tX-Three\r\nX-Four: 4\r\n' +
      'Keep-Alive: timeout=5\r\nTE: trailers, deflate\r\nTrailer: X-Sum\r\nProxy-Connection: keep-alive\r\nHTTP2-Settings: AAMA\r\n';
    await ask(request('GET', '/to/raw/x', fields));
    const names = seenHead().map((line) => line.split(':')[0]);
    expect(names).toContain('x-four');
    for (const name of [
      'x-one',
      'x-two',
      'x-three',
      'keep-alive',
      'te',
      'trailer',
      'proxy-connection',
      'http2-settings',
    ])
      expect(names).not.toContain(name);
  });

  test('nor back to the client', async () => {
    behave = (socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nConnection: X-Hop, x-HOP2\r\nX-Hop: 1\r\nX-Hop2: 2\r\nX-Kept: 3\r\nKeep-Alive: timeout=9\r\n' +
          'TE: x\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok',
      );
    const { headers } = await ask(request('GET', '/to/raw/x'));
    expect(headers['x-kept']).toBe('3');
    for (const name of ['x-hop', 'x-hop2', 'te', 'trailer', 'upgrade', 'proxy-authenticate'])
      expect(headers).not.toHaveProperty(name);
    expect(headers['keep-alive']).not.toBe('timeout=9');
  });

  test('Connection cannot name the framing, the host or the credential away', async () => {
    await ask(
      request(
        'POST',
        '/to/raw/x',
        'Connection: host, content-length, via, x-request-id\r\nContent-Length: 2\r\n',
        'ab',
      ),
    );
    const names = seenHead().map((line) => line.split(':')[0]);
    for (const name of ['host', 'content-length', 'via', 'x-request-id']) expect(names).toContain(name);
    behave = (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nConnection: content-length, date\r\ncontent-length: 2\r\n\r\nok');
    const answer = await ask(request('GET', '/to/raw/x'));
    expect(answer.body.toString()).toBe('ok');
  });
});

describe('who has passed a message on', () => {
  test('the upstream gets our Via alone, with the version that the client spoke', async () => {
    await ask(
      request(
        'GET',
        '/to/raw/x',
        'Via: 1.1 somebody, 1.0 else\r\nForwarded: for=10.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\n',
      ),
    );
    expect(seenHead().filter((line) => line.startsWith('via:'))).toEqual([
      expect.stringMatching(/^via: 1\.1 postern-?\S*$/),
    ]);
    expect(seenHead().filter((line) => /^(x-)?forwarded/.test(line))).toEqual([]);
    using old = await openRawConnection(port);
    old.write(`GET /to/raw/x HTTP/1.0\r\n${OWN}\r\n`);
    await old.rest;
    expect(seenHead().filter((line) => line.startsWith('via:'))).toEqual([expect.stringMatching(/^via: 1\.0 /)]);
  });

  test('a request that names us is a loop', async () => {
    await ask(request('GET', '/to/raw/x'));
    const ours = seenHead()
      .find((line) => line.startsWith('via:'))
      ?.slice(5);
    for (const via of [ours, `1.0 a, ${ours}`, `1.0 a (x), ${ours?.toUpperCase()} (comment), 1.1 b`]) {
      const answer = await ask(request('GET', '/to/raw/x', `Via: ${via}\r\n`));
      expect([via, answer.status, JSON.parse(answer.body.toString()).code]).toEqual([via, 403, 'address_forbidden']);
    }
  });

  test('an answer has a Date: the upstream’s, else ours', async () => {
    expect(Date.parse((await ask(request('GET', '/to/raw/x'))).headers['date'] ?? '')).toBeGreaterThan(0);
    const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
    behave = (socket) => socket.write(`HTTP/1.1 200 OK\r\ndate: ${date}\r\ncontent-length: 2\r\n\r\nok`);
    expect((await ask(request('GET', '/to/raw/x'))).headers['date']).toBe(date);
    expect((await ask('noise\r\n\r\n')).headers['date']).toBeTruthy();
  });

  test.each([
    ['0', 'OPTIONS', 0, undefined],
    ['1', 'OPTIONS', 1, '0'],
    ['10', 'OPTIONS', 1, '9'],
    ['x', 'OPTIONS', 1, 'x'],
    ['0', 'GET', 1, '0'],
  ])('Max-Forwards: %s of %s', async (value, method, sent, passed) => {
    const before = upstream.requests.length;
    const answer = await ask(request(method, '/to/api/x', `Max-Forwards: ${value}\r\n`));
    expect(upstream.requests.length - before).toBe(sent);
    if (passed === undefined) {
      expect(answer.status).toBe(204);
      expect(answer.headers['allow']).toContain('OPTIONS');
    } else expect(upstream.requests.at(-1)?.headers['max-forwards']).toBe(passed);
  });
});

describe('answers without a body', () => {
  const answers = (text: string) => {
    behave = (socket) => socket.write(text);
  };

  test('HEAD keeps the length that GET would have, and the next answer is the next one’s', async () => {
    answers('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n');
    using connection = await openRawConnection(port);
    connection.write(request('HEAD', '/to/raw/x'));
    const head = await connection.read('HEAD');
    expect([head.status, head.headers['content-length']]).toEqual([200, '1000000']);
    connection.write(request('GET', '/v1/whoami'));
    expect(JSON.parse((await connection.read()).body.toString()).agent).toBe('coder');
  });

  test('a HEAD without length gets none, and no chunks', async () => {
    answers('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
    using connection = await openRawConnection(port);
    connection.write(request('HEAD', '/to/raw/x') + request('GET', '/v1/whoami'));
    const head = await connection.read('HEAD');
    expect(head.headers).not.toHaveProperty('content-length');
    expect(JSON.parse((await connection.read()).body.toString()).agent).toBe('coder');
  });

  test.each([
    ['204 with a length', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', 204],
    ['204 with chunks', 'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n', 204],
    ['204 with neither', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: "x"\r\n\r\n', 304],
    ['304 with neither', 'HTTP/1.1 304 Not Modified\r\netag: "x"\r\n\r\n', 304],
    ['205 with no body', 'HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n', 205],
  ])('%s', async (_what, text, status) => {
    answers(text);
    using connection = await openRawConnection(port);
    connection.write(request('GET', '/to/raw/x'));
    const answer = await connection.read();
    expect(answer.status).toBe(status);
    // RFC 9110 section 8.6: a 204 has no length at all, a 304 that of what it stands for.
    if (status === 204) expect(answer.headers).not.toHaveProperty('content-length');
    if (text.includes('304') && text.includes('length')) expect(answer.headers['content-length']).toBe('5');
    expect(answer.headers).not.toHaveProperty('transfer-encoding');
    connection.write(request('GET', '/v1/whoami'));
    expect(JSON.parse((await connection.read()).body.toString()).agent).toBe('coder');
  });

  test('interim answers stay behind; the final one passes', async () => {
    answers(
      'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
    );
    const answer = await ask(request('GET', '/to/raw/x'));
    expect([answer.status, answer.body.toString()]).toEqual([200, 'ok']);
    expect(answer.headers).not.toHaveProperty('link');
  });

  test.each([
    [
      'a coding that nobody takes off',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    ['a coding that nobody knows', 'HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\nconnection: close\r\n\r\nok'],
    [
      'a coding beside a length',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    ],
  ])('%s is no answer', async (_what, text) => {
    behave = (socket) => socket.end(text);
    const answer = await ask(request('GET', '/to/raw/x'));
    expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([502, 'upstream_reset']);
  });
});

describe('clients of HTTP/1.0', () => {
  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n';

  test('get no chunks: the connection’s end ends the body', async () => {
    behave = (socket) => socket.write(chunked);
    using connection = await openRawConnection(port);
    connection.write(`GET /to/raw/x HTTP/1.0\r\n${OWN}\r\n`);
    const text = (await connection.rest).toString('latin1');
    expect(text.toLowerCase()).not.toMatch(/transfer-encoding|keep-alive/);
    expect(text).toMatch(/\r\n\r\nok!$/);
  });

  test('keep the connection only when they ask, and only with a length', async () => {
    using connection = await openRawConnection(port);
    const old = (path: string) => `GET ${path} HTTP/1.0\r\n${OWN}Connection: keep-alive\r\n\r\n`;
    connection.write(old('/to/raw/x'));
    expect((await connection.read()).headers['connection']).toBe('keep-alive');
    connection.write(old('/v1/whoami'));
    expect(JSON.parse((await connection.read()).body.toString()).agent).toBe('coder');
    behave = (socket) => socket.write(chunked);
    connection.write(old('/to/raw/x'));
    expect((await connection.rest).toString('latin1')).toMatch(/connection: close\r\n.*\r\nok!$/is);
  });

  test('may not ask for an upgrade or for 100 Continue, and are answered as if they had not', async () => {
    for (const fields of [
      'Upgrade: websocket\r\nConnection: upgrade\r\n',
      'Expect: 100-continue\r\n',
      'Expect: tea\r\n',
    ]) {
      using connection = await openRawConnection(port);
      connection.write(`POST /to/raw/x HTTP/1.0\r\n${OWN}${fields}Content-Length: 2\r\n\r\nab`);
      expect((await connection.rest).toString('latin1')).toMatch(/^HTTP\/1\.1 200 OK/);
    }
  });

  test('an upstream of HTTP/1.0 is heard to its end', async () => {
    behave = (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nold');
    expect((await ask(request('GET', '/to/raw/x'))).body.toString()).toBe('old');
    behave = (socket) => socket.end('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nold\r\n0\r\n\r\n');
    const answer = await ask(request('GET', '/to/raw/x'));
    expect(answer.status === 502 || answer.body.toString() === 'old').toBe(true);
  });
});

describe('connections', () => {
  test.each(['close', 'Close', 'keep-alive, close', 'close, x'])(
    'Connection: %s ends it behind the answer',
    async (value) => {
      using connection = await openRawConnection(port);
      connection.write(request('GET', '/to/raw/x', `Connection: ${value}\r\n`));
      expect((await connection.read()).headers['connection']).toBe('close');
      expect((await connection.rest).byteLength).toBe(0);
    },
  );

  test('an upstream that closes behind its answer does not close the client’s', async () => {
    behave = (socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok');
    using connection = await openRawConnection(port);
    for (let round = 0; round < 3; round += 1) {
      connection.write(request('GET', '/to/raw/x'));
      const answer = await connection.read();
      expect([answer.body.toString(), answer.headers['connection']]).toEqual(['ok', 'keep-alive']);
    }
  });

  test('an answer before the end of the request passes, and the next call is in step', async () => {
    // Large enough to be spooled and sent in pieces; the upstream reads nothing of it.
    const body = 'a'.repeat(4_000_000);
    behave = (socket) => {
      socket.pause();
      socket.write('HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 5\r\n\r\nlarge');
    };
    using connection = await openRawConnection(port);
    connection.write(request('POST', '/to/raw/x', `Content-Length: ${body.length}\r\n`, body));
    const answer = await connection.read();
    expect([answer.status, answer.body.toString()]).toEqual([413, 'large']);
    connection.write(request('GET', '/to/api/after'));
    expect(JSON.parse((await connection.read()).body.toString()).url).toBe('/after');
  });

  test('a reset in the middle of an answer is a cut for the client, and never an end', async () => {
    for (const head of ['content-length: 10', 'transfer-encoding: chunked']) {
      behave = (socket) =>
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${head.includes('length') ? 'hello' : '5\r\nhello\r\n'}`, () =>
          socket.resetAndDestroy(),
        );
      using connection = await openRawConnection(port);
      connection.write(request('GET', '/to/raw/cut'));
      const text = (await connection.rest).toString('latin1');
      expect(text).toMatch(/^HTTP\/1\.1 (200|502) /);
      expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
      await expect(connection.read().then(({ status }) => status)).rejects.toThrow();
    }
  });
});

describe('bodies', () => {
  test('chunks and gzip pass both ways as they are', async () => {
    const packed = gzipSync('a'.repeat(10_000));
    upstream.answerWith((_seen, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' });
      response.write(packed.subarray(0, 10));
      response.end(packed.subarray(10));
    });
    const chunks = `a\r\n${packed.toString('latin1', 0, 10)}\r\n${(packed.length - 10).toString(16)}\r\n${packed.toString('latin1', 10)}\r\n0\r\n\r\n`;
    const fields = 'Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n';
    const answer = await ask(request('POST', '/to/api/x', fields, chunks));
    expect(gunzipSync(answer.body).toString()).toBe('a'.repeat(10_000));
    const seen = upstream.requests.at(-1);
    expect([seen?.headers['content-encoding'], gunzipSync(seen?.body ?? packed).toString()]).toEqual([
      'gzip',
      'a'.repeat(10_000),
    ]);
  });

  test('events pass one by one, and a client that leaves ends the upstream call', async () => {
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    let send: (event: string) => void = () => undefined;
    behave = (socket) => {
      socket.once('close', leave);
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n');
      send = (event) => void socket.write(event);
    };
    const connection = await openRawConnection(port);
    connection.write(request('GET', '/to/raw/events'));
    await connection.received((text) => text.includes('\r\n\r\n'));
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      send(event);
      await connection.received((text) => text.includes(event));
    }
    connection.socket.destroy();
    await left;
    expect(await outcomeAt(gateway, `${raw.url}/events`)).toMatchObject({ code: 'client_gone' });
  });

  test('a slow reader holds the upstream back, and gets every byte in the end', async () => {
    // More than the kernels take.
    const total = 67_108_864;
    let written = 0;
    let isHeld = false;
    behave = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
      const piece = Buffer.alloc(65_536, 'a');
      const pump = () => {
        while (written < total) {
          written += piece.length;
          if (!socket.write(piece)) {
            isHeld = true;
            socket.once('drain', pump);
            return;
          }
        }
      };
      pump();
    };
    const client = connect(port, '127.0.0.1');
    await once(client, 'connect');
    client.pause();
    client.write(request('GET', '/to/raw/slow', 'Connection: close\r\n'));
    // Asked until nothing moves any more; what is on the way is in the kernels' hands and in ours.
    let before = -1;
    while (before !== written || !isHeld) {
      before = written;
      await ask(request('GET', '/v1/whoami'));
      await ask(request('GET', '/v1/whoami'));
    }
    expect(written).toBeLessThan(total);
    let received = 0;
    let head = 0;
    for await (const chunk of client as AsyncIterable<Buffer>) {
      if (received === 0) head = chunk.indexOf('\r\n\r\n') + 4;
      received += chunk.byteLength;
    }
    expect(received - head).toBe(total);
  });
});

describe('the limits of a head, at the exact byte and field', () => {
  const long = (bytes: number, count: number) => {
    const names = Array.from({ length: count }, (_, index) => `X-${index}: `);
    const frame = request('GET', '/v1/whoami', names.map((name) => `${name}\r\n`).join('')).length;
    const filler = bytes - frame;
    const share = Math.floor(filler / count);
    const values = names.map((_name, index) => 'a'.repeat(index === 0 ? filler - share * (count - 1) : share));
    return request('GET', '/v1/whoami', names.map((name, index) => `${name}${values[index]}\r\n`).join(''));
  };

  test.each([1, 50, 98])('32,768 bytes in %i fields pass, one more is 431', async (count) => {
    expect(long(32_768, count)).toHaveLength(32_768);
    expect((await ask(long(32_768, count))).status).toBe(200);
    const refused = await ask(long(32_769, count));
    expect([refused.status, JSON.parse(refused.body.toString()).code]).toEqual([431, 'headers_too_large']);
  });

  test('a head without end is 431 before it has all come', async () => {
    using connection = await openRawConnection(port);
    connection.write(`GET /v1/whoami HTTP/1.1\r\n${OWN}X-Long: ${'a'.repeat(40_000)}`);
    expect((await connection.read()).status).toBe(431);
    expect((await connection.rest).byteLength).toBe(0);
  });

  test('an endless line of a request is 431 as well', async () => {
    using connection = await openRawConnection(port);
    connection.write(`GET /${'a'.repeat(40_000)}`);
    expect((await connection.read()).status).toBe(431);
  });
});

describe('what is refused by hand', () => {
  test('CONNECT is 405 and tells what would be right', async () => {
    const answer = await ask('CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n');
    expect([answer.status, answer.headers['allow']]).toEqual([405, expect.stringContaining('GET')]);
  });

  test('each is counted and has its line in the log', async () => {
    const answer = await ask('noise\r\n\r\n');
    const { requestId } = JSON.parse(answer.body.toString());
    while (!gateway.stderr().includes(requestId)) await once(gateway.process.stderr as NodeJS.ReadableStream, 'data');
    const line =
      gateway
        .stderr()
        .split('\n')
        .find((text) => text.includes(requestId)) ?? '';
    expect(JSON.parse(line)).toMatchObject({ status: 400, code: 'malformed_request', client: '127.0.0.1' });
  });
});
