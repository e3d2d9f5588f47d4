import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, eventualAuditEvents } from './support/audit-log.ts';
import { type EchoScene, expectClean, formsOf, readable, startEchoScene, TOKEN } from './support/echo-scene.ts';
import { type Answer, call } from './support/http-client.ts';

let scene: EchoScene;

beforeAll(async () => {
  scene = await startEchoScene();
});

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
});

afterEach(() => scene.expectCleanLog());

/** The connection is cut: by an error, or by too few bytes. */
async function expectCut(sending: Promise<Answer>): Promise<void> {
  await expect(sending).rejects.toThrow(/aborted|hang up|reset|socket/i);
}

let paths = 0;
function newPath(): string {
  paths += 1;
  return `/path-${paths}`;
}

const codings: [string, (bytes: Uint8Array) => Buffer][] = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['identity, GZip', gzipSync],
];

describe.each(codings)('a body of coding %s', (coding, encode) => {
  const head = `200 OK\r\ncontent-type: application/json\r\ncontent-encoding: ${coding}`;

  test('without the secret passes as it is', async () => {
    for (const text of ['{}', '{"a":"tok-3a7c"}', 'x'.repeat(200_000)]) {
      const body = encode(Buffer.from(text));
      scene.answerWith(head, body);
      const answer = await scene.get('bearer');
      expect(answer.headers['content-encoding']).toBe(coding);
      expect(answer.body).toEqual(body);
      const document = (await scene.execute('bearer')).json();
      expect(Buffer.from(document.bodyBase64, 'base64')).toEqual(body);
    }
    scene.answerWith(head);
    expect((await scene.get('bearer')).body).toHaveLength(0);
  });

  test('passes byte by byte as it comes', async () => {
    const body = encode(Buffer.from(JSON.stringify({ text: 'the small guarded gate '.repeat(5), key: 'tok-3a' })));
    scene.behave((socket) => {
      socket.write(`HTTP/1.1 ${head}\r\ntransfer-encoding: chunked\r\n\r\n`);
      for (const byte of body)
        socket.write(Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]));
      socket.write('0\r\n\r\n');
    });
    expect((await scene.get('bearer')).body).toEqual(body);
  });

  test.each(formsOf(TOKEN))('with the secret %s is cut, and recorded as a violation', async (_form, bytes) => {
    const path = newPath();
    scene.answerWith(head, encode(Buffer.concat([Buffer.from('{"a":"'), bytes, Buffer.from('"}')])));
    await expectCut(scene.get('bearer', path));
    const { outcome, violations, entries } = await scene.recordOf('bearer', path);
    expect(outcome).toMatchObject({ result: 'failed', status: 200, code: 'upstream_reset' });
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatchObject({ requestId: outcome.requestId, credential: 'token', agent: 'coder' });
    expect(readable(Buffer.from(JSON.stringify(entries)))).toEqual([]);
    await vi.waitFor(() =>
      expect(scene.gateway.stderr()).toMatch(new RegExp(`secret_in_answer.*${outcome.requestId}`)),
    );
  });

  test('with the secret is refused through a document', async () => {
    scene.answerWith(head, encode(Buffer.from(`{"a":"${TOKEN}"}`)));
    const answer = await scene.execute('bearer');
    expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_reset', retryable: false });
    expectClean(answer);
    const { requestId } = answer.problem();
    const entries = await eventualAuditEvents(scene.gateway, { requestId }, 3);
    expect(entries.map(({ type }) => type).sort()).toEqual(['intent', 'outcome', 'violation']);
    expect(entries.find(({ type }) => type === 'outcome')).toMatchObject({ result: 'failed', code: 'upstream_reset' });
  });

  test('that breaks off, or is not what it says, is cut', async () => {
    const body = encode(Buffer.from(JSON.stringify({ text: 'the small guarded gate '.repeat(50) })));
    for (const bytes of [
      body.subarray(0, body.length - 3),
      Buffer.concat([body, Buffer.from(`and ${TOKEN}`)]),
      Buffer.from('{"a":"plain text, whatever the label says"}'),
    ]) {
      const path = newPath();
      scene.answerWith(head, bytes);
      await expectCut(scene.get('bearer', path));
      const { outcome } = await scene.recordOf('bearer', path);
      expect(outcome).toMatchObject({ result: 'failed', code: 'upstream_reset' });
      expect((await scene.execute('bearer')).problem()).toMatchObject({ status: 502, code: 'upstream_reset' });
    }
  });
});

