import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { control, outcomeOf } from './support/audit-log.ts';
import { doctor } from './support/doctor.ts';
import { call } from './support/http-client.ts';
import { postern } from './support/postern.ts';
import { refusedStart } from './support/refused-start.ts';
import { integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
let upstream: Upstream;
let gateway: RunningGateway;

const ACME = {
  name: 'acme',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example/v1',
  credential: { type: 'none' },
  actions: [
    { name: 'things.read', methods: ['GET'], paths: ['/v1/things/**'], risk: 'low' },
    { name: 'things.write', methods: ['POST'], paths: ['/v1/things'], risk: 'medium' },
  ],
  limitSignals: [{ statuses: [420], wait: { header: 'x-wait', as: 'seconds' } }],
};

const configOf = (more: object = {}) => ({
  version: 1,
  templates: [ACME],
  integrations: [
    integration('github', upstream.url, { template: 'github@1' }),
    integration('acme', `${upstream.url}/v1`, {
      template: 'acme@1',
      actions: [{ name: 'own', methods: ['GET'], paths: ['/v1/own'] }],
      retry: { attempts: 2, baseMs: 0, maxMs: 0 },
    }),
  ],
  agents: [{ name: 'coder', key: coder.key }],
  rules: [
    { id: 'github-issues', effect: 'allow', integrations: ['github'], actions: ['issues.read'] },
    { id: 'acme-reads', effect: 'allow', integrations: ['acme'], actions: ['things.read', 'own'] },
  ],
  ...more,
});

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ config: configOf() });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const send = (target: string, method = 'GET') =>
  call(gateway.dataUrl, `/to/${target}`, { method, headers: { 'postern-key': coder.key } });

async function explain(name: string, method: string, target: string) {
  const answer = await call(gateway.dataUrl, '/v1/explain', {
    method: 'POST',
    headers: { 'postern-key': coder.key, 'content-type': 'application/json' },
    body: JSON.stringify({ integration: name, request: { method, path: target } }),
  });
  expect(answer.status, answer.text).toBe(200);
  return answer.json();
}

describe('an integration with a built-in template', () => {
  test('has its actions, by which rules decide', async () => {
    expect((await send('github/repos/acme/site/issues')).status).toBe(200);
    const refused = await send('github/repos/acme/site/pulls');
    expect(refused.status).toBe(403);
    expect(refused.problem().code).toBe('denied');
  });

  test('tells action and template when it is asked why', async () => {
    const told = await explain('github', 'GET', '/repos/acme/site/issues/7');
    expect(told).toMatchObject({ decision: 'allow', rule: 'github-issues', action: 'issues.read' });
    expect(told.descriptor).toMatchObject({ template: 'github@1', action: 'issues.read' });
    const other = await explain('github', 'PUT', '/repos/acme/site/pulls/7/merge');
    expect(other).toMatchObject({ decision: 'deny', action: 'pulls.merge' });
    // The template's word, which no rule lifts here.
    const held = await explain('github', 'DELETE', '/repos/acme/site');
    expect(held).toMatchObject({ decision: 'require_approval', action: 'repos.delete' });
  });

  test('tells its agents what they may call', async () => {
    const answer = await call(gateway.dataUrl, '/v1/integrations', { headers: { 'postern-key': coder.key } });
    const { items } = answer.json() as { items: { name: string; actions: { name: string; outcome: string }[] }[] };
    const outcomes = (name: string) =>
      new Map(items.find((item) => item.name === name)?.actions.map((action) => [action.name, action.outcome]));
    expect(outcomes('github').get('issues.read')).toBe('allow');
    expect(outcomes('github').get('pulls.merge')).toBe('deny');
    expect(outcomes('github').get('repos.delete')).toBe('require_approval');
    expect([...outcomes('acme')]).toEqual([
      ['things.read', 'allow'],
      ['things.write', 'deny'],
      ['own', 'allow'],
    ]);
  });
});

