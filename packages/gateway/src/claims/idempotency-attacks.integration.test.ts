import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, type CallOptions, call, openRaw, postJson } from '../client.fixture.ts';
import { TENANT, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';
import { SECRET, startOn } from '../refused-call.fixture.ts';

const MIB = 1_048_576;

let upstream: Upstream;
let gateway: TestGateway;
/** Requests of earlier tests. */
let seen = 0;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  await gateway?.close();
});

const start = async (options: TestGatewayOptions = {}, integration: object = {}) => {
  gateway = await startOn(upstream.port, options, { retry: { attempts: 1 }, ...integration });
  seen = upstream.requests.length;
  upstream.answerWith((_request, response) => void response.end('done'));
};

const sent = () => upstream.requests.slice(seen);

const keyed = (key: string, options: CallOptions = {}, path = '/to/api/things') =>
  call(gateway, path, {
    method: 'POST',
    ...(options.method === undefined ? { body: 'a' } : {}),
    ...options,
    headers: { 'idempotency-key': key, 'content-type': 'text/plain', ...options.headers },
  });

const kept = (answer: Answer) => answer.headers['postern-idempotency'];

async function claimOf(key: string) {
  await gateway.journal.flush();
  const scope = { tenant: TENANT, agent: 'coder', integration: 'api', key };
  return await gateway.repositories.claims.find(scope, Date.now());
}

describe('a key', () => {
  test.each<[string, string | string[]]>([
    ['of no characters', ''],
    ['of no characters, quoted', '""'],
    ['of 256 characters', 'k'.repeat(256)],
    ['with a space', 'a b'],
    ['with a character beyond ASCII', 'schlüssel'],
    ['with a control character, quoted', '"a\tb"'],
    ['given twice', ['k-1', 'k-2']],
  ])('%s is refused, and nothing is sent', async (_what, key) => {
    await start();
    const values = [key].flat().map((value) => Buffer.from(value, 'utf8').toString('latin1'));
    const answer = await keyed('', { headers: { 'idempotency-key': values } });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'malformed_request' });
    expect(kept(answer)).toBe('none');
    expect(sent()).toHaveLength(0);
  });

  test.each(['', 'k'.repeat(256), 'a b', 'schlüssel', 5, null, ['k']])(
    'in a document that is %j is refused',
    async (idempotencyKey) => {
      await start();
      const document = { integration: 'api', request: { method: 'POST', path: '/things' }, idempotencyKey };
      expect([400, 422]).toContain((await postJson(gateway, '/v1/execute', document)).problem().status);
      expect(sent()).toHaveLength(0);
    },
  );

  test('of 1 and of 255 characters is kept, and so is one that looks like code', async () => {
    await start();
    for (const key of ['k', 'k'.repeat(255), `'; drop table claims; --`.replaceAll(' ', '+'), '%00', '../..', '{}']) {
      expect(kept(await keyed(key)), key).toBe('stored');
      expect(kept(await keyed(key)), key).toBe('replayed');
    }
    expect(sent()).toHaveLength(6);
  });

  test('is one in a header and in a document, and belongs to its agent and integration', async () => {
    await start();
    const first = await keyed('k-1');
    const document = {
      integration: 'api',
      request: { method: 'POST', path: '/things', headers: { 'content-type': 'text/plain' }, bodyText: 'a' },
      idempotencyKey: 'k-1',
    };
    const again = await postJson(gateway, '/v1/execute', document);
    expect(first.status).toBe(200);
    expect(again.json()).toMatchObject({ idempotency: 'replayed', bodyText: 'done' });
    expect(kept(again)).toBe('replayed');
    expect(sent()).toHaveLength(1);
  });
});

