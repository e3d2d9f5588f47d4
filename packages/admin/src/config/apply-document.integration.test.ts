import { generateAgentKey } from '@postern/auth';
import { expect, test } from 'vitest';
import {
  sharedTestControlPlane,
  startTestControlPlane,
  type TestControlPlane,
  type TestRequest,
} from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

const YAML = { 'content-type': 'application/yaml' };

function apply(plane: TestControlPlane, body: string, more: Partial<TestRequest> = {}) {
  return plane.call({ method: 'POST', url: '/v1/apply', body, headers: YAML, ...more });
}

/** `create integration github` for each change, after making sure that the document was taken. */
async function changesOf(plane: TestControlPlane, body: string, more: Partial<TestRequest> = {}): Promise<string[]> {
  const answer = await apply(plane, body, more);
  expect(answer.status, answer.text).toBe(200);
  return answer.body.changes.map((change: { op: string; kind: string; name: string }) => {
    return `${change.op} ${change.kind} ${change.name}`;
  });
}

async function entriesOf(plane: TestControlPlane, tenant = 'default'): Promise<string[]> {
  const { body } = await plane.call({ url: '/v1/audit/events?limit=100', tenant });
  return body.items.map(({ type, subject }: { type: string; subject: string }) => `${type} ${subject}`).reverse();
}

const { key } = generateAgentKey();
const FULL = `version: 1
secrets:
  token: { value: a-long-enough-secret, environments: [dev] }
integrations:
  - name: github
    baseUrl: https://api.github.com/
    credential: { type: bearer, secret: token }
    actions:
      - { name: read, methods: [GET], paths: ['/repos/**'] }
agents:
  - { name: coder, trust: medium, environment: dev, key: ${key} }
rules:
  - { id: reads, effect: allow, agents: [coder], integrations: [github], actions: [read] }
`;

test('a document makes all it names, records each thing in one commit, and changes nothing when applied again', async () => {
  await using plane = await startTestControlPlane();
  expect(await changesOf(plane, FULL)).toEqual([
    'create secret token',
    'create integration github',
    'create agent coder',
    'create rule reads',
  ]);
  expect(plane.changed).toEqual(['default']);
  expect(await entriesOf(plane)).toEqual([
    'secret.written secret:token',
    'admin.created integration:github',
    'admin.created agent:coder',
    `admin.created agent-key:coder/${key.slice(4, 14)}`,
    'admin.created rule:reads',
    'admin.applied config',
    'policy.activated policy',
  ]);
  const { revision } = await plane.repositories.directory.changesSince(0);
  expect(await changesOf(plane, FULL)).toEqual([]);
  expect(await entriesOf(plane)).toHaveLength(7);
  expect(plane.changed).toEqual(['default']);
  expect((await plane.repositories.directory.changesSince(0)).revision).toBe(revision);
});

test('JSON is YAML: the same document in JSON changes nothing', async () => {
  await using plane = await startTestControlPlane();
  const document = {
    version: 1,
    agents: [{ name: 'coder' }],
    rules: [{ id: 'reads', effect: 'allow', agents: ['coder'] }],
  };
  expect(
    await changesOf(plane, JSON.stringify(document), { headers: { 'content-type': 'application/json' } }),
  ).toHaveLength(2);
  const yaml = 'version: 1\nagents: [{ name: coder }]\nrules: [{ id: reads, effect: allow, agents: [coder] }]\n';
  expect(await changesOf(plane, yaml)).toEqual([]);
});

test('a dry run tells the same changes, with all checks, and changes and records nothing', async () => {
  await using plane = await startTestControlPlane();
  const dryRun = { url: '/v1/apply?dryRun=true' };
  expect(await changesOf(plane, FULL, dryRun)).toHaveLength(4);
  expect(await changesOf(plane, FULL, dryRun)).toHaveLength(4);
  expect(await entriesOf(plane)).toEqual([]);
  expect(plane.changed).toEqual([]);
  expect((await plane.call({ url: '/v1/stats' })).body).toMatchObject({
    agents: 0,
    integrations: 0,
    secrets: 0,
    rules: 0,
  });
  const faulty = await apply(plane, FULL.replace('agents: [coder]', 'agents: [codr]'), dryRun);
  expect(faulty.status).toBe(422);
  expect(await changesOf(plane, FULL)).toHaveLength(4);
  const diff = (await apply(plane, FULL.replace('trust: medium', 'trust: high'), dryRun)).body.changes;
  expect(diff).toEqual([
    { kind: 'agent', name: 'coder', op: 'update', diff: [{ path: 'trust', from: 'medium', to: 'high' }] },
  ]);
});