describe('an own template', () => {
  test('brings its actions beside those of the integration, and its limit signals', async () => {
    expect((await send('acme/things/1')).status).toBe(200);
    expect((await send('acme/own')).status).toBe(200);
    expect((await send('acme/things', 'POST')).status).toBe(403);
    let tries = 0;
    upstream.answerWith((_request, response) => {
      tries += 1;
      response.writeHead(tries === 1 ? 420 : 200, tries === 1 ? { 'x-wait': '0' } : {}).end();
    });
    const answer = await send('acme/things/1');
    expect([answer.status, tries]).toEqual([200, 2]);
    expect((await outcomeOf(gateway, answer.headers['postern-request-id'])).attempt).toBe(2);
    // The provider of the other integration says nothing of that status.
    tries = 0;
    expect([(await send('github/repos/acme/site/issues')).status, tries]).toEqual([420, 1]);
    upstream.answerWith((_request, response) => void response.end('ok'));
  });

  test('has another version published by the command line, which one integration moves over to', async () => {
    const second = {
      ...ACME,
      version: 2,
      actions: [...ACME.actions, { name: 'things.count', methods: ['GET'], paths: ['/v1/things/count'], risk: 'low' }],
    };
    const before = (await postern(gateway, ['templates', 'show', 'acme@1', '--json'])).json();
    const checked = await postern(gateway, ['templates', 'check', '-f', '-'], JSON.stringify(second));
    expect([checked.code, checked.out]).toEqual([0, 'acme@2 is good: 3 actions.\n']);
    const published = await postern(gateway, ['templates', 'publish', '-f', '-'], JSON.stringify(second));
    expect([published.code, published.notes]).toEqual([0, '']);
    expect(published.out).toContain('acme@2 is published');
    expect((await explain('acme', 'GET', '/things/count')).descriptor.template).toBe('acme@1');

    const moved = await postern(gateway, ['integrations', 'update', 'acme', '--template', 'acme@2']);
    expect([moved.code, moved.notes]).toEqual([0, '']);
    const told = await explain('acme', 'GET', '/things/count');
    expect(told).toMatchObject({ decision: 'deny', action: 'things.count' });
    expect(told.descriptor.template).toBe('acme@2');
    expect((await send('acme/things/count')).status).toBe(403);
    expect((await send('acme/things/1')).status).toBe(200);

    expect((await postern(gateway, ['templates', 'show', 'acme@1', '--json'])).json()).toEqual(before);
    const versions = (await postern(gateway, ['templates', 'versions', 'acme', '--json'])).json();
    expect(versions.items.map(({ id }: { id: string }) => id)).toEqual(['acme@2', 'acme@1']);
    const list = (await postern(gateway, ['templates', 'list'])).out;
    expect(list).toMatch(/^acme@2 .*\d/m);
    expect(list).toMatch(/^github@1 .*built in$/m);
  });

  test('cannot be changed, and faults of a file are told with their lines', async () => {
    const changed = await postern(
      gateway,
      ['templates', 'publish', '-f', '-'],
      JSON.stringify({ ...ACME, title: 'X' }),
    );
    expect(changed.code).toBe(1);
    expect(changed.notes).toContain('acme@1 is published and never changes');
    const faulty = [
      ...['name: acme', 'version: 9', 'provider: Acme', 'title: Acme', 'sources: [https://docs.acme.example]'],
      ...['baseUrl: https://api.acme.example', 'credential: { type: bearer }', 'actions:'],
      '  - { name: all, methods: [DELETE], paths: [/**], risk: medium }',
    ].join('\n');
    for (const command of ['check', 'publish']) {
      const refused = await postern(gateway, ['templates', command, '-f', '-'], faulty);
      expect(refused.code).toBe(1);
      expect(refused.notes).toContain('stdin:9: actions[0].paths[0]: of action all: is too broad for DELETE');
    }
    const misspelt = await postern(gateway, ['templates', 'check', '-f', '-'], `${faulty}\nlimitSignal: []\n`);
    expect(misspelt.notes).toContain('stdin:10: limitSignal: is not a known field; did you mean "limitSignals"?');
  });

  test('is invisible to another tenant', async () => {
    expect((await control(gateway, 'POST', '/v1/tenants', { body: { name: 'other' } })).status).toBe(201);
    const seen = await control(gateway, 'GET', '/v1/templates/acme', { tenant: 'other' });
    expect([seen.status, seen.problem().code]).toEqual([404, 'not_found']);
    expect((await control(gateway, 'GET', '/v1/templates/acme/versions/1', { tenant: 'other' })).status).toBe(404);
    const body = { name: 'acme', baseUrl: 'https://api.acme.example', template: 'acme@1' };
    const refused = await control(gateway, 'POST', '/v1/integrations', { tenant: 'other', body });
    expect(refused.status).toBe(422);
    expect(refused.text).not.toContain('did you mean');
    const list = (await postern(gateway, ['templates', 'list', '--tenant', 'other', '--json'])).json();
    expect(list.items.every(({ builtin }: { builtin: boolean }) => builtin)).toBe(true);
  });
});

