import { createHash } from 'node:crypto';
import { canonicalJson } from '@postern/canonicalizer';
import { DEFAULT_RISK } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { startTestControlPlane, type TestAnswer, type TestControlPlane } from '../control-plane.fixture.ts';

const READS = { id: 'reads', effect: 'allow', methods: ['GET'] };
const WRITES = { id: 'writes', effect: 'require_approval', methods: ['POST'], approval: { approvers: 1 } };
const HASH = /^[0-9a-f]{64}$/;

const post = (plane: TestControlPlane, url: string, body?: unknown, headers: Record<string, string> = {}) =>
  plane.call({ method: 'POST', url, headers, ...(body === undefined ? {} : { body }) });
const draft = (plane: TestControlPlane, rules: readonly object[], more: object = {}) =>
  post(plane, '/v1/policies', { rules, ...more });
const activate = (plane: TestControlPlane, id: number | string, body?: unknown) =>
  post(plane, `/v1/policies/${id}/activate`, body);
const show = async (plane: TestControlPlane, id: number | string) =>
  (await plane.call({ url: `/v1/policies/${id}` })).body;
const numbers = async (plane: TestControlPlane) =>
  (await plane.call({ url: '/v1/policies' })).body.items.map(
    ({ number, status }: { number: number; status: string }) => `${number} ${status}`,
  );
const activations = async (plane: TestControlPlane) =>
  (await plane.call({ url: '/v1/audit/events?type=policy.activated' })).body.items;
const inForce = async (plane: TestControlPlane) =>
  (await plane.repositories.directory.load('default'))?.rules.map(({ spec }) => spec) ?? [];
const documentOf = (plane: TestControlPlane, id: number | string) => plane.call({ url: `/v1/policies/${id}/document` });

/** The canonical form of what the rules table holds, removed ones aside. */
async function storedDocument(plane: TestControlPlane): Promise<string> {
  const { items } = await plane.repositories.policyRules.listByTenant('default', { limit: 1_000 });
  const { risk } = await plane.repositories.policySettings.getPolicySettings('default');
  const kept = items.filter(({ spec, disabledAt }) => disabledAt === undefined || spec.disabled === true);
  return canonicalJson({ risk, rules: kept.map(({ spec }) => spec) });
}

function expectProblem(answer: TestAnswer, status: number, code: string): TestAnswer {
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
  return answer;
}

