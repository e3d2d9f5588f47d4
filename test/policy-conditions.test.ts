import { gzipSync } from 'node:zlib';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectProblem } from './support/catalogue.ts';
import { type Answer, type CallOptions, call, sendRaw } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
let upstream: Upstream;
let gateway: RunningGateway;

const open = (name: string) => ({ id: `open-${name}`, effect: 'allow', integrations: [name] });
const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answerWith((_request, response) => void response.end('ok'));
  const actions = [
    { name: 'count', methods: ['POST'], paths: ['/count'] },
    { name: 'upload', methods: ['PUT'], paths: ['/**'], body: 'stream' },
  ];
  const names = ['pay', 'spend', 'query', 'paths', 'heads', 'broken', 'counted', 'hidden', 'risky', 'only'];
  const integrations = names.map((name) => integration(name, upstream.url, { actions }));
  const rules = [
    { id: 'small', effect: 'allow', integrations: ['pay'], when: 'int(request.body.amount) <= 5000' },
    open('spend'),
    { id: 'big', effect: 'deny', integrations: ['spend'], when: 'int(request.body.amount) > 5000' },
    open('query'),
    {
      id: 'no-admin',
      effect: 'deny',
      integrations: ['query'],
      when: '"role" in request.query && "admin" in request.query["role"]',
    },
    open('paths'),
    {
      id: 'no-users',
      effect: 'deny',
      integrations: ['paths'],
      when: 'request.segments[0] == "users" || request.path.startsWith("/users/")',
    },
    { id: 'users', effect: 'allow', integrations: ['only'], when: 'request.segments[0] == "users"' },
    open('heads'),
    { id: 'beta', effect: 'deny', integrations: ['heads'], when: 'request.headers["x-beta"] != "off"' },
    open('broken'),
    { id: 'fails', effect: 'deny', integrations: ['broken'], when: '1 / int(request.query["n"][0]) > 1' },
    { id: 'fails-too', effect: 'allow', integrations: ['broken'], when: 'request.body.x == 1' },
    open('counted'),
    { id: 'thrice', effect: 'deny', integrations: ['counted'], actions: ['count'], when: 'count.hour >= 3' },
    open('hidden'),
    { id: 'would-deny', effect: 'deny', shadow: true, integrations: ['hidden'], when: 'request.method == "GET"' },
    { id: 'would-fail', effect: 'deny', shadow: true, integrations: ['hidden'], when: 'request.body.x == 1' },
    { id: 'calm', effect: 'allow', integrations: ['risky'], when: 'risk.score < 0.5 && !("secret" in risk.labels)' },
  ];
  gateway = await startGateway({ config: configOf([coder], integrations, { rules }) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const to = (path: string, options: CallOptions = {}) =>
  call(gateway.dataUrl, `/to/${path}`, { ...options, headers: { 'postern-key': coder.key, ...options.headers } });
const send = (path: string, body: string | Uint8Array, ...headers: [name: string, value: string][]) =>
  to(path, { body, headers: Object.fromEntries(headers) });
const typed = (path: string, type: string, body: string | Uint8Array) => send(path, body, ['content-type', type]);
const post = (path: string, document: object) =>
  call(gateway.dataUrl, path, {
    headers: { 'postern-key': coder.key, 'content-type': JSON_TYPE },
    body: JSON.stringify(document),
  });

async function expectSent(answer: Promise<Answer>): Promise<void> {
  expect((await answer).status).toBe(200);
}

/** Refused, and nothing came to the upstream. */
async function expectDenied(answer: () => Promise<Answer>): Promise<void> {
  const before = upstream.requests.length;
  const refused = await answer();
  expectProblem(refused, 403, 'denied');
  expect(refused.text).not.toMatch(/amount|request\.|small|big/);
  expect(upstream.requests.length).toBe(before);
}

describe('a condition on the body', () => {
  test.each([
    [JSON_TYPE, '{"amount": 5000}', '{"amount": 5001}'],
    ['application/vnd.x+json; charset=utf-8', '{"amount": "5000"}', '{"amount": "5001"}'],
    [FORM, 'amount=5000', 'amount=5001'],
    [`${FORM}; charset=utf-8`, 'a=b&am%6funt=%35000', 'a=b&am%6funt=%35001'],
  ])('of %s decides on both sides of its boundary', async (type, within, beyond) => {
    await expectSent(typed('pay/x', type, within));
    await expectDenied(() => typed('pay/x', type, beyond));
    await expectSent(typed('spend/x', type, within));
    await expectDenied(() => typed('spend/x', type, beyond));
  });

  const small = '{"amount": 1}';
  test.each<[string, () => Promise<Answer>[]]>([
    ['another type', () => both((name) => typed(name, 'text/plain', small))],
    ['no type', () => both((name) => send(name, small))],
    [
      'another charset',
      () => both((name) => typed(name, `${JSON_TYPE}; charset=utf-16`, Buffer.from(small, 'utf16le'))),
    ],
    ['a charset that is not its own', () => both((name) => typed(name, `${JSON_TYPE}; charset=iso-8859-1`, small))],
    [
      'a compressed body',
      () => both((name) => send(name, gzipSync(small), ['content-type', JSON_TYPE], ['content-encoding', 'gzip'])),
    ],
    [
      'a coding that is none',
      () => both((name) => send(name, small, ['content-type', JSON_TYPE], ['content-encoding', 'identity'])),
    ],
    ['a member twice', () => both((name) => typed(name, JSON_TYPE, '{"amount": 1, "amount": 9000}'))],
    [
      'a member twice, once escaped',
      () => both((name) => typed(name, JSON_TYPE, '{"amount": 9000, "\\u0061mount": 1}')),
    ],
    ['a name twice in a form', () => both((name) => typed(name, FORM, 'amount=1&amount=9000'))],
    ['a name twice in a form, once escaped', () => both((name) => typed(name, FORM, 'amount=9000&%61mount=1'))],
    ['a form apart by semicolons', () => both((name) => typed(name, FORM, 'amount=1;amount=9000'))],
    ['a number with a sign', () => both((name) => typed(name, FORM, 'amount=+1'))],
    ['an empty number', () => both((name) => typed(name, FORM, 'amount='))],
    ['another spelling of the name', () => both((name) => typed(name, JSON_TYPE, '{"Amount": 1}'))],
    ['more than the largest whole number', () => both((name) => typed(name, JSON_TYPE, '{"amount": 1e300}'))],
    [
      'a body beyond 1 MiB',
      () => both((name) => typed(name, JSON_TYPE, `{"amount": 1, "x": "${'a'.repeat(1_048_576)}"}`)),
    ],
    ['a list', () => both((name) => typed(name, JSON_TYPE, `[${small}]`))],
    ['no body', () => both((name) => to(name, { method: 'POST' }))],
    [
      'a body that is streamed',
      () => both((name) => to(name, { method: 'PUT', body: small, headers: { 'content-type': JSON_TYPE } })),
    ],
  ])('is never loosened by %s', async (_title, answers) => {
    const before = upstream.requests.length;
    for (const answer of await Promise.all(answers())) expectProblem(answer, 403, 'denied');
    expect(upstream.requests.length).toBe(before);
  });

  /** Where an allow reads the body, and where a deny does. */
  function both(request: (path: string) => Promise<Answer>): Promise<Answer>[] {
    return [request('pay/x'), request('spend/x')];
  }

  test('judges the fields that go out: one that is dropped on the way counts for nothing', async () => {
    const raw = (connection: string) => {
      const head = `POST /to/pay/x HTTP/1.1\r\nHost: ${new URL(gateway.dataUrl).host}\r\nPostern-Key: ${coder.key}\r\nContent-Type: ${JSON_TYPE}\r\nConnection: ${connection}\r\n`;
      return sendRaw(gateway.dataUrl, `${head}Content-Length: ${small.length}\r\n\r\n${small}`);
    };
    expect((await raw('close')).status).toBe(200);
    expect((await raw('close, content-type')).status).toBe(403);
  });

  test('holds for execute, whose body stands in a document', async () => {
    const pay = (request: object) =>
      post('/v1/execute', { integration: 'pay', request: { method: 'POST', path: '/x', ...request } });
    await expectSent(pay({ body: { amount: 5000 } }));
    await expectDenied(() => pay({ body: { amount: 5001 } }));
    await expectDenied(() => pay({ bodyText: '{"amount": 1}' }));
    await expectSent(pay({ bodyText: 'amount=1', headers: { 'Content-Type': FORM } }));
  });
});

describe('no other spelling loosens a verdict', () => {
  test.each([
    'role=admin',
    'role=user&role=admin',
    'role=admin&role=user',
    'r%6fle=adm%69n',
    'role=user&role=%61dmin',
    '&&role=admin&',
  ])('of the query %s', async (query) => {
    await expectDenied(() => to(`query/x?${query}`));
    await expectSent(to('query/x?role=user'));
  });

  test.each(['users/1', './users/1', 'a/../users/1', 'a/%2e%2e/users/1', '%75sers/1', 'users/', 'users'])(
    'of the path /%s',
    async (path) => {
      const answer = await to(`paths/${path}`);
      expect([400, 403]).toContain(answer.status);
      await expectSent(to('paths/user/1'));
    },
  );

  test.each(['/users/1', 'Users/1', '%2fusers/1', 'users%2f1', 'us%25ers/1', 'users/../admin'])(
    'of the allowed path, as /%s',
    async (path) => {
      const answer = await to(`only/${path}`);
      expect([400, 403]).toContain(answer.status);
      await expectSent(to('only/users/1'));
    },
  );

  test('of a header: its case, its repetition, its being dropped', async () => {
    await expectSent(to('heads/x', { headers: { 'X-BETA': 'off' } }));
    await expectDenied(() => to('heads/x'));
    await expectDenied(() => to('heads/x', { headers: { 'x-beta': ['off', 'on'] } }));
    const dropped = `GET /to/heads/x HTTP/1.1\r\nHost: ${new URL(gateway.dataUrl).host}\r\nPostern-Key: ${coder.key}\r\nX-Beta: off\r\nConnection: close, x-beta\r\n\r\n`;
    expect((await sendRaw(gateway.dataUrl, dropped)).status).toBe(403);
  });

  test('of the method: an override counts for nothing', async () => {
    await expectSent(to('hidden/x', { method: 'POST', headers: { 'x-http-method-override': 'GET' } }));
    expect(upstream.requests.at(-1)).toMatchObject({ method: 'POST' });
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('x-http-method-override');
  });
});

describe('a condition that fails (acceptance vector 7)', () => {
  test('still denies, in a deny rule', async () => {
    await expectSent(to('broken/x?n=1'));
    await expectDenied(() => to('broken/x?n=0'));
    await expectDenied(() => to('broken/x'));
    await expectDenied(() => to('broken/x?n=one'));
  });

  test('is told by explain, and counted in the log', async () => {
    const explained = (
      await post('/v1/explain', { integration: 'broken', request: { method: 'GET', path: '/x?n=0' } })
    ).json();
    expect(explained).toMatchObject({ decision: 'deny', rule: 'fails' });
    expect(explained.errors.map(({ rule }: { rule: string }) => rule)).toEqual(['fails', 'fails-too']);
    const step = (rule: string) => explained.trace.find((one: { rule: string }) => one.rule === rule);
    expect(step('fails')).toMatchObject({ matched: true, error: expect.stringMatching(/zero/) });
    expect(step('fails-too')).toMatchObject({ matched: false, error: expect.any(String) });
    const { headers } = await to('broken/x?n=0');
    await vi.waitFor(() => {
      const line = gateway
        .stderr()
        .split('\n')
        .find((one) => one.includes(headers['postern-request-id'] ?? '-') && one.includes('"msg":"call"'));
      expect(JSON.parse(line ?? '{}')).toMatchObject({ decision: 'deny', rule: 'fails', policyErrors: 2 });
    });
  });

  test('in shadow changes nothing, and the log tells', async () => {
    await expectSent(to('hidden/x'));
    await vi.waitFor(() => {
      expect(gateway.stderr()).toMatch(
        /"shadow":\[\{"rule":"would-deny","effect":"deny","matched":true\},\{"rule":"would-fail","effect":"deny","matched":true,"error":"[^"]+"\}\]/,
      );
    });
  });
});

test('count is of the calls that were sent', async () => {
  const upload = () => to('counted/count', { method: 'POST' });
  for (let sent = 0; sent < 3; sent += 1) await expectSent(upload());
  await expectDenied(upload);
  await expectSent(to('counted/other', { method: 'POST' }));
});

test('risk can be read, and below the thresholds it raises nothing by itself', async () => {
  await expectSent(to('risky/x'));
  await expectDenied(() => to('risky/x', { method: 'DELETE' }));
  await expectSent(to('spend/x', { method: 'DELETE', body: '{"amount":1}', headers: { 'content-type': JSON_TYPE } }));
});

test('the list of integrations tells the mildest outcome that a condition can leave', async () => {
  const { items } = (await call(gateway.dataUrl, '/v1/integrations', { headers: { 'postern-key': coder.key } })).json();
  const outcome = (name: string) =>
    items
      .find((one: { name: string }) => one.name === name)
      ?.actions.find((one: { name: string }) => one.name === 'count')?.outcome;
  expect([outcome('pay'), outcome('spend'), outcome('counted')]).toEqual(['allow', 'allow', 'allow']);
});