test('a diff names each member that changes, and of secrets and keys only that they do', async () => {
  await using plane = await startTestControlPlane();
  await changesOf(plane, FULL);
  const other = generateAgentKey().key;
  const text = FULL.replace('a-long-enough-secret', 'another-long-secret')
    .replace('[dev] }', '[dev, prod] }')
    .replace(key, other)
    .replace("paths: ['/repos/**']", "paths: ['/repos/**'], risk: low")
    .replace('baseUrl: https://api.github.com/', 'baseUrl: https://api.github.com/v3\n    timeouts: { totalMs: 5000 }')
    .replace('effect: allow', 'effect: deny, hard: true');
  const answer = await apply(plane, text);
  const action = { name: 'read', methods: ['GET'], paths: ['/repos/**'], approval: 'none', volatile: [] };
  expect(answer.body.changes).toEqual([
    {
      kind: 'secret',
      name: 'token',
      op: 'update',
      diff: [
        { path: 'value', from: '(hidden)', to: '(hidden), changed' },
        { path: 'environments', from: ['dev'], to: ['dev', 'prod'] },
      ],
    },
    {
      kind: 'integration',
      name: 'github',
      op: 'update',
      diff: [
        { path: 'baseUrl', from: 'https://api.github.com', to: 'https://api.github.com/v3' },
        { path: 'timeouts.totalMs', from: 30_000, to: 5_000 },
        { path: 'actions', from: [action], to: [{ ...action, risk: 'low' }] },
      ],
    },
    {
      kind: 'agent',
      name: 'coder',
      op: 'update',
      diff: [{ path: 'key', from: key.slice(4, 14), to: other.slice(4, 14) }],
    },
    {
      kind: 'rule',
      name: 'reads',
      op: 'update',
      diff: [
        { path: 'effect', from: 'allow', to: 'deny' },
        { path: 'hard', from: null, to: true },
      ],
    },
  ]);
  expect(answer.text).not.toContain('long-secret');
  expect(answer.text).not.toContain(other);
  expect(await changesOf(plane, text)).toEqual([]);
});

test('what a document no longer names is removed if a document made it; a section it lacks is left alone', async () => {
  await using plane = await startTestControlPlane();
  await changesOf(plane, FULL);
  await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'by-hand' } });
  await plane.call({ method: 'POST', url: '/v1/rules', body: { id: 'by-hand', effect: 'deny' } });
  expect(await changesOf(plane, 'version: 1\n')).toEqual([]);
  expect(await changesOf(plane, 'version: 1\nagents: []\nrules: []\n')).toEqual([
    'delete agent coder',
    'delete rule reads',
  ]);
  const names = async (url: string) =>
    (await plane.call({ url })).body.items.map((item: { name: string }) => item.name);
  expect(await names('/v1/agents')).toEqual(['by-hand']);
  expect(await names('/v1/integrations')).toEqual(['github']);
  expect(await names('/v1/secrets')).toEqual(['token']);
  expect((await plane.call({ url: '/v1/rules/reads' })).body.disabled).toBe(true);
  expect((await plane.call({ url: '/v1/rules/by-hand' })).body.disabled).toBe(false);
  expect(await changesOf(plane, 'version: 1\nsecrets: {}\nintegrations: []\n')).toEqual([
    'delete secret token',
    'delete integration github',
  ]);
  expect(await changesOf(plane, FULL)).toEqual([
    'create secret token',
    'create integration github',
    'create agent coder',
    'update rule reads',
  ]);
  expect(await changesOf(plane, FULL)).toEqual([]);
});