describe('encoded bodies', () => {
  test('of several members are searched to the end', async () => {
    const clean = Buffer.concat([gzipSync('one '), gzipSync('two')]);
    scene.answerWith('200 OK\r\ncontent-encoding: gzip', clean);
    expect(gunzipSync((await scene.get('bearer')).body).toString()).toBe('one two');
    scene.answerWith(
      '200 OK\r\ncontent-encoding: gzip',
      Buffer.concat([gzipSync(TOKEN.slice(0, 9)), gzipSync(TOKEN.slice(9))]),
    );
    await expectCut(scene.get('bearer', '/members'));
    expect((await scene.recordOf('bearer', '/members')).violations).toHaveLength(1);
  });

  test('may not hide the secret in what is not decoded', async () => {
    const [plain, name] = [gzipSync('nothing here'), Buffer.from(`${TOKEN}\0`)];
    const named = Buffer.concat([
      plain.subarray(0, 3),
      Buffer.from([8]),
      plain.subarray(4, 10),
      name,
      plain.subarray(10),
    ]);
    expect(gunzipSync(named).toString()).toBe('nothing here');
    scene.answerWith('200 OK\r\ncontent-encoding: gzip', named);
    await expectCut(scene.get('bearer', '/named'));
    expect((await scene.recordOf('bearer', '/named')).violations).toHaveLength(1);
  });

  test.each(['gzip, gzip', 'br, gzip', 'compress', 'exi', 'aws-chunked', 'gzip;q=1'])(
    'of the coding %s are refused, with and without a body of their own',
    async (coding) => {
      scene.answerWith(`200 OK\r\ncontent-encoding: ${coding}`, gzipSync(gzipSync(TOKEN)));
      for (const send of [scene.get, scene.execute]) {
        const answer = await send('bearer');
        expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_reset' });
        expectClean(answer);
        const [outcome] = await eventualAuditEvents(scene.gateway, {
          requestId: answer.problem().requestId,
          type: 'outcome',
        });
        expect(outcome).toMatchObject({ result: 'failed', code: 'upstream_reset' });
      }
      scene.answerWith(`304 Not Modified\r\ncontent-encoding: ${coding}`);
      expect((await scene.get('bearer')).status).toBe(304);
      expect((await scene.get('none')).status).toBe(304);
    },
  );

  test('of two fields are one over the other', async () => {
    scene.answerWith('200 OK\r\ncontent-encoding: gzip\r\ncontent-encoding: gzip', gzipSync(gzipSync('x')));
    expect((await scene.get('bearer')).status).toBe(502);
    scene.answerWith('200 OK\r\ncontent-encoding: identity\r\ncontent-encoding: gzip', gzipSync('x'));
    expect((await scene.get('bearer')).status).toBe(200);
  });

  test('that say nothing of it are passed as the bytes they are', async () => {
    const file = gzipSync(Buffer.from('a file of its own'));
    scene.answerWith('200 OK\r\ncontent-type: application/gzip', file);
    expect((await scene.get('bearer')).body).toEqual(file);
  });

  test('that unfold to more than sixteen times the limit are cut', async () => {
    const fits = gzipSync(Buffer.alloc(300_000 * 16));
    scene.answerWith('200 OK\r\ncontent-encoding: gzip', fits);
    expect((await scene.get('small')).body).toEqual(fits);
    scene.answerWith('200 OK\r\ncontent-encoding: gzip', gzipSync(Buffer.alloc(300_000 * 16 + 1)));
    await expectCut(scene.get('small', '/bomb'));
    expect((await scene.recordOf('small', '/bomb')).outcome).toMatchObject({
      result: 'failed',
      code: 'response_too_large',
    });
    expect((await scene.execute('small')).problem().code).toBe('response_too_large');
    scene.answerWith('200 OK\r\ncontent-encoding: br', brotliCompressSync(Buffer.alloc(50_000_000)));
    await expectCut(scene.get('small', '/brotli-bomb'));
    scene.answerWith('200 OK\r\ncontent-encoding: zstd', zstdCompressSync(Buffer.alloc(50_000_000)));
    await expectCut(scene.get('small', '/zstd-bomb'));
  });
});