describe('what makes another call of it', () => {
  test.each<[string, CallOptions, string?]>([
    ['another body', { body: 'b' }],
    ['no body', { body: '' }],
    ['another header', { headers: { 'x-more': '1' } }],
    ['another value of a header', { headers: { 'content-type': 'text/html' } }],
    ['another method', { method: 'PUT', body: 'a' }],
    ['another path', {}, '/to/api/others'],
    ['a query', {}, '/to/api/things?'.concat('x=1')],
  ])('%s', async (_what, options, path) => {
    await start();
    await keyed('k-1');
    const answer = await keyed('k-1', options, path);
    expect(answer.problem()).toMatchObject({ status: 422, code: 'idempotency_key_mismatch' });
    expect(kept(answer)).toBe('none');
    expect(answer.text).not.toContain('done');
    expect(sent()).toHaveLength(1);
  });

  test.each<[string, CallOptions]>([
    ['another user agent', { headers: { 'user-agent': 'other', 'x-request-id': '7', 'accept-encoding': 'gzip' } }],
    ['a preference to wait', { headers: { prefer: 'wait=5' } }],
  ])('not %s', async (_what, options) => {
    await start();
    await keyed('k-1');
    expect(kept(await keyed('k-1', options))).toBe('replayed');
    expect(sent()).toHaveLength(1);
  });

  test('not a new version of the secret', async () => {
    await start();
    await keyed('k-1');
    await gateway.change((context) => gateway.writeSecret('token', 'secret-of-another-version', context));
    expect(kept(await keyed('k-1'))).toBe('replayed');
  });
});