test('an integration whose template is gone refuses its calls, and the doctor says why', async () => {
  await using alone = await startGateway({ config: configOf() });
  const database = new DatabaseSync(path.join(alone.dataFolder, 'postern.db'), { timeout: 10_000 });
  // As a program without a built-in template finds the data of one that has it.
  database.exec("update template_versions set active = 0 where name = 'acme'");
  database.close();
  const headers = { 'postern-key': coder.key };
  const refused = await call(alone.dataUrl, '/to/acme/things/1', { headers });
  expect([refused.status, refused.problem().code]).toEqual([403, 'integration_disabled']);
  expect((await call(alone.dataUrl, '/to/github/repos/acme/site/issues', { headers })).status).toBe(200);
  expect(alone.stderr()).toContain('there is no template acme@1');
  const diagnosis = await doctor(alone.dataFolder);
  expect(diagnosis.find('template-missing')).toMatchObject({ status: 'broken', about: 'integration acme' });
  const asked = await doctor(alone.dataFolder, ['acme', '--agent', 'coder']);
  expect(asked.find('template-missing')).toBeDefined();
});

describe('a start-up file', () => {
  const own = `version: 1
templates:
  - name: acme
    version: 1
    provider: Acme
    title: Acme
    sources: [https://docs.acme.example]
    baseUrl: https://api.acme.example
    credential: { type: bearer }
    actions:
      - { name: things.read, methods: [GET], paths: [/things/**], risk: low }
`;

  test.each<[string, string, RegExp]>([
    [
      'a template that is not there',
      'version: 1\nintegrations:\n  - name: a\n    baseUrl: https://example.com\n    template: githb@1\n',
      /:5: integrations\[0\]\.template: there is no template githb@1; did you mean github@1\?/,
    ],
    [
      'no version',
      'version: 1\nintegrations:\n  - name: a\n    baseUrl: https://example.com\n    template: github\n',
      /:5: integrations\[0\]\.template: must be NAME@VERSION/,
    ],
    [
      'a pattern that names nothing',
      own.replace('methods: [GET], paths: [/things/**]', 'methods: [PUT], paths: [/**]'),
      /:11: templates\[0\]\.actions\[0\]\.paths\[0\]: of action things\.read: is too broad for PUT/,
    ],
    ['no risk tier', own.replace(', risk: low', ''), /:11: templates\[0\]\.actions\[0\]\.risk: .*is required/],
    [
      'a name that is taken',
      own.replace('name: acme', 'name: github'),
      /:4: templates\[0\]\.version: github@1 is built in/,
    ],
    [
      'a version twice',
      own + own.slice(own.indexOf('  - name')),
      /:13: templates\[1\]\.version: is the version of another/,
    ],
  ])('with %s is refused with line and field', async (_what, config, says) => {
    expect(await refusedStart({ config })).toMatch(says);
  });
});
