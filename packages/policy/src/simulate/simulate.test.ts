import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Facts } from '../call.ts';
import { compilePolicy } from '../compile-policy.ts';
import { UNKEPT } from '../condition/unkept.ts';
import { decide } from '../decide.ts';
import { factsOf } from '../facts.test-support.ts';
import { judgeRecorded } from './judge-recorded.ts';
import type { RecordedFacts } from './recorded-facts.ts';
import { simulate } from './simulate.ts';

/** Without `risk`, none raises an outcome. */
const policy = (rules: object[], risk?: object) => compilePolicy({ rules, risk }, { riskRaises: risk !== undefined });
const allow = { id: 'allow', effect: 'allow' };
const small = { id: 'small', effect: 'allow', when: 'request.body.amount <= 100' };
const big = { id: 'big', effect: 'deny', when: 'request.body.amount > 100' };

const call = (body: unknown, more: object = {}): RecordedFacts => {
  return { ...factsOf({ request: { method: 'POST', body, bodyInspected: true } }), ...more } as RecordedFacts;
};

describe('simulate', () => {
  it('lists each outcome that would change, and the same by rule', () => {
    const before = policy([allow]);
    const after = policy([allow, big, { id: 'ask', effect: 'require_approval', when: 'request.body.amount > 50' }]);
    const calls = [call({ amount: 1 }), call({ amount: 60 }, { id: 'x' }), call({ amount: 70 }), call({ amount: 500 })];
    expect(simulate(before, after, calls)).toEqual({
      calls: 4,
      unchanged: 1,
      changed: [
        { index: 1, id: 'x', before: told('allow', 'allow'), after: told('require_approval', 'ask') },
        { index: 2, id: undefined, before: told('allow', 'allow'), after: told('require_approval', 'ask') },
        { index: 3, id: undefined, before: told('allow', 'allow'), after: told('deny', 'big') },
      ],
      byRule: [
        { rule: 'ask', before: 'allow', after: 'require_approval', calls: [1, 2] },
        { rule: 'big', before: 'allow', after: 'deny', calls: [3] },
      ],
      undetermined: [],
    });
  });

  it('names the rule that the draft lacks where it has none to tell', () => {
    const result = simulate(policy([allow]), policy([]), [call(null)]);
    expect(result.byRule).toEqual([{ rule: 'allow', before: 'allow', after: 'deny', calls: [0] }]);
  });

  it('lists calls apart of which a rule reads what was not kept, and never as unchanged', () => {
    const calls = [call(UNKEPT), call({ amount: UNKEPT }), call({ other: UNKEPT, amount: 5 }), call({ amount: 500 })];
    const result = simulate(policy([small]), policy([small]), calls);
    expect(result).toMatchObject({ calls: 4, unchanged: 2, changed: [] });
    expect(result.undetermined).toEqual(
      [0, 1].map((index) => ({
        index,
        id: undefined,
        before: ['deny', 'allow'],
        after: ['deny', 'allow'],
        rules: ['current', 'draft'].map((policy) => {
          const message = index === 0 ? 'reads request.body, not kept of this call' : 'reads a value that was not kept';
          return { policy, rule: 'small', message };
        }),
      })),
    );
  });

  it('takes what was decided then for what the current policy says, where that is known', () => {
    const decided = { outcome: 'allow', rule: 'small' } as const;
    const calls = [call(UNKEPT, { decided }), call(UNKEPT, { decided: { outcome: 'deny', rule: null } })];
    expect(simulate(policy([small]), policy([allow]), calls)).toMatchObject({
      unchanged: 1,
      changed: [{ index: 1, before: told('deny', null), after: told('allow', 'allow') }],
    });
    expect(simulate(policy([small]), policy([small]), calls).undetermined).toMatchObject([
      { before: ['allow'], after: ['deny', 'allow'], rules: [{ policy: 'draft' }] },
      { before: ['deny'], after: ['deny', 'allow'], rules: [{ policy: 'draft' }] },
    ]);
  });

  it('is sure of a change that no risk undoes, and not of what it changes to', () => {
    const risk = { review: 0.5, deny: 0.9 };
    const of = (method: string) => [call(UNKEPT, { request: { ...call(UNKEPT).request, method } })];
    // At most 0.7 with all labels: a person would be asked, but nobody would deny it.
    expect(simulate(policy([], risk), policy([allow], risk), of('GET')).changed).toMatchObject([
      {
        before: told('deny', null),
        after: { outcome: 'allow', rule: 'allow', possible: ['allow', 'require_approval'] },
      },
    ]);
    expect(simulate(policy([], risk), policy([allow], risk), of('POST'))).toMatchObject({
      changed: [],
      undetermined: [{ before: ['deny'], after: ['allow', 'require_approval', 'deny'] }],
    });
    // A condition that reads what was not kept is told apart, though it changes anyhow.
    const asked = { id: 'ask', effect: 'require_approval', when: 'request.body.a == 1' };
    const closed = policy([{ ...allow, effect: 'require_approval' }, asked, { ...asked, id: 'no', effect: 'deny' }]);
    expect(simulate(policy([allow]), closed, of('GET')).undetermined).toHaveLength(1);
  });

  it('names what was not kept', () => {
    const unkept = call(UNKEPT, { agent: { name: 'coder', roles: UNKEPT, trust: UNKEPT }, counts: UNKEPT });
    const rules = [
      { id: 'a', effect: 'allow', when: 'count.day > 3 && "x" in agent.roles && request.body.a == 1' },
      { id: 'b', effect: 'allow', agents: ['role:x', 'trust>=low', 'environment:dev'] },
    ];
    expect(judgeRecorded(policy(rules), unkept).undetermined).toEqual([
      { rule: 'a', message: 'reads count.day, agent.roles, request.body, not kept of this call' },
      { rule: 'b', message: 'selects agents by role, trust, not kept of this call' },
    ]);
  });

  it('knows that any trust is at least untrusted', () => {
    const facts = call(null, { agent: { name: 'coder', roles: [], trust: UNKEPT } });
    expect(judgeRecorded(policy([{ ...allow, agents: ['trust>=untrusted'] }]), facts).possible).toEqual(['allow']);
  });

  it('is sure of a call where a stronger rule, or the rest of the condition, decides without it', () => {
    const hard = { id: 'hard', effect: 'deny', hard: true };
    const calls = [call({ amount: UNKEPT })];
    expect(simulate(policy([small, hard]), policy([small, hard]), calls)).toMatchObject({ unchanged: 1 });
    const either = { ...small, when: 'agent.trust >= 2 || request.body.amount <= 100' };
    expect(simulate(policy([either]), policy([allow]), calls)).toMatchObject({ unchanged: 1 });
    const neither = { ...small, when: 'request.body.amount <= 100 && agent.trust > 3' };
    expect(simulate(policy([neither]), policy([]), calls)).toMatchObject({ unchanged: 1 });
    const gone = { ...small, when: 'has(request.body.amount)' };
    expect(simulate(policy([gone]), policy([allow]), calls)).toMatchObject({ unchanged: 1 });
  });

  it('takes an error beside what was not kept for undetermined', () => {
    const rule = { ...big, when: 'request.body.missing > 1 || request.body.amount > 100' };
    const open = simulate(policy([allow, rule]), policy([allow, rule]), [call({ amount: UNKEPT })]);
    expect(open.undetermined).toHaveLength(1);
  });

  it.each<[what: string, rule: object, changes: object]>([
    ['roles', { agents: ['role:developer'] }, { agent: { name: 'coder', roles: UNKEPT, trust: 2 } }],
    ['trust', { agents: ['trust>=high'] }, { agent: { name: 'coder', roles: [], trust: UNKEPT } }],
    [
      'environment',
      { agents: ['environment:dev'] },
      { agent: { name: 'coder', roles: [], trust: 2, environment: UNKEPT } },
    ],
    ['roles in a condition', { when: '"a" in agent.roles' }, { agent: { name: 'coder', roles: UNKEPT, trust: 2 } }],
    ['counts', { when: 'count.day > 3' }, { counts: UNKEPT }],
    ['the tool', { when: 'tool.name == "x"' }, { tool: UNKEPT }],
    ['headers', { when: 'request.headers["x-a"] == "1"' }, { request: { ...call(null).request, headers: UNKEPT } }],
    [
      'one header',
      { when: 'request.headers["x-a"] == "1"' },
      { request: { ...call(null).request, headers: [['X-A', UNKEPT]] } },
    ],
    ['the query', { when: 'has(request.query.a)' }, { request: { ...call(null).request, query: UNKEPT } }],
    [
      'one value of the query',
      { when: 'request.query.a == ["1"]' },
      { request: { ...call(null).request, query: { a: [UNKEPT] } } },
    ],
    [
      'whether the body was inspected',
      { when: 'request.bodyInspected' },
      { request: { ...call(null).request, bodyInspected: UNKEPT } },
    ],
  ])('is unsure when a rule hangs on %s that was not kept', (_what, rule, changes) => {
    const facts = call(null, changes);
    expect(judgeRecorded(policy([{ ...allow, ...rule }]), facts).possible).toEqual(['deny', 'allow']);
    expect(judgeRecorded(policy([{ ...allow, agents: ['coder'] }]), facts).possible).toEqual(['allow']);
    expect(
      judgeRecorded(policy([{ ...allow, agents: ['other'], ...('when' in rule ? rule : {}) }]), facts).possible,
    ).toEqual(['deny']);
  });

  it('is unsure of an approval that an undetermined rule may lift', () => {
    const action = { name: 'pay', approval: 'required' };
    const lifting = { ...small, actions: ['pay'] };
    expect(judgeRecorded(policy([lifting]), call({ amount: UNKEPT }, { action })).possible).toEqual([
      'require_approval',
      'allow',
    ]);
  });

  it('is unsure of the risk of arguments that were not kept, unless the score was', () => {
    const risk = { review: 0.5, deny: 0.9 };
    const open = judgeRecorded(policy([allow], risk), call(UNKEPT));
    expect(open.possible).toEqual(['allow', 'require_approval', 'deny']);
    expect(open.undetermined).toEqual([{ rule: 'risk', message: 'depends on arguments that were not kept' }]);
    expect(judgeRecorded(policy([allow], risk), call(UNKEPT, { risk: { score: 0.3, labels: [] } })).possible).toEqual([
      'allow',
    ]);
    expect(judgeRecorded(policy([allow], risk), call(UNKEPT, { risk: 0.9 })).possible).toEqual(['deny']);
    const unsureHost = { hostIsNew: UNKEPT, action: { name: 'a', risk: 'medium' } };
    expect(judgeRecorded(policy([allow], risk), call({}, unsureHost)).possible).toEqual(['allow']);
    expect(judgeRecorded(policy([allow], { review: 0.4 }), call({}, unsureHost)).possible).toEqual([
      'allow',
      'require_approval',
    ]);
    expect(judgeRecorded(policy([{ ...allow, when: 'risk.score < 0.5' }]), call(UNKEPT)).possible).toEqual([
      'deny',
      'allow',
    ]);
  });

  it.each([
    [0.5, 0.5, ['allow']],
    [0.5, 0.4, ['allow', 'require_approval']],
    [0.55, 0.5, ['allow', 'require_approval']],
    [0.1, 0.5, ['allow']],
  ])('is sure that a score below %d does not reach a threshold of %d, or not', (riskBelow, review, possible) => {
    const recorded = call(UNKEPT, { risk: UNKEPT, riskBelow, hostIsNew: UNKEPT });
    expect(judgeRecorded(policy([allow], { review, deny: 0.9 }), recorded).possible).toEqual(possible);
    // A score that was kept is what counts.
    const kept = { ...recorded, risk: 0.95 };
    expect(judgeRecorded(policy([allow], { review, deny: 0.9 }), kept).possible).toEqual(['deny']);
  });

  it('leaves limits and rules in shadow out', () => {
    const limit = { requests: 1, perSeconds: 1 };
    const draft = policy([
      allow,
      { ...big, shadow: true, when: 'true' },
      { id: 'pace', effect: 'rate_limit', limit, when: 'request.body.amount > 1' },
    ]);
    expect(simulate(policy([allow]), draft, [call(UNKEPT)])).toMatchObject({ unchanged: 1 });
  });

  it('counts facts that cannot be judged as denied', () => {
    const broken = call(null, { request: { ...call(null).request, url: 'nonsense' } });
    expect(simulate(policy([allow]), policy([]), [broken])).toMatchObject({ unchanged: 1 });
  });
});