describe('an answer', () => {
  test.each([0, 1, MIB - 1, MIB])('of %i bytes is given again byte for byte', async (bytes) => {
    await start();
    const body = randomBytes(bytes);
    upstream.answerWith((_request, response) => void response.writeHead(207, { 'x-kind': 'a' }).end(body));
    const first = await keyed('k-1');
    const again = await keyed('k-1');
    expect([again.status, kept(again), again.headers['x-kind']]).toEqual([207, 'replayed', 'a']);
    expect(again.body.equals(body) && first.body.equals(body)).toBe(true);
    expect(sent()).toHaveLength(1);
  });

  test('in pieces comes whole to whoever reads slowly or fast', async () => {
    await start();
    const body = randomBytes(MIB);
    upstream.answerWith((_request, response) => void response.writeHead(200).end(body));
    for (let count = 0; count < 40; count += 1) {
      expect((await keyed(`k-${count}`)).body.equals(body)).toBe(true);
      expect((await keyed(`k-${count}`)).body.equals(body)).toBe(true);
    }
    expect(sent()).toHaveLength(40);
  });

  test('past the limit is passed on and not kept, in pieces or whole, also in a document', async () => {
    await start();
    const body = Buffer.alloc(MIB + 1, 'x');
    upstream.answerWith((_request, response) => {
      response.write(body.subarray(0, 1_000));
      response.end(body.subarray(1_000));
    });
    expect((await keyed('k-1')).body.byteLength).toBe(MIB + 1);
    expect((await keyed('k-1')).problem()).toMatchObject({ status: 409, code: 'replay_unavailable' });
    const document = { integration: 'api', request: { method: 'POST', path: '/x' }, idempotencyKey: 'k-2' };
    expect((await postJson(gateway, '/v1/execute', document)).status).toBe(200);
    expect((await postJson(gateway, '/v1/execute', document)).problem()).toMatchObject({ code: 'replay_unavailable' });
    expect((await claimOf('k-1'))?.state).toBe('succeeded');
    expect(sent()).toHaveLength(2);
  });

  test('in gzip is given again as it came', async () => {
    await start();
    const body = gzipSync('a text '.repeat(100));
    upstream.answerWith((_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(body));
    await keyed('k-1');
    const again = await keyed('k-1');
    expect([kept(again), again.headers['content-encoding']]).toEqual(['replayed', 'gzip']);
    expect(again.body.equals(body)).toBe(true);
  });

  test('that is an event stream is kept up to the limit', async () => {
    await start();
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let count = 0; count < 5; count += 1) response.write(`data: ${count}\n\n`);
      response.end();
    });
    const first = await keyed('k-1');
    const again = await keyed('k-1');
    expect([again.text, kept(again), again.headers['content-type']]).toEqual([
      first.text,
      'replayed',
      'text/event-stream',
    ]);
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let count = 0; count < 20; count += 1) response.write(`data: ${'x'.repeat(60_000)}\n\n`);
      response.end();
    });
    expect((await keyed('k-2')).body.byteLength).toBeGreaterThan(MIB);
    expect((await keyed('k-2')).problem()).toMatchObject({ code: 'replay_unavailable' });
  });

  test.each<[string, string, number]>([
    ['HEAD', '/to/api/head', 200],
    ['POST', '/to/api/none', 204],
    ['GET', '/to/api/same', 304],
  ])('to %s %s with status %i is given again without a body', async (method, path, status) => {
    await start();
    upstream.answerWith((_request, response) => {
      response.writeHead(status, { etag: '"1"', ...(method === 'HEAD' ? { 'content-length': 12 } : {}) }).end();
    });
    const first = await keyed('k-1', { method }, path);
    const again = await keyed('k-1', { method }, path);
    const shown = ({ status: code, headers, body }: Answer) => [
      code,
      headers['etag'],
      headers['content-length'],
      body.byteLength,
    ];
    expect(shown(again)).toEqual(shown(first));
    expect([kept(first), kept(again)]).toEqual(['stored', 'replayed']);
    expect(sent()).toHaveLength(1);
  });

  test('is given again to HTTP/1.0, and on the connection that had the first', async () => {
    await start();
    upstream.answerWith((_request, response) => {
      response.write('do');
      response.end('ne');
    });
    await using connection = await openRaw(gateway.port);
    const head = (version: string) =>
      `POST /to/api/things HTTP/${version}\r\nhost: 127.0.0.1\r\npostern-key: ${gateway.key}\r\ncontent-type: text/plain\r\nidempotency-key: k-1\r\ncontent-length: 1\r\n\r\na`;
    connection.write(head('1.1'));
    const first = await connection.read();
    connection.write(head('1.1'));
    const again = await connection.read();
    expect([first.text, again.text, kept(again)]).toEqual(['done', 'done', 'replayed']);
    connection.write(
      `${head('1.1').replace('content-length: 1', 'transfer-encoding: chunked').slice(0, -1)}1\r\na\r\n0\r\n\r\n`,
    );
    expect(kept(await connection.read())).toBe('replayed');
    await using old = await openRaw(gateway.port);
    old.write(head('1.0'));
    const older = await old.read();
    expect([older.status, older.text, older.headers['content-length']]).toEqual([200, 'done', '4']);
    expect(sent()).toHaveLength(1);
  });

  test('is kept sealed: nothing of it stands in the database', async () => {
    await start();
    const mark = 'mark-of-the-answer-'.repeat(3);
    upstream.answerWith((_request, response) => void response.writeHead(200, { 'x-mark': mark }).end(mark));
    await keyed('k-1');
    const claim = await claimOf('k-1');
    const stored = await gateway.repositories.claims.readAnswer(TENANT, claim?.answer?.id ?? '');
    expect(stored?.byteLength).toBeGreaterThan(mark.length);
    expect(Buffer.from(stored ?? []).includes('mark-of')).toBe(false);
  });
});

