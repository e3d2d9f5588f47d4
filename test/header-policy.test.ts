import { type RawUpstream, startRawUpstream, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, sendRaw } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');

/** Request fields that never pass (SPEC section 13). */
const REFUSED_IN_REQUEST = {
  'Keep-Alive': 'timeout=5',
  TE: 'trailers',
  Trailer: 'X-End',
  'Proxy-Connection': 'keep-alive',
  'Proxy-Anything': 'x',
  'Postern-Key': coder.key,
  'Postern-Intent': 'a test',
  'Postern-Anything': 'x',
  'X-Api-Key': 'x',
  'Api-Key': 'x',
  'X-Goog-Api-Key': 'x',
  'Private-Token': 'x',
  Authorization: 'Bearer x',
  Cookie: 'a=b',
  Forwarded: 'for=10.0.0.1',
  'X-Forwarded-For': '10.0.0.1',
  'X-Forwarded-Host': 'evil.test',
  'X-Forwarded-Anything': 'x',
  'X-Real-Ip': '10.0.0.1',
  'Idempotency-Key': 'k-1',
  Baggage: 'a=b',
  'X-HTTP-Method-Override': 'DELETE',
  'X-HTTP-Method': 'DELETE',
  'X-Method-Override': 'DELETE',
  X_Under_Score: 'x',
  Under_Score: 'x',
};

const REFUSED_IN_RESPONSE = {
  'Keep-Alive': 'timeout=77',
  'Proxy-Authenticate': 'Basic',
  'Proxy-Anything': 'x',
  Trailer: 'X-End',
  Upgrade: 'h2c',
  'Set-Cookie': 'a=b',
  'Alt-Svc': 'h3=":443"',
  Refresh: '0; url=http://evil.test/',
  'Strict-Transport-Security': 'max-age=1',
  'Clear-Site-Data': '"*"',
  'Authentication-Info': 'x',
  'Postern-Request-Id': 'forged',
  'Postern-Idempotency': 'stored',
};

const KEPT = {
  'X-Custom': 'kept',
  Accept: 'a/b',
  'User-Agent': 'me/1',
  'If-None-Match': '"x"',
  Range: 'bytes=0-1',
  Origin: 'x',
};

let upstream: Upstream;
let raw: RawUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  raw = await startRawUpstream((socket) => {
    const fields = Object.entries({ ...REFUSED_IN_RESPONSE, 'X-Custom': 'kept', ETag: '"e"', 'X-Hop': 'hop' });
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.once('data', () =>
      socket.end(`HTTP/1.1 200 Fine\r\n${lines}Connection: close, X-Hop\r\nContent-Length: 2\r\n\r\nok`),
    );
  });
  const integrations = [
    integration('open', upstream.url),
    integration('narrow', upstream.url, {
      headers: { request: { allow: ['Accept', 'x-keep-*', 'cookie', 'x_under*'] } },
    }),
    integration('raw', raw.url),
    integration('raw-narrow', raw.url, { headers: { response: { allow: ['content-*', 'etag', 'set-cookie'] } } }),
  ];
  gateway = await startGateway({ config: configOf([coder], integrations) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await raw?.close();
});

const key = { 'postern-key': coder.key };
const seen = () => upstream.requests.at(-1)?.headers ?? {};
const documentOf = (name: string, headers: object) => ({
  headers: { ...key, 'content-type': 'application/json' },
  body: JSON.stringify({ integration: name, request: { method: 'GET', path: '/x', headers } }),
});