test('an object made by hand becomes the document’s when it names it, and then goes with it', async () => {
  await using plane = await startTestControlPlane();
  const created = await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
  await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'other', trust: 'high' } });
  const document = 'version: 1\nagents: [{ name: coder }, { name: other, trust: low }]\n';
  expect(await changesOf(plane, document)).toEqual(['update agent other']);
  const agent = (await plane.call({ url: '/v1/agents/coder' })).body;
  expect(agent).toMatchObject({ origin: 'config', id: created.body.id });
  expect(await changesOf(plane, 'version: 1\nagents: []\n')).toEqual(['delete agent coder', 'delete agent other']);
});

test('a member edited by hand is put back by the next apply', async () => {
  await using plane = await startTestControlPlane();
  await changesOf(plane, FULL);
  await plane.call({ method: 'PATCH', url: '/v1/agents/coder', body: { trust: 'admin' } });
  await plane.call({ method: 'POST', url: '/v1/rules/reads/disable' });
  expect(await changesOf(plane, FULL)).toEqual(['update agent coder', 'update rule reads']);
  expect(await changesOf(plane, FULL)).toEqual([]);
});

test('keys: an agent without one keeps its keys, a new one supersedes those of earlier documents alone', async () => {
  await using plane = await startTestControlPlane();
  await changesOf(plane, FULL);
  const byHand = (await plane.call({ method: 'POST', url: '/v1/agents/coder/keys' })).body.id;
  const inForce = async () => {
    const { body } = await plane.call({ url: '/v1/agents/coder/keys' });
    const live = body.items.filter((item: { revokedAt?: string }) => item.revokedAt === undefined);
    return live.map((item: { id: string }) => item.id).sort();
  };
  expect(await changesOf(plane, FULL.replace(`, key: ${key}`, ''))).toEqual([]);
  expect(await inForce()).toEqual([byHand, key.slice(4, 14)].sort());
  const other = generateAgentKey().key;
  expect(await changesOf(plane, FULL.replace(key, other))).toEqual(['update agent coder']);
  expect(await inForce()).toEqual([byHand, other.slice(4, 14)].sort());
  const back = await apply(plane, FULL);
  expect(back.body.issues).toEqual([
    { field: 'agents[0].key', message: 'is revoked; "postern keys generate" makes another', line: 11 },
  ]);
});

test('a key that another agent has is refused, here and in another tenant; a renamed agent takes its key along', async () => {
  await using plane = await startTestControlPlane();
  await changesOf(plane, FULL);
  const inUse = [
    { field: 'agents[1].key', message: 'is in use already; "postern keys generate" makes another', line: 2 },
  ];
  const second = await apply(plane, `version: 1\nagents: [{ name: coder }, { name: second, key: ${key} }]\n`);
  expect(second.body.issues).toEqual(inUse);
  await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
  const foreign = `version: 1\ntenant: acme\nagents: [{ name: first }, { name: second, key: ${key} }]\n`;
  expect((await apply(plane, foreign, { tenant: 'acme' })).body.issues).toEqual([{ ...inUse[0], line: 3 }]);
  const renamed = FULL.replace(/coder/g, 'renamed');
  expect(await changesOf(plane, renamed)).toEqual(['delete agent coder', 'create agent renamed', 'update rule reads']);
  expect((await plane.call({ url: '/v1/agents/renamed/keys' })).body.items[0].id).toBe(key.slice(4, 14));
});

test('what export writes is no change, as YAML and as JSON, for what documents and hands made', async () => {
  await using plane = await startTestControlPlane();
  const global = 'global:\n  rules:\n    - { id: never, effect: deny, hard: true, paths: [/admin/**] }\n';
  await changesOf(plane, FULL + global);
  const byHand = {
    name: 'by-hand',
    baseUrl: 'https://a.example/base',
    hosts: ['a.example', 'b.example'],
    network: { ports: [443, 8443] },
    headers: { request: { allow: ['accept', 'x-*'] } },
    disabled: true,
  };
  await plane.call({ method: 'POST', url: '/v1/integrations', body: byHand });
  await plane.call({ method: 'POST', url: '/v1/rules', body: { id: 'off', effect: 'deny', disabled: true } });
  await plane.call({
    method: 'POST',
    url: '/v1/agents',
    body: { name: 'x', addresses: ['10.0.0.0/8'], owner: 'alice' },
  });
  const yaml = await plane.call({ url: '/v1/export' });
  expect(yaml.headers['content-type']).toBe('application/yaml');
  expect(yaml.text).not.toContain('a-long-enough-secret');
  expect(yaml.text).not.toContain(key);
  expect(await changesOf(plane, yaml.text)).toEqual([]);
  expect(await changesOf(plane, yaml.text)).toEqual([]);
  const json = await plane.call({ url: '/v1/export', headers: { accept: 'application/json' } });
  expect(json.body).toMatchObject({ version: 1, tenant: 'default', global: { rules: [{ id: 'never' }] } });
  expect(json.body.rules.map((rule: { id: string }) => rule.id)).toEqual(['off', 'reads']);
  expect(await changesOf(plane, json.text)).toEqual([]);
  expect(await entriesOf(plane)).toContain('export config');
  expect((await plane.call({ url: '/v1/secrets' })).body.items).toHaveLength(1);
});

