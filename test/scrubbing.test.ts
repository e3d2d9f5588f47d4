import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents } from './support/audit-log.ts';
import { type EchoScene, expectClean, formsOf, ODD, readable, startEchoScene, TOKEN } from './support/echo-scene.ts';
import { call, exchangeRaw } from './support/http-client.ts';

const BASIC = Buffer.from(`robot:${TOKEN}`).toString('base64');
let scene: EchoScene;

beforeAll(async () => {
  scene = await startEchoScene();
});

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
});

afterEach(() => scene.expectCleanLog());

const credentials: [string, string][] = [
  ['bearer', TOKEN],
  ['basic', TOKEN],
  ['query', ODD],
];
const everyForm = credentials.flatMap(([name, secret]) =>
  formsOf(secret).map(([form, bytes]): [string, string, Buffer] => [name, form, bytes]),
);

test('the look-out of these tests finds every form', () => {
  for (const [, , bytes] of everyForm)
    expect(readable(Buffer.from(`{"a":"${bytes.toString('latin1')}"}`, 'latin1'))).not.toEqual([]);
});

describe.each(everyForm)('%s: the secret %s', (name, _form, bytes) => {
  test('in a body, whole and in pieces of one byte', async () => {
    const body = Buffer.concat([Buffer.from('{"before":"1","a":"'), bytes, Buffer.from('","after":"2"}')]);
    scene.answerWith('200 OK\r\ncontent-type: application/json', body);
    const whole = await scene.get(name);
    expectClean(whole);
    expect(whole.body.length).toBe(body.length);
    expect(whole.text).toMatch(/^\{"before":"1","a":".*\*{8}.*","after":"2"\}$/s);
    scene.behave((socket) => {
      const pieces = [...body].map((byte) =>
        Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]),
      );
      socket.write(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'), ...pieces]));
      socket.write('0\r\n\r\n');
    });
    expect((await scene.get(name)).body).toEqual(whole.body);
  });

  test('in an error answer, through a document', async () => {
    scene.answerWith('401 Unauthorized\r\ncontent-type: text/plain', Buffer.concat([Buffer.from('bad key '), bytes]));
    const answer = await scene.execute(name);
    expect(answer.json()).toMatchObject({ status: 401, bodyText: expect.stringMatching(/^bad key .*\*{8}/) });
    expectClean(answer);
  });

  test('in a body that is no text, through a document', async () => {
    scene.answerWith(
      '200 OK\r\ncontent-type: image/png',
      Buffer.concat([Buffer.from([0, 255, 128]), bytes, Buffer.from([0, 200])]),
    );
    const answer = await scene.execute(name);
    expect(readable(Buffer.from(answer.json().bodyBase64, 'base64'))).toEqual([]);
    expectClean(answer);
  });

  test('in headers and trailers', async () => {
    const value = bytes.toString('latin1');
    scene.behave((socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nx-echo: key=${value};\r\nx-echo: ${value}\r\nx-plain: before\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\nx-trailer: ${value}\r\n\r\n`,
        'latin1',
      );
    });
    const raw = await exchangeRaw(
      scene.gateway.dataUrl,
      `GET /to/${name}/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${scene.agentKey}\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n`,
    );
    expect(readable(raw)).toEqual([]);
    expect(raw.toString('latin1')).toMatch(
      /x-plain: before\r\n[\s\S]*2\r\nok\r\n0\r\nx-sum: 1\r\nx-trailer: .*\*{8}.*\r\n\r\n$/,
    );
    const answer = await scene.execute(name);
    expectClean(answer);
    expect(answer.json().headers['x-echo']).toEqual([
      expect.stringMatching(/^key=.*\*{8}.*;$/),
      expect.stringMatching(/\*{8}/),
    ]);
  });
});

describe('wherever a body is cut', () => {
  test.each(formsOf(TOKEN))('%s: it comes out as long and without the secret', async (_form, bytes) => {
    const body = Buffer.concat([Buffer.from('<'), bytes, Buffer.from('>')]);
    const seen = new Set<string>();
    for (let place = 1; place < body.length; place += 1) {
      scene.behave((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
        socket.write(body.subarray(0, place));
        setImmediate(() => socket.write(body.subarray(place)));
      });
      seen.add((await scene.get('bearer')).text);
    }
    expect(seen.size).toBe(1);
    expect([...seen][0]).toHaveLength(body.length);
    expect(readable(Buffer.from([...seen][0] as string))).toEqual([]);
  });
});

describe('places that are easily forgotten', () => {
  test('the target of a redirect, links and the place of the content', async () => {
    const key = encodeURIComponent(ODD);
    const links = `link: </v1/y?api_key=${key}>; rel="next"\r\ncontent-location: /v1/z?api_key=${key}`;
    scene.answerWith(`307 Temporary Redirect\r\nlocation: /v1/x?a=b&api_key=${key}&c=d\r\n${links}`);
    for (const answer of [await scene.get('query'), await scene.execute('query')]) {
      expectClean(answer);
      const fields = answer.status === 307 ? answer.headers : answer.json().headers;
      expect(fields.location).toMatch(/\/to\/query\/x\?a=b&api_key=\*+&c=d$/);
      expect(fields.link).toMatch(/^<http.*\/to\/query\/y\?api_key=\*+>; rel="next"$/);
      expect(fields['content-location']).toMatch(/\/to\/query\/z\?api_key=\*+$/);
    }
  });

  test('a redirect that is refused', async () => {
    scene.answerWith(`302 Found\r\nlocation: https://evil.test/?k=${TOKEN}`);
    const answer = await scene.get('bearer');
    expect(answer.problem().code).toBe('redirect_refused');
    expectClean(answer);
  });

  test('the reason phrase, and heads before the last one', async () => {
    scene.behave((socket) => {
      socket.write(
        `HTTP/1.1 103 ${TOKEN}\r\nlink: <${TOKEN}>\r\n\r\nHTTP/1.1 200 ${TOKEN}\r\ncontent-length: 0\r\n\r\n`,
      );
    });
    const request = `GET /to/bearer/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${scene.agentKey}\r\nConnection: close\r\n\r\n`;
    const raw = await exchangeRaw(scene.gateway.dataUrl, request);
    expect(raw.toString('latin1')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(readable(raw)).toEqual([]);
  });

  test('the name of a header', async () => {
    const name = 'tok-3a7c5e9f1b2d4680';
    scene.answerWith(`200 OK\r\nx-${Buffer.from(TOKEN).toString('hex')}: 1\r\nx-${name}: 2\r\nx-kept: 3`);
    const answer = await scene.get('bearer');
    expectClean(answer);
    expect(answer.headers).toMatchObject({ 'x-kept': '3', [`x-${name}`]: '2' });
  });

  test('the head of an answer to HEAD', async () => {
    scene.behave((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nx-echo: ${BASIC}\r\ncontent-encoding: compress\r\ncontent-length: 9\r\n\r\n`);
    });
    const answer = await call(scene.gateway.dataUrl, '/to/basic/x', {
      method: 'HEAD',
      headers: { 'postern-key': scene.agentKey },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ 'x-echo': '*'.repeat(BASIC.length), 'content-length': '9' });
  });

  test('the whole header value, the pair and the token of basic authentication', async () => {
    scene.answerWith('200 OK', `[Basic ${BASIC}] [${BASIC}] [robot:${TOKEN}] [${TOKEN}] [robot]`);
    const stars = (length: number) => '*'.repeat(length);
    expect((await scene.get('basic')).text).toBe(
      `[${stars(BASIC.length + 6)}] [${stars(BASIC.length)}] [${stars(TOKEN.length + 6)}] [${stars(TOKEN.length)}] [robot]`,
    );
  });

  test.each([
    ['a status line that is none', `HTTP/1.1 ${TOKEN}\r\n\r\n`],
    ['another protocol', `${TOKEN}\r\n`],
    ['a header that is none', `HTTP/1.1 200 OK\r\n${TOKEN}\r\n\r\n`],
    ['a header name that is none', `HTTP/1.1 200 OK\r\nx ${TOKEN}: 1\r\n\r\n`],
    ['a value that is none', `HTTP/1.1 200 OK\r\nx: ${TOKEN}\x01\r\n\r\n`],
    ['a length that is none', `HTTP/1.1 200 OK\r\ncontent-length: ${TOKEN}\r\n\r\n`],
    ['a head without end', `HTTP/1.1 200 OK\r\nx: ${TOKEN.repeat(5_000)}`],
    ['a chunk that is none', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${TOKEN}\r\n`],
    ['an answer that breaks off', `HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${TOKEN}`],
    ['a coding that is none', `HTTP/1.1 200 OK\r\ncontent-encoding: ${TOKEN}\r\ncontent-length: 0\r\n\r\n`],
    ['a redirect that is none', `HTTP/1.1 302 OK\r\nlocation: \\\\${TOKEN}\r\ncontent-length: 0\r\n\r\n`],
    ['an upgrade', `HTTP/1.1 101 Switching\r\nupgrade: ${TOKEN}\r\nconnection: upgrade\r\n\r\n`],
  ])('an answer with a fault: %s', async (_what, text) => {
    scene.behave((socket) => void socket.end(text, 'latin1'));
    for (const send of [scene.get, scene.execute]) {
      const answer = await send('bearer').catch(() => undefined);
      if (answer !== undefined) expectClean(answer);
    }
    // Also what is logged behind the answer.
    await vi.waitFor(() => expect(scene.gateway.stderr()).toContain('\n'));
  });
});

test('nothing of all that is in the audit log', async () => {
  const entries = await auditEvents(scene.gateway);
  expect(entries.length).toBeGreaterThan(300);
  expect(readable(Buffer.from(JSON.stringify(entries)))).toEqual([]);
});