describe('a call whose answer may not be passed on', () => {
  test.each<[string, object, () => { status: number; headers: object; body: Uint8Array | string }]>([
    [
      'response_too_large',
      { limits: { responseBytes: 10 } },
      () => ({ status: 200, headers: {}, body: 'x'.repeat(100) }),
    ],
    ['redirect_refused', {}, () => ({ status: 302, headers: { location: 'https://elsewhere.example/' }, body: '' })],
    [
      'upstream_reset',
      {},
      () => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body: gzipSync(`it is ${SECRET}`) }),
    ],
  ])('has failed for good with %s: the problem is repeated', async (code, integration, made) => {
    await start({}, integration);
    const { status, headers, body } = made();
    upstream.answerWith((_request, response) => {
      response.writeHead(status, headers as Record<string, string>).end(body);
    });
    await keyed('k-1').then(
      (answer) => expect(answer.problem().code).toBe(code),
      // Cut, after its head.
      () => undefined,
    );
    expect(await claimOf('k-1')).toMatchObject({ state: 'failed_final', problem: { code } });
    expect((await claimOf('k-1'))?.answer).toBeUndefined();
    upstream.answerWith((_request, response) => void response.end('done'));
    const again = await keyed('k-1');
    expect(again.problem()).toMatchObject({ status: 502, code });
    expect(again.text).not.toContain(SECRET);
    const document = {
      integration: 'api',
      request: { method: 'POST', path: '/things', headers: { 'content-type': 'text/plain' }, bodyText: 'a' },
      idempotencyKey: 'k-1',
    };
    expect((await postJson(gateway, '/v1/execute', document)).problem()).toMatchObject({ status: 502, code });
    expect(sent()).toHaveLength(1);
  });

  test('holds the secret in plain text: it is taken out, and what is kept is what was passed on', async () => {
    await start();
    upstream.answerWith((_request, response) => {
      response.write(`you sent ${SECRET.slice(0, 5)}`);
      setTimeout(() => response.end(`${SECRET.slice(5)}, thanks`), 20);
    });
    const first = await keyed('k-1');
    const again = await keyed('k-1');
    expect(first.text).not.toContain(SECRET);
    expect([again.text, kept(again)]).toEqual([first.text, 'replayed']);
  });

  test('with a key whose caller has left keeps the scrubbed answer whole', async () => {
    await start();
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const text = `one ${SECRET} two `;
    upstream.answerWith(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': text.length * 3 });
      response.write(text);
      begin();
      await left;
      response.write(text.slice(0, 12));
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.end(text.slice(12) + text);
    });
    const gone = new AbortController();
    const leaving = fetch(`${gateway.url}/to/api/things`, {
      ...{ method: 'POST', body: 'a', signal: gone.signal },
      headers: { 'postern-key': gateway.key, 'idempotency-key': 'k-1', 'content-type': 'text/plain' },
    }).then((answer) => answer.text());
    await begun;
    gone.abort();
    await expect(leaving).rejects.toThrow();
    leave();
    await gateway.waitForCalls(1);
    expect((await claimOf('k-1'))?.state).toBe('succeeded');
    const calm = (answer: Answer) => answer.text.replaceAll('*', '');
    const headers = {
      ...{ accept: '*/*', 'accept-language': '*', 'sec-fetch-mode': 'cors' },
      'content-type': 'text/plain',
    };
    const again = await keyed('k-1', { headers });
    expect(kept(again)).toBe('replayed');
    expect(calm(again)).not.toContain(SECRET);
    expect(again.body.byteLength).toBe(Number(again.headers['content-length']));
    expect(again.text.match(/one/g)).toHaveLength(3);
    expect(again.text.endsWith('two ')).toBe(true);
  });
});

describe('the field that tells what became of the key', () => {
  test('says none where nothing is kept', async () => {
    await start();
    upstream.answerWith((_request, response) => void response.writeHead(429).end('slow down'));
    expect([(await keyed('k-1')).status, kept(await keyed('k-1'))]).toEqual([429, 'none']);
    const document = { integration: 'api', request: { method: 'POST', path: '/x' }, idempotencyKey: 'k-2' };
    const answer = await postJson(gateway, '/v1/execute', document);
    expect([kept(answer), answer.json().idempotency, answer.json().status]).toEqual(['none', 'none', 429]);
    expect((await claimOf('k-1'))?.state).toBe('failed_not_sent');
  });

  test('says none where provably nothing was sent', async () => {
    const refused = await startUpstream();
    await refused.close();
    await start({}, { baseUrl: `http://upstream.test:${refused.port}` });
    const answer = await keyed('k-1');
    expect([answer.problem().code, kept(answer)]).toEqual(['upstream_unavailable', 'none']);
    expect((await claimOf('k-1'))?.state).toBe('failed_not_sent');
  });

  test('is not there without a key', async () => {
    await start();
    const answer = await call(gateway, '/to/api/things');
    expect(answer.headers).not.toHaveProperty('postern-idempotency');
  });
});