test('an administrator of a tenant exports without global rules and can apply what he exported', async () => {
  await using plane = await startTestControlPlane();
  await changesOf(plane, `${FULL}global:\n  rules:\n    - { id: never, effect: deny, hard: true }\n`);
  const token = await plane.createAdmin('ann', 'admin');
  const { text } = await plane.call({ url: '/v1/export', token });
  expect(text).not.toContain('global:');
  expect(await changesOf(plane, text, { token })).toEqual([]);
});

test.each<[string, string, object]>([
  [
    'a rule that names an unknown agent',
    FULL.replace('agents: [coder]', 'agents: [codr]'),
    { field: 'rules[0].agents[0]', rule: 'reads', message: 'names an unknown agent', line: 13 },
  ],
  [
    'a rule with a bad pattern',
    FULL.replace('actions: [read]', 'paths: [/a*b]'),
    { field: 'rules[0].paths[0]', rule: 'reads', message: expect.any(String), line: 13 },
  ],
  [
    'a secret too short for the credential that carries it',
    FULL.replace('a-long-enough-secret', 'seven77'),
    {
      field: 'secrets.token',
      message: "The secret of the integration's credential has fewer than 8 characters (integration github)",
      line: 3,
    },
  ],
  [
    'a secret that no header can carry',
    FULL.replace('a-long-enough-secret', '"two\\nlines-of-it"'),
    {
      field: 'secrets.token',
      message:
        "The secret of the integration's credential holds a control character or a line break (integration github)",
      line: 3,
    },
  ],
  [
    'an agent key with a wrong checksum',
    FULL.replace(key, `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`),
    {
      field: 'agents[0].key',
      message: 'is not an agent key (format or checksum); "postern keys generate" makes one',
      line: 11,
    },
  ],
  [
    'one key for two agents',
    FULL.replace('rules:', `  - { name: second, key: ${key} }\nrules:`),
    { field: 'agents[1].key', message: 'is the key of another agent of the document', line: 12 },
  ],
  [
    'a reference',
    FULL.replace('value: a-long-enough-secret', 'from: env:TOKEN'),
    {
      field: 'secrets.token.from',
      message: 'is read by the command line and for the start-up file alone; give the value',
      line: 3,
    },
  ],
  [
    'another tenant',
    `tenant: acme\n${FULL}`,
    { field: 'tenant', message: 'must be default, the tenant of the request', line: 1 },
  ],
  [
    'addresses beyond the ceiling',
    FULL.replace(
      'baseUrl: https://api.github.com/',
      'baseUrl: https://api.github.com/\n    network: { unsafeAllowAddresses: [10.0.0.0/8] }',
    ),
    {
      field: 'integrations[0].network.unsafeAllowAddresses[0]',
      message: 'must lie within the networks of POSTERN_UNSAFE_ALLOW_ADDRESSES',
      line: 7,
    },
  ],
])('%s is refused with its field and line, and nothing is stored', async (_title, text, issue) => {
  const plane = shared();
  const answer = await apply(plane, text);
  expect(answer).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
  expect(answer.body.issues).toEqual([issue]);
  expect(answer.text).not.toContain('seven77');
  expect(await entriesOf(plane)).toEqual([]);
  expect((await plane.call({ url: '/v1/stats' })).body).toMatchObject({
    agents: 0,
    integrations: 0,
    secrets: 0,
    rules: 0,
  });
});

