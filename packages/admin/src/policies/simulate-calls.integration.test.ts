import { expect, test } from 'vitest';
import { startTestControlPlane } from '../control-plane.fixture.ts';
import { idsOf, prepare, READS, record, simulate } from './recorded-traffic.fixture.ts';
import { simulateCalls } from './simulate-calls.ts';
import { readSimulationGround } from './simulate-draft.ts';

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

test('entries a little out of the order of their times are found', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  const now = plane.clock.now + 60_000;
  await record(plane, { at: now + 200_000 }, ...Array.from({ length: 300 }, () => ({ at: now - 1 })));
  const { body } = await simulate(plane, { rules: [] }, `?from=${now}&to=${now + 300_000}`);
  expect(body).toMatchObject({ calls: 1, changed: [{ at: new Date(now + 200_000).toISOString() }] });
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

test('what takes too long is left for the next answer, at the end of a page', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await record(plane, ...Array.from({ length: 600 }, () => ({})));
  const { repositories } = plane;
  const ground = await readSimulationGround({ repositories }, 'default', { rules: [] });
  const counts: number[] = [];
  let cursor: string | undefined;
  do {
    const range = { tenant: 'default', from: 0, to: plane.clock.now + 1, limit: 10_000, msMax: 0, cursor };
    const { calls, truncated, nextCursor } = await simulateCalls(repositories.audit, ground, range);
    expect(truncated).toBe(nextCursor !== undefined);
    counts.push(calls);
    cursor = nextCursor;
  } while (cursor !== undefined);
  expect(counts.length).toBeGreaterThan(2);
  expect(counts.reduce((sum, count) => sum + count)).toBe(600);
});

test('a page of the log on which nothing was found is not the end of it', async () => {
  await using plane = await startTestControlPlane();
  await prepare(plane);
  await record(plane, {}, {}, {});
  const { repositories } = plane;
  const ground = await readSimulationGround({ repositories }, 'default', { rules: [] });
  const range = { tenant: 'default', from: 0, to: plane.clock.now + 1, limit: 100, msMax: 5_000, cursor: undefined };
  let isFirst = true;
  const query: typeof repositories.audit.query = async (tenant, { cursor, ...asked }) => {
    if (!isFirst) return repositories.audit.query(tenant, cursor === 'further down' ? asked : { ...asked, cursor });
    isFirst = false;
    return { items: [], nextCursor: 'further down' };
  };
  expect(await simulateCalls({ query }, ground, range)).toMatchObject({ calls: 3, truncated: false });
});