describe('a version', () => {
  test('is made and activated by each write to the rules, with the hash of its canonical form', async () => {
    await using plane = await startTestControlPlane();
    expectProblem(await plane.call({ url: '/v1/policies/active' }), 404, 'not_found');
    expect(await numbers(plane)).toEqual([]);
    await post(plane, '/v1/rules', READS);
    await post(plane, '/v1/rules', WRITES);
    await plane.call({ method: 'DELETE', url: '/v1/rules/reads' });
    expect(await numbers(plane)).toEqual(['3 active', '2 superseded', '1 superseded']);
    const second = await show(plane, 2);
    expect(second).toMatchObject({
      number: 2,
      status: 'superseded',
      base: 1,
      createdBy: 'bootstrap',
      risk: DEFAULT_RISK,
      policyVersion: expect.stringMatching(HASH),
    });
    expect(second.rules.map(({ id }: { id: string }) => id)).toEqual(['reads', 'writes']);
    const { text, headers } = await documentOf(plane, 2);
    expect(headers['content-type']).toBe('application/json');
    expect(text).toBe(canonicalJson({ risk: DEFAULT_RISK, rules: second.rules }));
    expect(createHash('sha256').update(text).digest('hex')).toBe(second.contentHash);
  });

  test('is made by an apply once, and by one that changes nothing of rules and risk not at all', async () => {
    await using plane = await startTestControlPlane();
    const document = { version: 1, rules: [READS, WRITES], risk: { review: 0.4 } };
    await post(plane, '/v1/apply', document);
    await post(plane, '/v1/apply', document);
    await post(plane, '/v1/apply', { version: 1, agents: [{ name: 'coder' }] });
    await post(plane, '/v1/apply?dryRun=true', { version: 1, rules: [] });
    expect(await numbers(plane)).toEqual(['1 active']);
    expect((await show(plane, 'active')).risk).toEqual({ review: 0.4, deny: 0.9, scorer: null });
    await post(plane, '/v1/apply', { version: 1, risk: { review: 0.4, deny: 0.8 } });
    expect(await numbers(plane)).toEqual(['2 active', '1 superseded']);
    expect((await show(plane, 2)).rules).toHaveLength(2);
  });

  test('stays when an integration changes decisions, and names what they name now', async () => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/integrations', { name: 'api', baseUrl: 'https://api.example' });
    await post(plane, '/v1/rules', READS);
    const { contentHash, policyVersion, number } = await show(plane, 'active');
    const action = { name: 'read', methods: ['GET'], paths: ['/**'] };
    await plane.call({ method: 'PATCH', url: '/v1/integrations/api', body: { actions: [action] } });
    const after = await show(plane, 'active');
    expect(after).toMatchObject({ number, contentHash });
    expect(after.policyVersion).not.toBe(policyVersion);
    const [entry] = await activations(plane);
    const same = { number, contentHash };
    expect(entry).toMatchObject({ policyVersion: after.policyVersion, versions: { from: same, to: same } });
    await plane.call({ method: 'PATCH', url: '/v1/integrations/api', body: { limits: { concurrency: 2 } } });
    expect((await show(plane, 'active')).policyVersion).toBe(after.policyVersion);
    expect((await activations(plane))[0].id).toBe(entry.id);
  });

  test('is had by a policy that is older than versions, so that one can go back to it', async () => {
    await using plane = await startTestControlPlane();
    await plane.repositories.policyRules.createPolicyRule('default', { id: 'old', effect: 'allow' }, 'api');
    expectProblem(await plane.call({ url: '/v1/policies/active' }), 404, 'not_found');
    await post(plane, '/v1/rules', READS);
    expect(await numbers(plane)).toEqual(['2 active', '1 superseded']);
    expect(await show(plane, 1)).toMatchObject({ createdBy: 'postern', rules: [{ id: 'old', effect: 'allow' }] });
    expect((await post(plane, '/v1/policies/previous/rollback')).body).toMatchObject({ number: 1, status: 'active' });
    expect(await inForce(plane)).toEqual([{ id: 'old', effect: 'allow' }]);
  });

  test('of another tenant is not there', async () => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/tenants', { name: 'beta' });
    await post(plane, '/v1/rules', READS);
    const { id } = await show(plane, 1);
    for (const ref of [id, '1', 'active', 'previous']) {
      for (const [method, path] of [
        ['GET', ''],
        ['GET', '/document'],
        ['GET', '/diff'],
        ['POST', '/activate'],
        ['POST', '/rollback'],
      ] as const) {
        const url = `/v1/policies/${ref}${path}`;
        expectProblem(await plane.call({ method, url, tenant: 'beta' }), 404, 'not_found');
      }
    }
    expectProblem(await plane.call({ url: '/v1/policies/0' }), 404, 'not_found');
  });

  test('is listed newest first, in pages, without its rules', async () => {
    await using plane = await startTestControlPlane();
    for (const id of ['a', 'b', 'c']) await post(plane, '/v1/rules', { id, effect: 'allow' });
    const first = (await plane.call({ url: '/v1/policies?limit=2' })).body;
    expect(first.items.map(({ number }: { number: number }) => number)).toEqual([3, 2]);
    expect(first.items[0]).not.toHaveProperty('rules');
    const rest = (await plane.call({ url: `/v1/policies?limit=2&cursor=${first.nextCursor}` })).body;
    expect(rest).toMatchObject({ items: [{ number: 1 }] });
    expect(rest).not.toHaveProperty('nextCursor');
    expectProblem(await plane.call({ url: '/v1/policies?cursor=x' }), 422, 'validation_failed');
  });
});