test('a secret of eight characters is long enough for a credential', async () => {
  await using plane = await startTestControlPlane();
  expect(await changesOf(plane, FULL.replace('a-long-enough-secret', 'eight888'))).toHaveLength(4);
});

test('a credential whose secret is not there yet is taken with a warning', async () => {
  await using plane = await startTestControlPlane();
  const answer = await apply(plane, FULL.replace(/secrets:\n.*\n/, ''));
  expect(answer.status).toBe(200);
  expect(answer.body.warnings).toEqual([
    {
      field: 'integrations[0].credential.secret',
      message: 'there is no secret token yet; calls are refused until there is',
      line: 5,
    },
  ]);
});

test('global rules and unsafe members are for an instance owner alone', async () => {
  await using plane = await startTestControlPlane();
  const token = await plane.createAdmin('ann', 'admin');
  const unsafe = (members: string) =>
    `version: 1\nintegrations:\n  - { name: a, baseUrl: 'http://127.0.0.1:9000', network: { ${members} } }\n`;
  const documents = [
    'version: 1\nglobal: { rules: [] }\n',
    unsafe('unsafeAllowAddresses: [127.0.0.1]'),
    unsafe('unsafeAllowAddresses: [127.0.0.1], unsafeAllowCleartextCredentials: true'),
    `version: 1\nintegrations:\n  - { name: a, baseUrl: 'https://a.example', network: { unsafeAllowCleartextCredentials: true } }\n`,
  ];
  for (const document of documents) {
    for (const url of ['/v1/apply', '/v1/apply?dryRun=true']) {
      const answer = await apply(plane, document, { token, url });
      expect(answer, document).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    }
    expect((await apply(plane, document)).status, document).toBe(200);
  }
});

test('global rules bind every tenant, and must not take the id of a rule of any', async () => {
  await using plane = await startTestControlPlane();
  await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
  await plane.call({ method: 'POST', url: '/v1/rules', body: { id: 'mine', effect: 'allow' }, tenant: 'acme' });
  plane.changed.length = 0;
  const globals = (id: string) => `version: 1\nglobal:\n  rules:\n    - { id: ${id}, effect: deny, hard: true }\n`;
  expect((await apply(plane, globals('mine'))).body.issues).toEqual([
    { field: 'global.rules[0].id', message: 'is the id of a rule of tenant acme', line: 4 },
  ]);
  expect(await changesOf(plane, globals('never'))).toEqual(['create global_rule never']);
  expect(plane.changed).toEqual(['*']);
  const { tenants } = await plane.repositories.directory.changesSince(0);
  expect([...tenants].sort()).toEqual(['acme', 'default']);
  expect((await plane.repositories.directory.load('acme'))?.globalRules.map(({ id }) => id)).toEqual(['never']);
  const taken = await plane.call({
    method: 'POST',
    url: '/v1/rules',
    body: { id: 'never', effect: 'allow' },
    tenant: 'acme',
  });
  expect(taken).toMatchObject({ status: 422, body: { issues: [{ field: 'id' }] } });
});

test('a document is taken as YAML or JSON alone', async () => {
  await using plane = await startTestControlPlane();
  const answer = await apply(plane, FULL, { headers: { 'content-type': 'text/html' } });
  expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
});

test('two documents at once: one after the other, and the log tells of both', async () => {
  await using plane = await startTestControlPlane();
  const texts = Array.from({ length: 8 }, (_, index) => `version: 1\nagents: [{ name: agent-${index} }]\n`);
  const answers = await Promise.all(texts.map((text) => apply(plane, text)));
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  const { items } = (await plane.call({ url: '/v1/agents' })).body;
  expect(items).toHaveLength(1);
  expect((await entriesOf(plane)).filter((entry) => entry === 'admin.applied config')).toHaveLength(8);
});

test('a thousand rules are applied in one go', async () => {
  await using plane = await startTestControlPlane();
  const rules = Array.from(
    { length: 1_000 },
    (_, index) => `  - { id: r-${index}, effect: allow, paths: [/p/${index}/**] }`,
  );
  const text = `version: 1\nrules:\n${rules.join('\n')}\n`;
  expect(await changesOf(plane, text)).toHaveLength(1_000);
  expect(await changesOf(plane, text)).toEqual([]);
});
