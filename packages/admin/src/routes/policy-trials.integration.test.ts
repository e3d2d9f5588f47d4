import type { EntryDraft } from '@postern/schemas';
import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

const READS = { id: 'reads', effect: 'allow', integrations: ['api'], methods: ['GET'] };

async function prepare(plane: TestControlPlane, rules: object[] = [READS], tenant = 'default'): Promise<void> {
  const document = {
    version: 1,
    tenant,
    integrations: [
      {
        name: 'api',
        baseUrl: 'https://api.example.com/v1',
        actions: [{ name: 'upload', methods: ['PUT'], paths: ['/v1/**'], body: 'stream' }],
      },
    ],
    agents: [{ name: 'coder', roles: ['developer'] }],
    rules,
  };
  const headers = { 'content-type': 'application/yaml' };
  const answer = await plane.call({
    method: 'POST',
    url: '/v1/apply',
    body: JSON.stringify(document),
    headers,
    tenant,
  });
  expect(answer.body).toMatchObject({ changes: expect.any(Array) });
}

let requests = 0;

/** Appends what a call would have left in the log, a minute after all else. */
async function record(plane: TestControlPlane, ...drafts: readonly Partial<EntryDraft>[]): Promise<string[]> {
  plane.clock.now += 60_000;
  const ids: string[] = [];
  await plane.dependencies.runInTransaction(async (context) => {
    for (const draft of drafts) {
      requests += 1;
      const entry: EntryDraft = {
        at: plane.clock.now,
        tenant: 'default',
        type: 'intent',
        requestId: `req_${requests}`,
        agent: 'coder',
        integration: 'api',
        kind: 'http',
        method: 'GET',
        url: 'https://api.example.com/v1/items',
        decision: 'allow',
        risk: { score: 0.1, labels: [] },
        ...draft,
      };
      await plane.repositories.audit.append(entry, context);
      ids.push(entry.requestId ?? '');
    }
  });
  return ids;
}

function simulate(plane: TestControlPlane, body: object, query = '', more: object = {}) {
  return plane.call({ method: 'POST', url: `/v1/policies/simulate${query}`, body, ...more });
}

const idsOf = (calls: readonly { readonly requestId: string }[]) => calls.map(({ requestId }) => requestId).sort();
const denied = { type: 'denied', decision: 'deny', code: 'denied' } as const;

test('each changed outcome is listed, and the same by rule; what stays is only counted', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const [, secret] = await record(plane, {}, { url: 'https://api.example.com/v1/secrets/1' });
  const [put] = await record(plane, { ...denied, method: 'PUT', url: 'https://api.example.com/v1/notes' });
  await record(plane, { type: 'outcome', requestId: secret, decision: undefined, status: 200, result: 'done' });
  const rules = [
    READS,
    { id: 'no-secrets', effect: 'deny', paths: ['/v1/secrets/**'] },
    { id: 'notes', effect: 'require_approval', actions: ['upload'], paths: ['/v1/notes'] },
  ];
  const before = await plane.repositories.audit.size('default');
  const answer = await simulate(plane, { rules });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({
    calls: 3,
    unchanged: 1,
    changed: [
      {
        requestId: put,
        at: '2026-03-01T12:02:00.000Z',
        agent: 'coder',
        integration: 'api',
        action: 'upload',
        method: 'PUT',
        url: 'https://api.example.com/v1/notes',
        before: { outcome: 'deny', rule: null },
        after: { outcome: 'require_approval', rule: 'notes' },
      },
      {
        requestId: secret,
        before: { outcome: 'allow', rule: 'reads' },
        after: { outcome: 'deny', rule: 'no-secrets' },
      },
    ],
    byRule: [
      { rule: 'no-secrets', before: 'allow', after: 'deny', calls: 1 },
      { rule: 'notes', before: 'deny', after: 'require_approval', calls: 1 },
    ],
    undetermined: [],
    notRecorded: [],
    warnings: [],
    truncated: false,
  });
  expect(answer.body.policies.current).toMatch(/^[0-9a-f]{64}$/);
  expect(answer.body.policies.draft).not.toBe(answer.body.policies.current);
  expect(answer.body).not.toHaveProperty('nextCursor');
  expect(await plane.repositories.audit.size('default')).toBe(before);
});