describe('requests', () => {
  test.each(Object.entries(REFUSED_IN_REQUEST))('%s never passes', async (name, value) => {
    const field = name.toLowerCase() === 'postern-key' ? '' : `${name}: ${value}\r\n`;
    const head = `GET /to/open/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\n${field}Connection: close\r\n\r\n`;
    expect((await sendRaw(gateway.dataUrl, head)).status).toBe(200);
    expect(seen()).not.toHaveProperty(name.toLowerCase());
    expect((await call(gateway.dataUrl, '/v1/execute', documentOf('open', { [name]: value }))).status).toBe(200);
    expect(seen()).not.toHaveProperty(name.toLowerCase());
  });

  test('what Connection names is removed, in all its spellings', async () => {
    const head = `GET /to/open/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nConnection: close, X-One\r\nconnection: x-TWO\r\n\r\n`;
    expect((await sendRaw(gateway.dataUrl, head)).status).toBe(200);
    expect(seen()).not.toHaveProperty('x-one');
    expect(seen()).not.toHaveProperty('x-two');
    expect(seen()['x-three']).toBe('3');
  });

  test('Connection cannot take off what the gateway itself writes', async () => {
    const head = `GET /to/open/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\nConnection: close, host, x-request-id, via\r\n\r\n`;
    expect((await sendRaw(gateway.dataUrl, head)).status).toBe(200);
    for (const name of ['host', 'x-request-id', 'via', 'traceparent']) expect(seen()).toHaveProperty(name);
  });

  test('other fields pass as they are, repeated ones too', async () => {
    await call(gateway.dataUrl, '/to/open/x', { headers: { ...key, ...KEPT, 'X-Twice': ['a', 'b'] } });
    for (const [name, value] of Object.entries(KEPT)) expect(seen()[name.toLowerCase()]).toBe(value);
    expect(seen()['x-twice']).toBe('a, b');
  });

  test('a list of the integration narrows the policy and never widens it', async () => {
    const headers = { accept: 'a/b', 'x-keep-me': '1', 'x-other': '1', cookie: 'a=b', x_under_score: '1' };
    expect((await call(gateway.dataUrl, '/to/narrow/x', { headers: { ...key, ...headers } })).status).toBe(200);
    expect(seen()).toMatchObject({ accept: 'a/b', 'x-keep-me': '1' });
    for (const name of ['x-other', 'cookie', 'x_under_score']) expect(seen()).not.toHaveProperty(name);
  });

  test('the upstream gets the upstream’s Host, our request id and our Via, once each', async () => {
    const headers = { ...key, 'X-Request-Id': 'mine' };
    const answer = await call(gateway.dataUrl, '/to/open/x', { headers });
    const { host } = new URL(upstream.url);
    expect(seen()).toMatchObject({ host, 'x-request-id': answer.headers['postern-request-id'] });
    const names = upstream.requests.at(-1)?.rawHeaders.filter((_item, index) => index % 2 === 0) ?? [];
    const lower = names.map((name) => name.toLowerCase());
    expect(new Set(lower).size).toBe(lower.length);
  });

  test('a trace is continued, or begun', async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const given = `00-${trace}-b7ad6b7169203331-01`;
    await call(gateway.dataUrl, '/to/open/x', { headers: { ...key, traceparent: given, tracestate: 'a=b' } });
    expect(seen()['traceparent']).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(seen()['traceparent']).not.toBe(given);
    for (const traceparent of [
      undefined,
      'nonsense',
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `ff-${trace}-b7ad6b7169203331-01`,
    ]) {
      await call(gateway.dataUrl, '/to/open/x', {
        headers: { ...key, ...(traceparent === undefined ? {} : { traceparent }) },
      });
      expect(seen()['traceparent']).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/);
      expect(seen()['traceparent']).not.toContain(trace);
    }
  });
});

describe('answers', () => {
  test.each(Object.entries(REFUSED_IN_RESPONSE))('%s never passes', async (name, value) => {
    const answer = await call(gateway.dataUrl, '/to/raw/x', { headers: key });
    expect(answer.headers[name.toLowerCase()] ?? '').not.toContain(value);
    const { headers } = (await call(gateway.dataUrl, '/v1/execute', documentOf('raw', {}))).json();
    expect(headers).not.toHaveProperty(name.toLowerCase());
  });

  test('other fields and the status pass, what Connection names does not', async () => {
    const answer = await call(gateway.dataUrl, '/to/raw/x', { headers: key });
    expect(answer.headers).toMatchObject({ 'x-custom': 'kept', etag: '"e"', 'content-length': '2' });
    expect(answer.headers).not.toHaveProperty('x-hop');
    expect(answer.text).toBe('ok');
  });

  test('a list of the integration narrows them', async () => {
    const answer = await call(gateway.dataUrl, '/to/raw-narrow/x', { headers: key });
    expect(answer.headers).toMatchObject({ etag: '"e"', 'content-length': '2' });
    for (const name of ['x-custom', 'set-cookie']) expect(answer.headers).not.toHaveProperty(name);
    expect(answer.headers['postern-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});