function told(outcome: string, rule: string | null) {
  return { outcome, rule };
}

const conditions = fc.constantFrom(
  undefined,
  'request.body.a > 1',
  'request.body.a > 1 && request.body.b > 1',
  'request.body.a > 1 || agent.trust > 2',
  '"r" in agent.roles',
  'has(request.body.c)',
  'request.body.c == 1',
  'risk.score > 0.4',
  'request.segments.size() > 1 && request.body.a > 1',
);
const rules = fc
  .array(
    fc.record({
      effect: fc.constantFrom('allow', 'deny', 'require_approval'),
      when: conditions,
      agents: fc.constantFrom(undefined, ['role:r'], ['trust>=3'], ['coder'], ['other']),
      actions: fc.constantFrom(undefined, ['act'], ['other'], ['act', 'other']),
      paths: fc.constantFrom(undefined, ['/a/b'], ['/a/*']),
    }),
    { maxLength: 5 },
  )
  .map((list) => list.map((rule, position) => ({ id: `r${position}`, ...rule })));
const values = fc.constantFrom(0, 2, 'rm -rf / ; drop table x');

describe('a recorded call', () => {
  const full: fc.Arbitrary<Facts> = fc
    .record({
      a: values,
      b: values,
      trust: fc.integer({ min: 0, max: 4 }),
      roles: fc.subarray(['r', 's']),
      approval: fc.constantFrom('none', 'required'),
      others: fc.array(fc.record({ approval: fc.constantFrom('none', 'required'), isBySplit: fc.boolean() }), {
        maxLength: 1,
      }),
      path: fc.constantFrom('/a', '/a/b', '/a%252fb', '/a%2fb', '/A/b;x=1'),
    })
    .map(({ a, b, trust, roles, approval, others, path }) =>
      factsOf({
        agent: { trust, roles },
        action: { name: 'act', approval },
        otherActions: others.map(({ isBySplit, ...other }) => ({ action: { name: 'other', ...other }, isBySplit })),
        request: { method: 'POST', url: `https://api.github.com${path}`, body: { a, b }, bodyInspected: true },
      }),
    );
  const risks = fc.constantFrom({ review: 0.5, deny: 0.9 }, { review: 0.3, deny: 0.5 }, undefined);

  it('is judged as decide judges it when all was kept', () => {
    fc.assert(
      fc.property(rules, full, risks, (written, facts, risk) => {
        const compiled = policy(written, risk);
        const { outcome, rule } = decide(compiled, facts);
        expect(judgeRecorded(compiled, facts)).toMatchObject({ verdict: { outcome, rule }, possible: [outcome] });
      }),
      { numRuns: 500 },
    );
  });

  it('can always have had the outcome that it had, whatever of it was lost', () => {
    const lost = fc.subarray(['a', 'b', 'body', 'trust', 'roles']);
    fc.assert(
      fc.property(rules, full, risks, lost, (written, facts, risk, gone) => {
        const compiled = policy(written, risk);
        const body = facts.request.body as Record<string, unknown>;
        const keptBody = { a: gone.includes('a') ? UNKEPT : body['a'], b: gone.includes('b') ? UNKEPT : body['b'] };
        const recorded = {
          ...facts,
          agent: {
            ...facts.agent,
            trust: gone.includes('trust') ? UNKEPT : facts.agent.trust,
            roles: gone.includes('roles') ? UNKEPT : facts.agent.roles,
          },
          request: { ...facts.request, body: gone.includes('body') ? UNKEPT : keptBody },
        } as RecordedFacts;
        expect(judgeRecorded(compiled, recorded).possible).toContain(decide(compiled, facts).outcome);
      }),
      { numRuns: 2500 },
    );
  });
});