test('the policy in force against itself changes nothing', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await record(plane, {}, { ...denied, method: 'DELETE' });
  const { body } = await simulate(plane, { rules: [READS] });
  expect(body).toMatchObject({ calls: 2, unchanged: 2, changed: [] });
  expect(body.policies.draft).toBe(body.policies.current);
  const disabled = await simulate(plane, { rules: [READS, { id: 'off', effect: 'deny', disabled: true }] });
  expect(disabled.body).toMatchObject({ unchanged: 2, changed: [] });
});

test('a call of which a rule reads what the log does not keep is told apart, with what it reads', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const [id] = await record(plane, { method: 'POST', ...denied });
  const rules = [READS, { id: 'small', effect: 'allow', methods: ['POST'], when: 'request.body.amount <= 5' }];
  const { body } = await simulate(plane, { rules });
  expect(body).toMatchObject({ calls: 1, unchanged: 0, changed: [] });
  expect(body.undetermined).toMatchObject([
    {
      requestId: id,
      before: ['deny'],
      after: ['deny', 'allow'],
      rules: [{ policy: 'draft', rule: 'small', message: 'reads request.body, not kept of this call' }],
    },
  ]);
  expect(body.unkept).toContainEqual({ name: 'request.body', calls: 1 });
  // A body that passes as it comes was looked into by nobody.
  await record(plane, { method: 'PUT', ...denied });
  const streamed = await simulate(plane, {
    rules: [READS, { id: 'small', effect: 'allow', methods: ['PUT'], when: 'request.body == null' }],
  });
  expect(streamed.body).toMatchObject({ calls: 2, unchanged: 2 });
});

test('roles, trust and environment count where the agent was not changed since, and only there', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const drafts = [
    { rules: [{ ...READS, agents: ['role:developer'] }] },
    { rules: [READS, { id: 'low', effect: 'deny', when: 'agent.trust < 2' }] },
  ];
  const at = plane.clock.now;
  const [first] = await record(plane, {});
  expect((await simulate(plane, drafts[0] as object)).body).toMatchObject({ unchanged: 1, undetermined: [] });
  expect((await simulate(plane, drafts[1] as object)).body).toMatchObject({ changed: [{ requestId: first }] });
  plane.clock.now += 60_000;
  await plane.call({ method: 'PATCH', url: '/v1/agents/coder', body: { roles: ['reviewer'] } });
  // Until here another node may have taken the agent for what it was.
  plane.clock.now -= 58_001;
  const [second] = await record(plane, {});
  plane.clock.now += 1;
  await record(plane, { at: plane.clock.now });
  const { body } = await simulate(plane, drafts[0] as object);
  expect(idsOf(body.undetermined)).toEqual([first, second].sort());
  expect(body.undetermined[0].rules).toEqual([
    { policy: 'draft', rule: 'reads', message: 'selects agents by role, not kept of this call' },
  ]);
  expect(body.changed).toHaveLength(1);
  expect(body.unkept).toContainEqual({ name: 'agent.roles', calls: 2 });
  expect(at).toBeLessThan(plane.clock.now);
});

test('calls that cannot be replayed are told apart, with the reason', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await record(
    plane,
    { integration: 'gone' },
    { url: 'https://api.example.com/v2/items' },
    { url: 'sha-256:00:9000' },
    { type: 'denied', decision: undefined, code: 'target_invalid' },
    { type: 'violation', decision: undefined, code: 'key_in_request' },
    {
      type: 'denied',
      agent: undefined,
      integration: undefined,
      decision: undefined,
      code: 'unauthenticated',
      count: 3,
    },
    { method: undefined },
  );
  const { body } = await simulate(plane, { rules: [] });
  expect(body).toMatchObject({ calls: 0, unchanged: 0, changed: [], undetermined: [] });
  expect(body.notRecorded.map(({ reason }: { reason: string }) => reason).sort()).toEqual([
    'integration gone is there no more',
    'its URL is no longer one of integration api',
    'its URL is no longer one of integration api',
    'its record has no integration, method or URL',
    'was refused before policy was asked (key_in_request)',
    'was refused before policy was asked (target_invalid)',
    'was refused before policy was asked (unauthenticated)',
  ]);
});

test('calls refused after they were allowed, by limits or the guard, count as the calls they were', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const ids = await record(plane, { type: 'denied', code: 'rate_limited' }, { type: 'ssrf.denied' }, {});
  const { body } = await simulate(plane, { rules: [] });
  expect(idsOf(body.changed)).toEqual([...ids].sort());
});

