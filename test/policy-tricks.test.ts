import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type CallOptions, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/** Whatever an upstream may read alike is never judged more loosely for being spelled otherwise (issue 4, bad input). */

const coder = newAgent('coder');
let upstream: Upstream;
let gateway: RunningGateway;

const open = (name: string) => ({ id: `open-${name}`, effect: 'allow', integrations: [name] });
/** Integrations that all refuse `/admin/x`, or ask for it, each in another way. */
const CLOSED = ['denied', 'hard', 'by-action', 'default', 'asked', 'asking-action'] as const;

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answerWith((_request, response) => void response.end('ok'));
  const methods = ['GET', 'POST'];
  const actions = [
    { name: 'admin', methods, paths: ['/admin/**'] },
    { name: 'any', methods, paths: ['/**'] },
  ];
  const asking = [{ name: 'admin', methods, paths: ['/admin/**'], approval: 'required' }];
  const paths = ['/admin/**'];
  const rules = [
    ...CLOSED.filter((name) => name !== 'default').map(open),
    { id: 'deny', effect: 'deny', integrations: ['denied'], paths },
    { id: 'hard', effect: 'deny', hard: true, integrations: ['hard'], paths },
    { id: 'action', effect: 'deny', integrations: ['by-action'], actions: ['admin'] },
    open('by-condition'),
    {
      id: 'condition',
      effect: 'deny',
      integrations: ['by-condition'],
      when: 'request.path == "/admin" || request.path.startsWith("/admin/")',
    },
    { id: 'public', effect: 'allow', integrations: ['default'], paths: ['/public/**', '/v1/*/read'] },
    { id: 'named', effect: 'allow', integrations: ['default'], actions: ['read'] },
    { id: 'ask', effect: 'require_approval', integrations: ['asked'], paths },
    open('paced'),
    {
      id: 'pace',
      effect: 'rate_limit',
      integrations: ['paced'],
      paths: ['/slow/*'],
      limit: { requests: 1, perSeconds: 3600 },
    },
    { id: 'little', effect: 'allow', integrations: ['little'], when: 'int(request.body.amount) <= 10' },
    open('much'),
    { id: 'much', effect: 'deny', integrations: ['much'], when: 'int(request.body.amount) > 10' },
    { id: 'one', effect: 'allow', integrations: ['one'], when: 'request.query == {"role": ["user"]}' },
    open('none'),
    {
      id: 'none',
      effect: 'deny',
      integrations: ['none'],
      when: 'request.query.exists(name, name.startsWith("role") && request.query[name].exists(role, role != "user"))',
    },
    open('reads'),
    { id: 'reads', effect: 'deny', integrations: ['reads'], methods: ['DELETE', 'PUT'] },
  ];
  const readOnly = [{ name: 'read', methods, paths: ['/read/*'] }];
  const integrations = [
    ...['denied', 'hard', 'by-action', 'by-condition', 'asked'].map((name) =>
      integration(name, upstream.url, { actions }),
    ),
    integration('asking-action', upstream.url, { actions: asking }),
    integration('default', upstream.url, { actions: readOnly }),
    ...['paced', 'little', 'much', 'one', 'none', 'reads'].map((name) => integration(name, upstream.url)),
  ];
  gateway = await startGateway({ config: configOf([coder], integrations, { rules }) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const to = (target: string, options: CallOptions = {}) =>
  call(gateway.dataUrl, `/to/${target}`, { ...options, headers: { 'postern-key': coder.key, ...options.headers } });
const execute = (name: string, request: object) =>
  call(gateway.dataUrl, '/v1/execute', {
    headers: { 'postern-key': coder.key, 'content-type': 'application/json' },
    body: JSON.stringify({ integration: name, request: { method: 'GET', ...request } }),
  });

/** Refused, or asked about, and nothing came to the upstream. */
async function expectClosed(answer: () => Promise<Answer>): Promise<void> {
  const before = upstream.requests.length;
  const { status } = await answer();
  expect([400, 403, 405, 422, 428, 429]).toContain(status);
  expect(upstream.requests.length).toBe(before);
}

async function expectSent(answer: Promise<Answer>): Promise<void> {
  expect((await answer).status).toBe(200);
}

const SPELLINGS: Record<string, readonly string[]> = {
  'as it is': ['/admin/x', '/admin', '/admin/x?a=/b'],
  'empty segments': ['//admin/x', '/admin//x', '///admin///x', '/admin/x//'],
  'dot segments': ['/./admin/x', '/admin/./x', '/a/../admin/x', '/a/b/../../admin/x', '/../admin/x'],
  'dot segments encoded': ['/%2e/admin/x', '/a/%2e%2E/admin/x', '/a/.%2e/admin/x', '/a/%2E./admin/x'],
  'dot segments behind an encoded slash': ['/a/..%2fadmin/x', '/a%2f..%2fadmin/x', '/a/..%5cadmin/x', '/a/..;/admin/x'],
  'letters encoded': ['/%61dmin/x', '/adm%69n/x', '/%61%64%6D%69%6e/x'],
  'encoded twice and more': ['/%2561dmin/x', '/%252561dmin/x', '/%2525252561dmin/x', '/adm%25%36%39n/x'],
  'dot segments encoded twice': [
    '/a/%252e%252e/admin/x',
    '/a/%252e%252e%252fadmin/x',
    '/%25252e/admin/x',
    '/a/..%252fadmin/x',
  ],
  'another case': ['/Admin/x', '/ADMIN/X', '/aDMIN/x'],
  'a trailing slash': ['/admin/', '/admin/x/'],
  'encoded slashes': ['/admin%2Fx', '/admin%2fx', '/admin%5Cx', '/admin%5cx', '/%2Fadmin/x'],
  'slashes encoded twice': ['/admin%252Fx', '/admin%252fx', '/admin%255Cx', '/%252Fadmin/x'],
  'raw backslashes and control characters': ['/admin\\x', '/\\admin/x', '/admin%00/x', '/admin%0a/x', '/admin%2500/x'],
  parameters: ['/admin;v=1/x', '/admin;/x', '/admin%3Bv=1/x', '/;v=1/admin/x', '/admin/x;v=1'],
  'Unicode forms': ['/%EF%BC%A1dmin/x', '/%EF%BD%81dmin/x', '/admin%EF%BC%8Fx', '/a/%EF%BC%8E%EF%BC%8E/admin/x'],
  'overlong UTF-8': ['/%c0%afadmin/x', '/a/%c0%ae%c0%ae/admin/x', '/a/%25c0%25ae%25c0%25ae/admin/x'],
  'a query or fragment in the path': ['/admin%3Fx', '/admin%23x', '/admin%253Fx', '/admin/x%3F.css'],
  'ends that file systems drop': ['/admin./x', '/admin%20/x', '/admin.%20/x'],
};

const rows = Object.entries(SPELLINGS).flatMap(([trick, paths]) => paths.map((path) => [trick, path] as const));

describe('a path in another spelling never loosens', () => {
  test.each(rows)('%s: %s', async (_trick, path) => {
    for (const name of CLOSED) await expectClosed(() => to(`${name}${path}`));
  });

  test('a condition on the path, but for letters, encoded slashes and ends that are dropped, which it may name itself', async () => {
    const isText = ([trick]: (typeof rows)[number]) => {
      return !/case|encoded slashes|Unicode|fragment|file systems/.test(trick);
    };
    for (const [, path] of rows.filter(isText)) await expectClosed(() => to(`by-condition${path}`));
    for (const path of ['/admin%EF%BC%8Fx', '/a/%EF%BC%8E%EF%BC%8E/admin/x', '/admin%253Fx'])
      await expectClosed(() => to(`by-condition${path}`));
    for (const path of ['/user//x', '/a;v=1/admin', '/%2561/x']) await expectSent(to(`by-condition${path}`));
  });

  test('the same by execute, as path and as URL', async () => {
    for (const [, path] of rows) {
      await expectClosed(() => execute('denied', { path }));
      await expectClosed(() => execute('by-action', { url: `${upstream.url}${path}` }));
    }
    for (const path of [
      '/ａdmin/x',
      '/ＡDMIN/x',
      '/admin／x',
      '/a/．．/admin/x',
      '/ad\u00admin/../admin/x',
      '/admin\u0000/x',
    ])
      await expectClosed(() => execute('denied', { path }));
  });

  test('and what is meant for all still passes, as it was written', async () => {
    for (const path of [
      '/user/x',
      '/users//1',
      '/Users/X/',
      '/a%2Fb',
      '/a%252Fb',
      '/a;v=1/b',
      '/administrator',
      '/caf%C3%A9',
      '/x.',
      '/a%20b',
    ]) {
      for (const name of ['denied', 'hard', 'by-action', 'asked']) {
        await expectSent(to(`${name}${path}`));
        expect(upstream.requests.at(-1)?.url).toBe(path);
      }
    }
  });
});

describe('a path that is opened is opened as it is written', () => {
  test.each([
    '/public/x',
    '/public/x/',
    '/public/',
    '/public//x',
    '/public/X',
    '/public/a%2Fb',
    '/v1/a%2Fb/read',
    '/v1/a;v=1/read',
    '/read/X',
    '/read/a%2Fb',
  ])('%s passes', async (path) => {
    await expectSent(to(`default${path}`));
  });

  test.each([
    '/Public/x',
    '//public/x',
    '/%2Fpublic/x',
    '/public%2Fx',
    '/public/../secret',
    '/public/%2e%2e/secret',
    '/public/..%2fsecret',
    '/public/%252e%252e/secret',
    '/public/..%252fsecret',
    '/public/%EF%BC%8E%EF%BC%8E/secret',
    '/public/..;/secret',
    '/v1/a%252Fb/read',
    '/v1//read',
    '/v1/;x/read',
    '/v1/a/read/',
    '/v1/a/Read',
    '/read/',
    '/read//x',
    '/read/x/',
    '/READ/x',
    '/read/%252e%252e',
    '/read/a%252Fb',
  ])('%s does not', async (path) => {
    await expectClosed(() => to(`default${path}`));
  });
});

test('another spelling of a path spends the same window', async () => {
  await expectSent(to('paced/slow/a'));
  for (const path of [
    '/slow/a',
    '/slow/b',
    '//slow/a',
    '/SLOW/a',
    '/slow/a/',
    '/sl%256Fw/a',
    '/slow%2Fa',
    '/slow;v/a',
    '/slow/a?x=1',
  ])
    await expectClosed(() => to(`paced${path}`));
  await expectSent(to('paced/fast/a'));
});

const JSON_TYPE = 'application/json';
const FORM = 'application/x-www-form-urlencoded';
const MULTIPART = '--b\r\nContent-Disposition: form-data; name="amount"\r\n\r\n1\r\n--b--\r\n';
const utf16 = (text: string, littleEndian: boolean) => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return littleEndian ? bytes : bytes.swap16();
};
const little = '{"amount":1}';

/** Each says an amount of 1 to some reader, or hides what it says. */
const BODIES: readonly [
  title: string,
  type: string | undefined,
  body: string | Uint8Array,
  more?: CallOptions['headers'],
][] = [
  ['UTF-16, little end first', `${JSON_TYPE}; charset=utf-16`, utf16(little, true)],
  ['UTF-16, big end first, unsaid', JSON_TYPE, utf16(little, false)],
  ['UTF-16, unsaid', JSON_TYPE, utf16(little, true)],
  ['UTF-7', `${JSON_TYPE}; charset=utf-7`, '{"amount":+ADEA-}'],
  ['Latin-1', `${JSON_TYPE}; charset=iso-8859-1`, little],
  ['a charset twice', `${JSON_TYPE}; charset=utf-8; charset=utf-16`, little],
  ['bytes that are no UTF-8', JSON_TYPE, Buffer.from([...Buffer.from('{"amount":1,"x":"'), 0xff, 0x22, 0x7d])],
  ['a byte order mark', JSON_TYPE, `\ufeff${little}`],
  ['gzip', JSON_TYPE, gzipSync(little), { 'content-encoding': 'gzip' }],
  ['gzip, unsaid', JSON_TYPE, gzipSync(little)],
  ['deflate', JSON_TYPE, deflateSync(little), { 'content-encoding': 'deflate' }],
  ['brotli', JSON_TYPE, brotliCompressSync(little), { 'content-encoding': 'br' }],
  ['gzip that is none', JSON_TYPE, little, { 'content-encoding': 'gzip' }],
  ['two codings', JSON_TYPE, gzipSync(gzipSync(little)), { 'content-encoding': 'gzip, gzip' }],
  ['an empty coding', JSON_TYPE, little, { 'content-encoding': '' }],
  ['a name twice', JSON_TYPE, '{"amount":1,"amount":100}'],
  ['a name twice, the other way round', JSON_TYPE, '{"amount":100,"amount":1}'],
  ['a name twice, once escaped', JSON_TYPE, '{"amount":1,"\\u0061mount":100}'],
  ['a name twice further down', JSON_TYPE, '{"amount":1,"x":[{"a":1,"a":2}]}'],
  ['a comment', JSON_TYPE, '{"amount":1/*,"amount":100*/}'],
  ['a comment to the end of the line', JSON_TYPE, '{"amount":1} // 100'],
  ['text behind it', JSON_TYPE, `${little}{"amount":100}`],
  ['lines', 'application/x-ndjson', `${little}\n{"amount":100}\n`],
  ['a trailing comma', JSON_TYPE, '{"amount":1,}'],
  ['single quotes', JSON_TYPE, "{'amount':1}"],
  ['a lone surrogate', JSON_TYPE, '{"amount":1,"x":"\\ud800"}'],
  ['a number too long', JSON_TYPE, '{"amount":1,"x":12345678901234567890}'],
  ['a number too large', JSON_TYPE, '{"amount":1,"x":1e999}'],
  ['nested too deep', JSON_TYPE, `{"amount":1,"x":${'['.repeat(200)}${']'.repeat(200)}}`],
  ['a name in another case', JSON_TYPE, '{"Amount":1}'],
  ['another Unicode form of the name', JSON_TYPE, '{"ａmount":1}'],
  ['a list', JSON_TYPE, `[${little}]`],
  ['a text', JSON_TYPE, JSON.stringify(little)],
  ['nothing', JSON_TYPE, ''],
  ['plain text', 'text/plain', little],
  ['no type', undefined, little],
  ['a type that is none', 'application', little],
  ['another type of JSON', 'text/json', little],
  ['a type in two fields', undefined, little, { 'Content-Type': [JSON_TYPE, 'text/plain'] }],
  ['two types in a field', `${JSON_TYPE}, text/plain`, little],
  ['a form of several parts', 'multipart/form-data; boundary=b', MULTIPART],
  ['XML', 'application/xml', '<amount>1</amount>'],
  ['a form said to be JSON', JSON_TYPE, 'amount=1'],
  ['JSON said to be a form', FORM, little],
  ['a name twice in a form', FORM, 'amount=1&amount=100'],
  ['a name twice in a form, the other way round', FORM, 'amount=100&amount=1'],
  ['a name twice in a form, once encoded', FORM, 'amount=1&%61mount=100'],
  ['a name of a list in a form', FORM, 'amount[]=1&amount[]=100'],
  ['a name of a list alone', FORM, 'amount[]=1'],
  ['a name in another case in a form', FORM, 'AMOUNT=1'],
  ['a form in another charset', `${FORM}; charset=utf-16`, 'amount=1'],
  ['a form with an encoding that is broken', FORM, 'amount=1&x=%zz&y=%ff'],
  ['a form apart by semicolons', FORM, 'amount=1;amount=100'],
];

describe('a body never loosens by', () => {
  test.each(BODIES)('%s', async (_title, type, body, more = {}) => {
    const headers = { ...(type === undefined ? {} : { 'content-type': type }), ...more };
    for (const name of ['little', 'much']) await expectClosed(() => to(`${name}/x`, { body, headers }));
  });

  test('nothing at all: a plain one is read on both sides of its boundary', async () => {
    for (const name of ['little', 'much']) {
      for (const [type, said] of [
        [JSON_TYPE, (amount: number) => JSON.stringify({ amount })],
        [FORM, (amount: number) => `amount=${amount}`],
      ] as const) {
        await expectSent(to(`${name}/x`, { body: said(10), headers: { 'content-type': type } }));
        await expectClosed(() => to(`${name}/x`, { body: said(11), headers: { 'content-type': type } }));
      }
    }
  });
});

describe('a query never loosens by', () => {
  test.each([
    'role=user&role=admin',
    'role=admin&role=user',
    '%72ole=admin',
    'role=%61dmin',
    'role[]=admin',
    'role%5B%5D=admin&role=user',
    'role=user&&role=admin&',
    'role=user&role=',
    'role',
    'role=USER',
  ])('?%s', async (query) => {
    for (const name of ['one', 'none']) await expectClosed(() => to(`${name}/x?${query}`));
  });

  test('nothing at all', async () => {
    for (const name of ['one', 'none']) await expectSent(to(`${name}/x?role=user`));
  });
});

describe('a method never loosens by', () => {
  test.each(['delete', 'Delete', 'put', 'DELETE ', 'CONNECT', 'TRACE'])('being written %j', async (method) => {
    await expectClosed(() => execute('reads', { method, path: '/x' }));
  });

  test.each([
    'x-http-method-override',
    'X-HTTP-METHOD-OVERRIDE',
    'x-http-method',
    'x-method-override',
    'x_http_method_override',
    'x-http_method-override',
  ])('the field %s, which goes nowhere', async (field) => {
    await expectClosed(() => to('reads/x', { method: 'DELETE', headers: { [field]: 'GET' } }));
    await expectSent(to('reads/x', { method: 'POST', headers: { [field]: 'DELETE' } }));
    const sent = upstream.requests.at(-1);
    expect(sent?.method).toBe('POST');
    expect(JSON.stringify(sent?.headers)).not.toContain('DELETE');
  });
});
