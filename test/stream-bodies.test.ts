import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { auditEvents, outcomeAt, outcomeOf } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { STREAM_LIMIT, type StreamScenario, sha256, startStreamScenario } from './support/stream-scenario.ts';

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

describe('a body of an action with body: stream', () => {
  test('passes as it comes', async () => {
    const count = streams.upstream.requests.length;
    const upload = await streams.beginUpload('/to/api/up/a');
    upload.chunk('first');
    await streams.upstream.waitForRequests(count + 1);
    await vi.waitFor(() => expect(Buffer.from(streams.last()?.body ?? []).toString()).toBe('first'));
    expect(streams.last()?.complete).toBe(false);
    upload.chunk('second');
    await vi.waitFor(() => expect(Buffer.from(streams.last()?.body ?? []).toString()).toBe('firstsecond'));
    upload.end();
    expect(await upload.until(/11 bytes/)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('keeps the length that was announced, or is chunked as it was', async () => {
    expect((await streams.post('/to/api/up/a', 'twelve bytes')).text).toBe('12 bytes');
    expect(streams.last()?.headers).toMatchObject({ 'content-length': '12' });
    expect(streams.last()?.headers).not.toHaveProperty('transfer-encoding');
    expect((await streams.post('/to/api/up/a', [Buffer.from('twelve '), Buffer.from('bytes')])).text).toBe('12 bytes');
    expect(streams.last()?.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(streams.last()?.headers).not.toHaveProperty('content-length');
  });

  test.each([1, 65_536, STREAM_LIMIT])('of %i bytes has its digest in the outcome entry', async (size) => {
    const body = Buffer.alloc(size, 'some text ');
    for (const form of [
      body,
      [body.subarray(0, size / 2), body.subarray(size / 2)].filter((part) => part.length > 0),
    ]) {
      const answer = await streams.post('/to/api/up/a', form);
      expect(answer.text).toBe(`${size} bytes`);
      const outcome = await outcomeOf(streams.gateway, answer.headers['postern-request-id']);
      expect(outcome).toMatchObject({ result: 'done', status: 200, action: 'upload', argsHash: sha256(body) });
    }
  });

  test('that is not there has none', async () => {
    for (const form of ['', []]) {
      const answer = await streams.post('/to/api/up/a', form);
      expect(answer.text).toBe('0 bytes');
      expect(await outcomeOf(streams.gateway, answer.headers['postern-request-id'])).not.toHaveProperty('argsHash');
    }
  });

  test('of another action is received first, and has none', async () => {
    const count = streams.upstream.requests.length;
    const upload = await streams.beginUpload('/to/api/whole');
    upload.chunk('first');
    const answer = await streams.post('/to/api/whole', 'abc');
    expect(streams.upstream.requests.length).toBe(count + 1);
    expect(await outcomeOf(streams.gateway, answer.headers['postern-request-id'])).not.toHaveProperty('argsHash');
    upload.end();
    await upload.until(/5 bytes/);
  });

  test('passes by host and by own address alike', async () => {
    const body = 'some bytes';
    const { items } = (await call(streams.gateway.dataUrl, '/v1/integrations', { headers: streams.key })).json();
    const { listen, host } = items.find((item: { name: string }) => item.name === 'api');
    for (const [base, headers] of [
      [streams.gateway.dataUrl, { ...streams.key, host }],
      [`http://${listen}`, streams.key],
    ] as const) {
      const answer = await call(base, '/up/a', { method: 'POST', headers, body });
      expect(answer.text).toBe('10 bytes');
      const outcome = await outcomeOf(streams.gateway, answer.headers['postern-request-id']);
      expect(outcome).toMatchObject({ argsHash: sha256(Buffer.from(body)) });
    }
  });

  test('is not searched for agent keys; the head is', async () => {
    expect((await streams.post('/to/api/up/a', `a ${streams.coder.key} b`)).status).toBe(200);
    expect((await streams.post('/to/api/whole', `a ${streams.coder.key} b`)).problem()).toMatchObject({
      code: 'key_in_request',
    });
    const inHead = await streams.post('/to/api/up/a', 'abc', { 'x-note': streams.coder.key });
    expect(inHead.problem()).toMatchObject({ code: 'key_in_request' });
  });

  test('and its answer may run at the same time', async () => {
    streams.upstream.answerWith((request, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write('begun\n');
      void request.ended.then(() => response.end(`${request.body.byteLength} bytes`));
    });
    const upload = await streams.beginUpload('/to/api/up/a');
    upload.chunk('abc');
    await upload.until(/begun/);
    upload.chunk('def');
    upload.end();
    await upload.until(/6 bytes/);
  });
});

describe('over requestBytes', () => {
  test('an announced length is refused before anything is sent', async () => {
    const before = streams.upstream.requests.length;
    const answer = await streams.post('/to/api/up/a', Buffer.alloc(STREAM_LIMIT + 1));
    expect(answer.problem()).toMatchObject({ status: 413, code: 'request_too_large' });
    expect(streams.upstream.requests.length).toBe(before);
  });

  test('a body that grows there is cut towards the upstream, and refused', async () => {
    const upload = await streams.beginUpload('/to/api/up/over');
    for (let sent = 0; sent <= STREAM_LIMIT; sent += 100_000) upload.chunk(Buffer.alloc(100_000));
    expect(await upload.until(/request_too_large/)).toMatch(/^HTTP\/1\.1 413 /);
    await streams.last()?.ended;
    expect(streams.last()?.complete).toBe(false);
    expect(streams.last()?.body.byteLength).toBeLessThanOrEqual(STREAM_LIMIT);
    const outcome = await outcomeAt(streams.gateway, urlOf('/up/over'));
    expect(outcome).toMatchObject({ result: 'unknown', code: 'request_too_large' });
    expect(outcome).not.toHaveProperty('argsHash');
  });

  test('after the head of the answer the connection is cut', async () => {
    streams.upstream.answerWith((_request, response) => {
      response.writeHead(200);
      response.write('begun');
    });
    const upload = await streams.beginUpload('/to/api/up/late');
    upload.chunk('abc');
    await upload.until(/begun/);
    for (let sent = 0; sent <= STREAM_LIMIT; sent += 100_000) upload.chunk(Buffer.alloc(100_000));
    expect(await upload.closed()).not.toMatch(/0\r\n\r\n$/);
    const outcome = await outcomeAt(streams.gateway, urlOf('/up/late'));
    expect(outcome).toMatchObject({ status: 200, code: 'request_too_large' });
  });

  test('exactly at the limit all of it passes', async () => {
    expect((await streams.post('/to/api/up/a', Buffer.alloc(STREAM_LIMIT))).status).toBe(200);
    expect((await streams.post('/to/api/up/a', [Buffer.alloc(STREAM_LIMIT - 1), Buffer.alloc(1)])).status).toBe(200);
    expect((await streams.post('/to/api/up/a', [Buffer.alloc(STREAM_LIMIT), Buffer.alloc(1)])).problem().code).toBe(
      'request_too_large',
    );
  });
});

describe('what needs the whole body is refused with 400 target_invalid', () => {
  const invalid = { status: 400, code: 'target_invalid' };

  test.each([
    [{ 'idempotency-key': 'k-1' }],
    [{ 'Idempotency-Key': '"k-1"' }],
    [{ prefer: 'respond-async' }],
    [{ prefer: 'return=minimal, Respond-Async; a=b' }],
    [{ prefer: ['wait=5', 'respond-async'] }],
  ])('the headers %j', async (headers) => {
    const before = streams.upstream.requests.length;
    expect((await streams.post('/to/api/up/a', 'abc', headers)).problem()).toMatchObject(invalid);
    expect(
      (
        await call(streams.gateway.dataUrl, '/to/api/up/a', {
          method: 'DELETE',
          headers: { ...streams.key, ...headers },
        })
      ).problem(),
    ).toMatchObject(invalid);
    expect(streams.upstream.requests.length).toBe(before);
  });

  test.each([[{ prefer: 'wait=5' }], [{ prefer: 'return=minimal' }], [{ prefer: 'x="respond-async"' }]])(
    'but not %j',
    async (headers) => {
      expect((await streams.post('/to/api/up/a', 'abc', headers)).status).toBe(200);
    },
  );

  test('execute, though explain tells what would become of the call', async () => {
    const document = (method: string) => ({
      headers: { ...streams.key, 'content-type': 'application/json' },
      body: JSON.stringify({ integration: 'api', request: { method, path: '/up/a', bodyText: 'abc' } }),
    });
    expect((await call(streams.gateway.dataUrl, '/v1/execute', document('POST'))).problem()).toMatchObject(invalid);
    expect((await call(streams.gateway.dataUrl, '/v1/execute', document('PATCH'))).json()).toMatchObject({
      status: 200,
    });
    const explained = (await call(streams.gateway.dataUrl, '/v1/explain', document('POST'))).json();
    expect(explained).toMatchObject({ decision: 'allow', action: 'upload', descriptor: { body: null } });
  });

  test('a rule that asks for approval', async () => {
    const before = streams.upstream.requests.length;
    const answer = await streams.post('/to/api/up/asks', 'abc');
    expect(answer.problem()).toMatchObject({ ...invalid, decision: 'require_approval' });
    expect(streams.upstream.requests.length).toBe(before);
  });

  test('recorded like every refusal', async () => {
    await vi.waitFor(async () => {
      const refused = (await auditEvents(streams.gateway, { type: 'denied' })).filter(
        ({ code }) => code === 'target_invalid',
      );
      expect(refused.some(({ rule }) => rule === 'ask')).toBe(true);
    });
  });
});

describe('Expect: 100-continue', () => {
  const expectation = ['Expect: 100-continue'];

  test('is answered when the upstream’s connection is there', async () => {
    const upload = await streams.beginUpload('/to/api/up/a', expectation);
    expect(await upload.until(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    upload.chunk('abc');
    upload.end();
    expect(await upload.until(/3 bytes/)).toMatch(/Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  test.each([
    ['a denied call', '/to/api/up/denied', 403, []],
    ['an upstream that is away', '/to/away/up/a', 502, []],
    ['an announced length over the limit', '/to/api/up/a', 413, ['Content-Length: 1000001']],
    ['an idempotency key', '/to/api/up/a', 400, ['Idempotency-Key: a']],
    ['an unknown integration', '/to/nothing/up/a', 404, []],
  ])('is not for %s', async (_what, path, status, fields) => {
    const upload = await streams.beginUpload(path, [...expectation, ...fields]);
    const text = await upload.until(/"requestId"/);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).not.toContain('100 Continue');
  });

  test('works with a client that waits for it', async () => {
    const { port } = new URL(streams.gateway.dataUrl);
    const outgoing = httpRequest({
      port,
      method: 'POST',
      path: '/to/api/up/a',
      headers: { ...streams.key, expect: '100-continue', 'content-length': 5 },
    });
    outgoing.flushHeaders();
    await once(outgoing, 'continue');
    outgoing.end('bytes');
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
  });
});