describe('a call with a key', () => {
  test('cannot pass its body on as it comes', async () => {
    await start({}, { actions: [{ name: 'upload', methods: ['POST'], paths: ['/things'], body: 'stream' }] });
    expect((await keyed('k-1')).problem()).toMatchObject({ status: 400, code: 'target_invalid' });
    expect(await claimOf('k-1')).toBeUndefined();
    expect((await call(gateway, '/to/api/things', { body: 'a' })).status).toBe(200);
  });

  test('that policy denies leaves no claim, and is not answered from the store', async () => {
    await start();
    await keyed('k-1');
    await gateway.change((context) =>
      gateway.repositories.policyRules.createPolicyRule(TENANT, { id: 'no', effect: 'deny' }, 'api', context),
    );
    expect((await keyed('k-1')).problem()).toMatchObject({ status: 403, code: 'denied' });
    expect((await keyed('k-2')).problem()).toMatchObject({ status: 403, code: 'denied' });
    expect(await claimOf('k-2')).toBeUndefined();
  });

  test('whose caller leaves before it is sent frees the key', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { promise: resolving, resolve: begin } = Promise.withResolvers<void>();
    await start({
      resolve: async () => {
        begin();
        await held;
        return { addresses: ['127.0.0.1'], ttlSeconds: 60 };
      },
    });
    const closed = Promise.withResolvers<void>();
    gateway.server.on('connection', (socket) => socket.on('close', () => closed.resolve()));
    const gone = new AbortController();
    const leaving = fetch(`${gateway.url}/to/api/things`, {
      ...{ method: 'POST', body: 'a', signal: gone.signal },
      headers: { 'postern-key': gateway.key, 'idempotency-key': 'k-1' },
    });
    await resolving;
    gone.abort();
    await expect(leaving).rejects.toThrow();
    await closed.promise;
    release();
    await gateway.waitForCalls(1);
    expect((await claimOf('k-1'))?.state).toBe('failed_not_sent');
    expect(sent()).toHaveLength(0);
  });

  test('gives its memory back, however it ends', async () => {
    await start();
    upstream.answerWith((request, response) => {
      if (request.url === '/broken') response.destroy();
      else response.end(Buffer.alloc(500_000, 'x'));
    });
    await keyed('k-1');
    await keyed('k-1');
    await keyed('k-2', {}, '/to/api/broken');
    const document = { integration: 'api', request: { method: 'POST', path: '/x' }, idempotencyKey: 'k-3' };
    await postJson(gateway, '/v1/execute', document);
    await gateway.waitForCalls(4);
    await vi.waitFor(() => expect(gateway.gateway.bodyMemory.heldBytes).toBe(0));
  });

  test('commits once, as one without does', async () => {
    await start();
    const commits = async (headers: CallOptions['headers']) => {
      await gateway.journal.flush();
      const before = gateway.journal.stats().commits;
      await call(gateway, '/to/api/things', { body: 'a', headers });
      await gateway.journal.flush();
      return gateway.journal.stats().commits - before;
    };
    const bare = await commits({});
    expect(await commits({ 'idempotency-key': 'k-1' })).toBe(bare);
    // A replay needs none of its own: its entry rides with others.
    expect(await commits({ 'idempotency-key': 'k-1' })).toBe(1);
  });
});

test('a digest of what two hundred callers of forty keys were told is the same for each key', async () => {
  await start();
  let count = 0;
  upstream.answerWith((_request, response) => {
    count += 1;
    setTimeout(() => response.end(`made ${count}`), count % 7);
  });
  const told = new Map<string, Set<string>>();
  await Promise.all(
    Array.from({ length: 200 }, async (_, place) => {
      const key = `k-${place % 40}`;
      for (;;) {
        const answer = await keyed(key);
        if (answer.status === 409) continue;
        const digest = createHash('sha256').update(answer.body).digest('hex');
        told.set(key, (told.get(key) ?? new Set()).add(digest));
        return;
      }
    }),
  );
  expect([...told.values()].map(({ size }) => size)).toEqual(Array.from({ length: 40 }, () => 1));
  expect(sent()).toHaveLength(40);
});
