import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane } from '../control-plane.fixture.ts';
import { idsOf, prepare, READS, record, simulate } from '../policies/recorded-traffic.fixture.ts';

const shared = sharedTestControlPlane();

test('a range is looked at, newest first, in windows that together are the whole', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  for (let minute = 0; minute < 7; minute += 1) {
    await record(plane, {}, { type: 'outcome', decision: undefined }, { integration: 'gone' });
  }
  const whole = (await simulate(plane, { rules: [] })).body;
  expect(whole).toMatchObject({ calls: 7, truncated: false, oldest: '2026-03-01T12:01:00.000Z' });
  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await simulate(plane, { rules: [] }, `?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(body.calls + body.notRecorded.length).toBeLessThanOrEqual(3);
    expect(body.truncated).toBe(body.nextCursor !== undefined);
    seen.push(...idsOf(body.changed), ...idsOf(body.notRecorded));
    cursor = body.nextCursor ?? '';
  } while (cursor !== '');
  expect(seen.sort()).toEqual([...idsOf(whole.changed), ...idsOf(whole.notRecorded)].sort());

  const count = async (query: string) => (await simulate(plane, { rules: [] }, query)).body.calls;
  expect(await count('?since=3m')).toBe(4);
  expect(await count('?from=2026-03-01T12:02:00Z&to=2026-03-01T12:04:00Z')).toBe(2);
  expect(await count(`?from=${Date.parse('2026-03-01T12:06:00Z')}`)).toBe(2);
  expect(await count('?to=2026-03-01T12:03:00Z&since=1m')).toBe(1);
  plane.clock.now += 86_400_000;
  expect(await count('')).toBe(1);
  plane.clock.now += 1;
  expect(await count('')).toBe(0);
});

test('a stored version is simulated by id, number, or as a member of the body', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await record(plane, {});
  const draft = await plane.call({ method: 'POST', url: '/v1/policies', body: { rules: [] } });
  expect(draft.status).toBe(201);
  const { id, number } = draft.body;
  for (const answer of [
    await plane.call({ method: 'POST', url: `/v1/policies/${id}/simulate` }),
    await plane.call({ method: 'POST', url: `/v1/policies/${number}/simulate?since=1h` }),
    await simulate(plane, { policy: id }),
  ]) {
    expect(answer.body).toMatchObject({ calls: 1, changed: [{ after: { outcome: 'deny', rule: null } }] });
  }
  for (const unknown of ['999', 'nothing']) {
    expect((await plane.call({ method: 'POST', url: `/v1/policies/${unknown}/simulate` })).status).toBe(404);
    expect((await simulate(plane, { policy: unknown })).status).toBe(404);
  }
});

test('another tenant sees neither the calls nor the versions of this one', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
  await prepare(plane, [READS], 'acme');
  const [own] = await record(plane, {});
  const [acmes] = await record(plane, { tenant: 'acme' });
  const { body: draft } = await plane.call({ method: 'POST', url: '/v1/policies', body: { rules: [] } });
  expect(idsOf((await simulate(plane, { rules: [] })).body.changed)).toEqual([own]);
  expect(idsOf((await simulate(plane, { rules: [] }, '', { tenant: 'acme' })).body.changed)).toEqual([acmes]);
  const foreign = { method: 'POST', url: `/v1/policies/${draft.id}/simulate`, tenant: 'acme' } as const;
  expect((await plane.call(foreign)).status).toBe(404);
  expect((await simulate(plane, { policy: draft.id }, '', { tenant: 'acme' })).status).toBe(404);
});

test('owners, admins and auditors may simulate', async () => {
  const plane = shared();
  for (const [role, status] of [
    ['owner', 200],
    ['admin', 200],
    ['auditor', 200],
    ['operator', 403],
    ['approver', 403],
  ] as const) {
    const token = await plane.createAdmin(`a-${role}`, role);
    expect((await simulate(plane, { rules: [] }, '', { token })).status).toBe(status);
  }
  expect((await simulate(plane, { rules: [] }, '', { token: null })).status).toBe(401);
});

test.each<[draft: object, issue: object]>([
  [{}, { field: 'rules', message: 'is required, or risk, global or policy' }],
  [{ rules: [], policy: '1' }, { field: 'policy' }],
  [{ rule: [] }, { field: 'rule', message: 'is not a known field; did you mean "rules"?' }],
  [{ rules: [{ id: 'x', efect: 'allow' }] }, { field: 'rules[0].efect' }],
  [
    {
      rules: [
        { id: 'a', effect: 'allow' },
        { id: 'x', effect: 'allow', when: 'request.nothing == 1' },
      ],
    },
    { field: 'rules[1].when', rule: 'x', position: 8 },
  ],
  [{ rules: [{ id: 'x', effect: 'allow', hosts: ['A'] }] }, { field: 'rules[0].hosts[0]' }],
  [{ global: { rules: [{ id: 'x', effect: 'allow' }] } }, { field: 'global.rules[0].effect' }],
  [{ risk: { review: 2 } }, { field: 'risk.review' }],
  [{ risk: { review: 0.9, deny: 0.5 } }, { field: 'risk.deny' }],
])('a draft that could not be saved is refused with its place: %j', async (draft, issue) => {
  const { status, body } = await simulate(shared(), draft);
  expect(status).toBe(422);
  expect(body.issues).toContainEqual(expect.objectContaining(issue));
});

test.each([
  ['since=yesterday', 'since'],
  ['since=0h', 'since'],
  ['since=1h&from=2026-01-01', 'since'],
  ['from=noon', 'from'],
  ['to=2026-13-01', 'to'],
  ['limit=0', 'limit'],
  ['limit=10001', 'limit'],
  ['cursor=x', 'cursor'],
  ['until=1h', 'until'],
])('a range that is none is refused: %s', async (query, field) => {
  const { status, body } = await simulate(shared(), { rules: [] }, `?${query}`);
  expect(status).toBe(422);
  expect(body.issues).toContainEqual(expect.objectContaining({ field }));
});

test('what the draft names and nobody has is warned of', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const rules = [{ ...READS, agents: ['codr'] }];
  const { status, body } = await simulate(plane, { rules });
  expect(status).toBe(200);
  expect(body.warnings).toEqual([expect.objectContaining({ field: expect.stringContaining('rules[0].agents') })]);
});

test('only so many simulations wait for their turn', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => simulate(shared(), { rules: [] })));
  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThanOrEqual(32);
  for (const { status, body } of refused) expect([status, body.code]).toEqual([503, 'overloaded']);
  expect((await simulate(shared(), { rules: [] })).status).toBe(200);
});

const TESTS = [
  {
    name: 'reads pass',
    call: { agent: 'coder', integration: 'api', path: '/items' },
    expect: { outcome: 'allow', rule: 'reads' },
  },
  {
    name: 'writes do not',
    call: { agent: 'coder', integration: 'api', method: 'PUT', path: '/items' },
    expect: { outcome: 'deny', rule: null },
  },
];

test('tests of policy run on what is in force, and on the sections given', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const run = (body: object) => plane.call({ method: 'POST', url: '/v1/policies/test', body });
  expect((await run({ tests: TESTS })).body).toMatchObject({ passed: 2, failed: 0 });
  const { body } = await run({ tests: TESTS, rules: [{ id: 'writes', effect: 'allow', actions: ['upload'] }] });
  expect(body).toMatchObject({
    passed: 0,
    failed: 2,
    results: [
      {
        name: 'reads pass',
        isPassed: false,
        problems: ['outcome is "deny", not "allow"', 'rule is null, not "reads"'],
      },
      {
        decision: {
          trace: expect.arrayContaining([
            expect.objectContaining({ rule: 'writes', matched: true, words: 'allows the call' }),
          ]),
        },
      },
    ],
  });
  const templated = await run({
    integrations: [{ name: 'gh', baseUrl: 'https://api.github.com', template: 'github@1' }],
    agents: [{ name: 'coder' }],
    rules: [{ id: 'all', effect: 'allow', integrations: ['gh'] }],
    tests: [{ name: 't', call: { agent: 'coder', integration: 'gh', path: '/user' }, expect: { outcome: 'allow' } }],
  });
  expect(templated.body).toMatchObject({ passed: 1 });
  const auditor = await plane.createAdmin('reader', 'auditor');
  const allowed = await plane.call({
    method: 'POST',
    url: '/v1/policies/test',
    body: { tests: TESTS },
    token: auditor,
  });
  expect(allowed.status).toBe(200);
});

test.each<[document: object, field: string]>([
  [{}, 'tests'],
  [{ tests: [] }, 'tests'],
  [{ tests: [{ ...TESTS[0], when: 1 }] }, 'tests[0].when'],
  [{ tests: [{ ...TESTS[0], call: { agent: 'coder', integration: 'api' } }] }, 'tests[0].call'],
  [{ tests: [{ ...TESTS[0], expect: { rule: 'x' } }] }, 'tests[0].expect.outcome'],
  [{ tests: TESTS, rules: [{ id: 'x', effect: 'allow', when: '1 +' }] }, 'rules[0].when'],
  [{ tests: TESTS, policy: '../x.yaml' }, 'policy'],
  [
    { tests: TESTS, integrations: [{ name: 'a', baseUrl: 'https://a', template: 'nobody@9' }] },
    'integrations[0].template',
  ],
])('tests that are none are refused with their place: %j', async (document, field) => {
  const { status, body } = await shared().call({ method: 'POST', url: '/v1/policies/test', body: document });
  expect(status).toBe(422);
  expect(body.issues).toContainEqual(expect.objectContaining({ field }));
});