describe('a draft', () => {
  test('changes nothing until it is activated, and then all of it at once', async () => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/rules', READS);
    plane.changed.length = 0;
    const made = await draft(plane, [WRITES], { risk: { review: 0.2 }, note: 'people decide' });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ number: 2, status: 'draft', base: 1, note: 'people decide' });
    expect(made.body).not.toHaveProperty('policyVersion');
    expect(await inForce(plane)).toEqual([READS]);
    expect(await numbers(plane)).toEqual(['2 draft', '1 active']);

    plane.changed.length = 0;
    const activated = await activate(plane, 2);
    expect(activated.body).toMatchObject({ number: 2, status: 'active', contentHash: made.body.contentHash });
    expect((await inForce(plane)).map(({ id }) => id)).toEqual(['writes']);
    expect(await storedDocument(plane)).toBe((await documentOf(plane, 2)).text);
    expect(plane.changed).toEqual(['default']);
    const [entry] = await activations(plane);
    expect(entry).toMatchObject({
      actor: 'bootstrap',
      policyVersion: activated.body.policyVersion,
      versions: { from: { number: 1 }, to: { number: 2, contentHash: made.body.contentHash } },
    });
    const [created] = (await plane.call({ url: '/v1/audit/events?type=admin.created' })).body.items;
    expect(created.subject).toBe('policy:2');
  });

  test('without risk keeps the risk in force; active already, it stays and nothing is recorded', async () => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/apply', { version: 1, risk: { review: 0.1 }, rules: [READS] });
    expect((await draft(plane, [WRITES])).body.risk.review).toBe(0.1);
    await activate(plane, 2);
    const before = await activations(plane);
    expect((await activate(plane, 2)).body).toMatchObject({ number: 2, status: 'active' });
    expect((await activate(plane, 'active')).status).toBe(200);
    expect(await activations(plane)).toEqual(before);
  });

  test('keeps rules that are written as disabled, which are not in force', async () => {
    await using plane = await startTestControlPlane();
    await draft(plane, [READS, { ...WRITES, disabled: true }]);
    await activate(plane, 1);
    expect(await inForce(plane)).toEqual([READS]);
    expect((await plane.call({ url: '/v1/rules/writes' })).body.disabled).toBe(true);
    await draft(plane, [READS]);
    await activate(plane, 2);
    expect(await storedDocument(plane)).toBe((await documentOf(plane, 2)).text);
    await post(plane, '/v1/policies/1/rollback');
    expect(await storedDocument(plane)).toBe((await documentOf(plane, 1)).text);
    expect(await inForce(plane)).toEqual([READS]);
  });

  test.each<[string, object, object]>([
    [
      'a condition',
      { rules: [READS, { id: 'b', effect: 'deny', when: 'agent.trust > 1 && agent.nme == 1' }] },
      { field: 'rules[1].when', rule: 'b', position: 25 },
    ],
    ['an agent that is not there', { rules: [{ ...READS, agents: ['nobody'] }] }, { field: 'rules[0].agents[0]' }],
    ['an integration', { rules: [WRITES, { ...READS, integrations: ['no'] }] }, { field: 'rules[1].integrations[0]' }],
    [
      'a window of nothing',
      { rules: [{ id: 'p', effect: 'rate_limit', limit: { requests: 1, perSeconds: 0 } }] },
      { field: 'rules[0].limit.perSeconds' },
    ],
    ['an unknown field', { rules: [{ ...READS, wehn: 'true' }] }, { field: 'rules[0].wehn' }],
    [
      'a disabled rule that is no good',
      { rules: [{ ...READS, disabled: true, paths: ['/a**'] }] },
      { field: 'rules[0].paths[0]' },
    ],
    ['two rules of one id', { rules: [READS, READS] }, { field: 'rules[0].id' }],
    ['the id of a global rule', { rules: [{ ...READS, id: 'over-all' }] }, { field: 'rules[0].id' }],
    ['risk', { rules: [], risk: { review: 1, deny: 0 } }, { field: 'risk.deny' }],
    ['no rules', {}, { field: 'rules' }],
    ['another member', { rules: [], status: 'active' }, { field: 'status' }],
    ['an empty note', { rules: [], note: '' }, { field: 'note' }],
  ])('is refused whole for %s', async (_what, body, issue) => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/apply', {
      version: 1,
      agents: [],
      integrations: [],
      global: { rules: [{ id: 'over-all', effect: 'deny', hard: true }] },
    });
    const before = await numbers(plane);
    const refused = expectProblem(await post(plane, '/v1/policies', body), 422, 'validation_failed');
    expect(refused.body.issues).toContainEqual(expect.objectContaining(issue));
    expect(await numbers(plane)).toEqual(before);
  });

  test('that became wrong since it was made is refused with the words, and the policy in force stays', async () => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/apply', { version: 1, agents: [{ name: 'coder' }], rules: [READS] });
    await draft(plane, [{ ...READS, id: 'own', agents: ['coder'] }]);
    await plane.call({ method: 'DELETE', url: '/v1/agents/coder' });
    const refused = expectProblem(await activate(plane, 2), 422, 'validation_failed');
    expect(refused.body.issues).toEqual([
      { field: 'rules[0].agents[0]', rule: 'own', message: 'names an unknown agent' },
    ]);
    expect(await numbers(plane)).toEqual(['2 draft', '1 active']);
    expect(await inForce(plane)).toEqual([READS]);
  });
});