describe('event streams', () => {
  const STREAM = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n';

  /** Lets the test write the upstream's answer, and read what the client has got. */
  async function openStream(name: string, head: string) {
    const held = Promise.withResolvers<Socket>();
    const path = newPath();
    scene.behave((socket) => held.resolve(socket));
    const { hostname, port } = new URL(scene.gateway.dataUrl);
    const outgoing = httpRequest({
      hostname,
      port,
      path: `/to/${name}${path}`,
      headers: { 'postern-key': scene.agentKey },
      agent: false,
    });
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    outgoing.end();
    const socket = await held.promise;
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
    const [response] = await answered;
    let got = Buffer.alloc(0);
    response.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
    });
    response.on('error', () => undefined);
    const closed = new Promise((resolve) => response.on('close', resolve));
    return {
      path,
      closed,
      send: (bytes: string | Uint8Array) => {
        const chunk = Buffer.from(bytes as string);
        socket.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]));
      },
      end: () => socket.write('0\r\n\r\n'),
      got: () => got,
      response,
      /** Resolves when as many bytes have come; fails the test when they do not. */
      received: (length: number) => vi.waitFor(() => expect(got.length).toBe(length), { timeout: 5_000, interval: 5 }),
    };
  }

  test('an event that cannot end in the secret passes before the next is there, one that can waits for it', async () => {
    const stream = await openStream('bearer', STREAM);
    let length = 0;
    for (const event of ['data: 1\n\n', 'data: {"a":"tok-3a7c/x"}\n\n', `data: "${TOKEN}"\n\n`, 'data: \\u0074\n\n']) {
      stream.send(event);
      length += event.length;
      await stream.received(length);
    }
    expect(stream.got().toString()).toContain(`data: "${'*'.repeat(TOKEN.length)}"\n\n`);
    stream.send('data: tok-');
    await stream.received(length + 6);
    stream.send('3a7c');
    stream.send('/5e');
    stream.send('9f+1b2d4680\n\n');
    length += 'data: \n\n'.length + TOKEN.length;
    await stream.received(length);
    stream.send('data: tok-');
    await stream.received(length + 6);
    stream.end();
    await once(stream.response, 'end');
    expect(
      stream
        .got()
        .toString()
        .endsWith(`data: ${'*'.repeat(TOKEN.length)}\n\ndata: tok-`),
    ).toBe(true);
  });

  test('a compressed one passes event by event, and is cut before the secret is whole', async () => {
    const stream = await openStream('bearer', `${STREAM}content-encoding: gzip\r\n`);
    const gzip = createGzip();
    const encoded = async (text: string) => {
      gzip.write(text);
      await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve));
      return gzip.read() as Buffer;
    };
    let length = 0;
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: tok-3a7c\n\n']) {
      const bytes = await encoded(event);
      stream.send(bytes);
      length += bytes.length;
      await stream.received(length);
      expect(gunzipSync(stream.got(), { finishFlush: constants.Z_SYNC_FLUSH }).toString().endsWith(event)).toBe(true);
    }
    stream.send(await encoded(`data: ${TOKEN.slice(0, 15)}`));
    stream.send(await encoded(TOKEN.slice(15)));
    await stream.closed;
    expect(stream.response.complete).toBe(false);
    expect(stream.got()).toHaveLength(length);
    expect((await scene.recordOf('bearer', stream.path)).violations).toHaveLength(1);
  });
});

describe('scrub: false, and integrations without a credential', () => {
  test.each(['open', 'none'])('%s: answers pass as they are, whatever their coding', async (name) => {
    const body = `{"a":"${TOKEN.slice(0, -1)}"}`;
    const encoded = gzipSync(gzipSync(body));
    scene.answerWith('200 OK\r\ncontent-encoding: gzip, gzip', encoded);
    expect((await scene.get(name)).body).toEqual(encoded);
    expect(Buffer.from((await scene.execute(name)).json().bodyBase64, 'base64')).toEqual(encoded);
  });

  test.each([
    ['bearer', 'gzip, deflate, br, zstd', 'gzip, deflate, br, zstd'],
    ['bearer', 'compress, GZIP;q=0.5, exi', 'GZIP;q=0.5'],
    ['bearer', 'compress', 'identity'],
    ['bearer', '*', 'gzip, deflate, br, zstd'],
    ['bearer', 'br;q=1.0, *;q=0.1', 'br;q=1.0, gzip;q=0.1, deflate;q=0.1, zstd;q=0.1'],
    ['bearer', 'identity', 'identity'],
    ['open', 'compress, *', 'compress, *'],
    ['none', 'compress, *', 'compress, *'],
  ])('%s: of %s the upstream is asked for %s', async (name, given, asked) => {
    let head = '';
    scene.behave((socket, text) => {
      head = text;
      socket.write('HTTP/1.1 204 No Content\r\n\r\n');
    });
    await scene.get(name, '/x', { 'accept-encoding': given });
    expect(/^accept-encoding: (.*)\r$/im.exec(head)?.[1]).toBe(asked);
  });
});

test('nothing of all that is in the audit log or the metrics, but that it happened', async () => {
  const entries = await auditEvents(scene.gateway);
  expect(entries.length).toBeGreaterThan(300);
  expect(readable(Buffer.from(JSON.stringify(entries)))).toEqual([]);
  const { text } = await call(scene.gateway.adminUrl, '/metrics');
  expect(text).toMatch(/postern_upstream_errors_total\{class="secret_in_answer"\} [1-9]/);
  expect(text).toMatch(/postern_upstream_errors_total\{class="answer_unsearchable"\} [1-9]/);
  expect(readable(Buffer.from(text))).toEqual([]);
});