test('a call is counted once, however many entries it has', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await record(plane, { requestId: 'req_twice' }, { requestId: 'req_twice', type: 'replayed' as 'intent' });
  expect((await simulate(plane, { rules: [] })).body).toMatchObject({ calls: 1 });
});

test('a call that waits for an approval counts, once', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const held = { decision: 'require_approval', risk: undefined, kind: undefined, approval: 'apr_1' } as const;
  const created = { ...held, type: 'approval.created' } as const;
  const [waits] = await record(plane, created);
  const [refused] = await record(plane, created);
  await record(plane, { ...held, requestId: refused, type: 'denied', code: 'approval_required' });
  await record(plane, { ...held, type: 'approval.decided', actor: 'bob' });
  for (const limit of [10, 1]) {
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await simulate(plane, { rules: [] }, `?limit=${limit}${cursor}`);
      seen.push(...idsOf(body.undetermined), ...idsOf(body.changed));
      cursor = body.nextCursor === undefined ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    expect(seen.sort()).toEqual([waits, refused].sort());
  }
});

test('the risk that was recorded counts; without it a call is only as sure as its outcome makes it', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const setRisk = (risk: object) =>
    plane.call({
      method: 'POST',
      url: '/v1/apply',
      body: JSON.stringify({ version: 1, risk }),
      headers: { 'content-type': 'application/yaml' },
    });
  await setRisk({ review: 1, deny: 1 });
  const policyVersion = (await simulate(plane, { rules: [READS] })).body.policies.current;
  const [low, high, unknown, old] = await record(
    plane,
    { policyVersion, rule: 'reads', risk: { score: 0.3, labels: ['pii'] } },
    { policyVersion, rule: 'reads', risk: { score: 0.7, labels: ['secret', 'shell', 'pii'] } },
    { policyVersion, rule: 'reads', risk: undefined },
    { policyVersion: 'of another time', risk: undefined },
  );
  const { body } = await simulate(plane, { risk: { review: 0.4, deny: 0.9 } });
  expect(body.changed).toMatchObject([
    { requestId: high, after: { outcome: 'require_approval', rule: 'risk:review' } },
  ]);
  expect(idsOf(body.undetermined)).toEqual([old, unknown].sort());
  expect(body.unchanged).toBe(1);
  expect(low).toBeDefined();
  // A call that was allowed lay below the threshold of then, which is the draft's, too.
  await setRisk({ review: 0.4, deny: 0.9 });
  const { body: now } = await simulate(plane, { rules: [READS] });
  const [later] = await record(plane, { policyVersion: now.policies.current, rule: 'reads', risk: undefined });
  const again = (await simulate(plane, { rules: [{ ...READS, id: 'read' }] })).body;
  expect(idsOf(again.undetermined)).not.toContain(later);
  // And of what a version decided that is in force no more, its thresholds are looked up.
  await plane.call({ method: 'POST', url: '/v1/rules', body: { id: 'more', effect: 'deny', paths: ['/v1/more'] } });
  expect(idsOf((await simulate(plane, { rules: [READS] })).body.undetermined)).not.toContain(later);
});

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

test('entries a little out of the order of their times are found', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const now = plane.clock.now + 60_000;
  await record(plane, { at: now + 200_000 }, ...Array.from({ length: 300 }, () => ({ at: now - 1 })));
  const { body } = await simulate(plane, { rules: [] }, `?from=${now}&to=${now + 300_000}`);
  expect(body).toMatchObject({ calls: 1, changed: [{ at: new Date(now + 200_000).toISOString() }] });
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

test('calls are served between the pieces of a long simulation', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await record(plane, ...Array.from({ length: 2_000 }, () => ({})));
  const when = Array.from({ length: 30 }, (_none, n) => `request.path != "/x${n}"`).join(' && ');
  const rules = Array.from({ length: 100 }, (_none, n) => ({ id: `r${n}`, effect: 'allow', when }));
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  const answer = simulate(plane, { rules }).finally(() => {
    isOver = true;
  });
  turn();
  expect((await answer).body).toMatchObject({ calls: 2_000, unchanged: 2_000 });
  expect(turns).toBeGreaterThan(50);
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