describe('two who change the policy at once', () => {
  async function twoDrafts(): Promise<TestControlPlane> {
    const plane = await startTestControlPlane();
    await post(plane, '/v1/rules', READS);
    await draft(plane, [READS, WRITES]);
    await draft(plane, [WRITES]);
    return plane;
  }

  test('by If-Match the second learns that another version is active, and which', async () => {
    await using plane = await twoDrafts();
    const tags = await Promise.all(
      ['active', '2', '3'].map(async (id) => (await plane.call({ url: `/v1/policies/${id}` })).headers['etag'] ?? ''),
    );
    expect(new Set(tags).size).toBe(3);
    const [ofActive = '', , ofThird = ''] = tags;
    const done = await post(plane, '/v1/policies/2/activate', undefined, { 'if-match': ofActive });
    expect(done.status).toBe(200);
    for (const tag of [ofActive, ofThird, 'W/"2-2"', '"x"']) {
      const refused = await post(plane, '/v1/policies/3/activate', undefined, { 'if-match': tag });
      expectProblem(refused, 412, 'precondition_failed');
      expect(refused.body.detail).toContain('Version 2');
    }
    const fresh = (await plane.call({ url: '/v1/policies/3' })).headers['etag'] ?? '';
    expect(fresh).not.toBe(ofThird);
    expect((await post(plane, '/v1/policies/3/activate', undefined, { 'if-match': fresh })).status).toBe(200);
    expect((await post(plane, '/v1/policies/2/rollback', undefined, { 'if-match': '*' })).status).toBe(200);
  });

  test('by expectedActive too, as id or number; null means that none is active', async () => {
    await using plane = await twoDrafts();
    const { id } = await show(plane, 1);
    for (const expectedActive of [2, '2', 'none', null, id.toUpperCase()]) {
      const refused = expectProblem(await activate(plane, 3, { expectedActive }), 409, 'conflict');
      expect(refused.body.detail).toContain(`Version 1 (${id}) is active`);
    }
    expect((await activate(plane, 2, { expectedActive: 1 })).status).toBe(200);
    expectProblem(await activate(plane, 3, { expectedActive: id }), 409, 'conflict');
    expect((await activate(plane, 3, { expectedActive: (await show(plane, 2)).id })).status).toBe(200);
    expectProblem(await activate(plane, 2, { expectedActive: 0 }), 422, 'validation_failed');
    expectProblem(await activate(plane, 2, { expected: 3 }), 422, 'validation_failed');
  });

  test('of many activations with one expectation one alone succeeds', async () => {
    await using plane = await twoDrafts();
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, place) => activate(plane, 2 + (place % 2), { expectedActive: 1 })),
    );
    const done = answers.filter(({ status }) => status === 200);
    expect(new Set(done.map(({ body }) => body.number)).size).toBe(1);
    expect(answers.filter(({ status }) => status !== 200).every(({ status }) => status === 409)).toBe(true);
    expect(await activations(plane)).toHaveLength(2);
  });
});

describe('a rollback', () => {
  test('restores bytes and hash, disables what is not in the version, and can be undone', async () => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/apply', {
      version: 1,
      risk: { review: 0.3 },
      rules: [{ ...WRITES, when: 'request.headers["x-ö"] != "\u20ac"' }, READS],
    });
    const before = await documentOf(plane, 1);
    await post(plane, '/v1/apply', { version: 1, risk: {}, rules: [{ ...READS, methods: ['HEAD'] }] });
    await post(plane, '/v1/rules', { id: 'later', effect: 'deny' });
    const back = await post(plane, '/v1/policies/1/rollback');
    expect(back.body).toMatchObject({ number: 1, status: 'active', contentHash: (await show(plane, 1)).contentHash });
    expect((await documentOf(plane, 'active')).text).toBe(before.text);
    expect(await storedDocument(plane)).toBe(before.text);
    expect((await plane.call({ url: '/v1/rules/later' })).body.disabled).toBe(true);
    expect(await numbers(plane)).toEqual(['3 superseded', '2 superseded', '1 active']);
    const [entry] = await activations(plane);
    expect(entry.versions).toMatchObject({ from: { number: 3 }, to: { number: 1 } });
    expect((await post(plane, '/v1/policies/previous/rollback')).body.number).toBe(3);
    expect(await storedDocument(plane)).toBe((await documentOf(plane, 3)).text);
  });

  test('by activate is the same; to a draft it is none', async () => {
    await using plane = await startTestControlPlane();
    await post(plane, '/v1/rules', READS);
    await post(plane, '/v1/rules', WRITES);
    expect((await activate(plane, 1)).body).toMatchObject({ number: 1, status: 'active' });
    await draft(plane, []);
    const refused = expectProblem(await post(plane, '/v1/policies/3/rollback'), 409, 'conflict');
    expect(refused.body.detail).toContain('draft');
    expect(await inForce(plane)).toEqual([READS]);
  });

  test('to rules that speak of what is gone is refused with the words, and changes nothing', async () => {
    await using plane = await startTestControlPlane();
    const action = { name: 'pay', methods: ['POST'], paths: ['/pay'] };
    const api = { name: 'api', baseUrl: 'https://api.example', actions: [action] };
    await post(plane, '/v1/apply', {
      version: 1,
      integrations: [api],
      rules: [{ ...READS, integrations: ['api'], actions: ['pay'] }],
    });
    await post(plane, '/v1/apply', { version: 1, integrations: [{ ...api, actions: [] }], rules: [READS] });
    const refused = expectProblem(await post(plane, '/v1/policies/1/rollback'), 422, 'validation_failed');
    expect(refused.body.issues).toEqual([
      { field: 'rules[0].actions[0]', rule: 'reads', message: 'names an action that no integration of the rule has' },
    ]);
    expect(await numbers(plane)).toEqual(['2 active', '1 superseded']);
    expect(await inForce(plane)).toEqual([READS]);
  });
});

describe('the difference of two versions', () => {
  test('is told in words, against the active version unless another is named', async () => {
    await using plane = await startTestControlPlane();
    const diff = async (path: string) => (await plane.call({ url: `/v1/policies/${path}` })).body;
    const first = (await draft(plane, [READS])).body;
    expect(await diff('1/diff')).toEqual({
      from: null,
      to: { id: first.id, number: 1, contentHash: first.contentHash },
      changes: [{ rule: 'reads', op: 'added', words: 'reads: allow; methods GET' }],
    });
    await activate(plane, 1);
    await draft(plane, [{ ...READS, methods: ['GET', 'HEAD'] }, WRITES], { risk: { review: 0.4 } });
    expect(await diff('2/diff')).toMatchObject({
      from: { number: 1 },
      to: { number: 2 },
      changes: [
        { rule: null, op: 'changed', words: 'risk: review 0.5 → 0.4' },
        { rule: 'reads', op: 'changed', words: 'reads: methods + HEAD' },
        { rule: 'writes', op: 'added', words: 'writes: require_approval; methods POST' },
      ],
    });
    await activate(plane, 2);
    expect((await diff('active/diff')).changes).toEqual([]);
    expect((await diff('2/diff?against=previous')).changes).toHaveLength(3);
    expect((await diff('1/diff?against=2')).changes).toContainEqual({
      rule: 'writes',
      op: 'removed',
      words: 'writes: was require_approval; methods POST',
    });
    expectProblem(await plane.call({ url: '/v1/policies/1/diff?against=9' }), 404, 'not_found');
    expectProblem(await plane.call({ url: '/v1/policies/1/diff?with=2' }), 422, 'validation_failed');
  });
});

test('who may read sees versions and changes none', async () => {
  await using plane = await startTestControlPlane();
  await post(plane, '/v1/rules', READS);
  const token = await plane.createAdmin('olga', 'auditor');
  expect((await plane.call({ url: '/v1/policies/active', token })).status).toBe(200);
  expect((await plane.call({ url: '/v1/policies/1/diff', token })).status).toBe(200);
  for (const url of ['/v1/policies', '/v1/policies/1/activate', '/v1/policies/1/rollback']) {
    expectProblem(await plane.call({ method: 'POST', url, token, body: { rules: [] } }), 403, 'forbidden');
  }
});
