import { type Risk, type Rule, ruleSchema } from '@postern/schemas';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffPolicies } from './diff-policies.ts';

const RISK: Risk = { review: 0.5, deny: 0.9, scorer: null };
const rule = (more: object): Rule => ruleSchema.parse({ id: 'writes', effect: 'require_approval', ...more });
const diff = (from: readonly Rule[], to: readonly Rule[]) =>
  diffPolicies({ rules: from, risk: RISK }, { rules: to, risk: RISK });
const change = (from: object, to: object) => diff([rule(from)], [rule(to)]);

describe('the difference of two policies in words', () => {
  it('tells field by field what changed', () => {
    const before = { approval: { approvers: 1 }, paths: ['/a'] };
    const after = { approval: { approvers: 2 }, paths: ['/a', '/x/**'] };
    expect(change(before, after)).toEqual([
      { rule: 'writes', op: 'changed', words: 'writes: paths + /x/**; approvers 1 → 2' },
    ]);
  });

  it.each<[object, object, string]>([
    [{ agents: ['a', 'b'] }, { agents: ['b', 'c'] }, 'agents + c − a'],
    [{}, { methods: ['GET', 'HEAD'] }, 'methods (all) → GET, HEAD'],
    [{ integrations: ['github'] }, {}, 'integrations github → (all)'],
    [{ effect: 'allow' }, { effect: 'deny' }, 'effect allow → deny'],
    [{ effect: 'deny' }, { effect: 'deny', hard: true }, 'hard no → yes'],
    [{ shadow: true }, {}, 'shadow yes → no'],
    [{}, { when: 'agent.trust > 1' }, 'when (none) → agent.trust > 1'],
    [{ when: 'true' }, { when: 'false' }, 'when true → false'],
    [{ approval: {} }, { approval: { groups: ['security'] } }, 'groups (none) → security'],
    [
      { approval: { groups: ['a', 'b'], pendingSeconds: 60 } },
      { approval: { groups: ['b'], grant: 'rule', executeSeconds: 5 } },
      'groups − a; pendingSeconds 60 → 900; grant once → rule; executeSeconds 600 → 5',
    ],
    [
      { effect: 'rate_limit', limit: { requests: 60, perSeconds: 60 } },
      { effect: 'rate_limit', limit: { requests: 30, perSeconds: 60, per: ['tenant'] } },
      'requests 60 → 30; per agent → tenant',
    ],
  ])('from %j to %j', (before, after, words) => {
    expect(change(before, after)).toEqual([{ rule: 'writes', op: 'changed', words: `writes: ${words}` }]);
  });

  it('says nothing of what decides alike: another order, terms written out, no change at all', () => {
    expect(change({ methods: ['GET', 'HEAD'] }, { methods: ['HEAD', 'GET'] })).toEqual([]);
    expect(change({}, { approval: { approvers: 1 } })).toEqual([]);
    expect(change({ disabled: false, hard: false }, {})).toEqual([]);
    expect(diff([rule({ id: 'a' }), rule({ id: 'b' })], [rule({ id: 'b' }), rule({ id: 'a' })])).toEqual([]);
  });

  it('describes whole rules that come and go, by id', () => {
    const gone = rule({ id: 'z', effect: 'deny', hard: true, paths: ['/admin/**'] });
    const come = rule({ id: 'a', effect: 'rate_limit', limit: { requests: 5, perSeconds: 1 }, disabled: true });
    expect(diff([gone], [come])).toEqual([
      { rule: 'a', op: 'added', words: 'a: rate_limit, disabled; requests 5; perSeconds 1' },
      { rule: 'z', op: 'removed', words: 'z: was deny; hard yes; paths /admin/**' },
    ]);
  });

  it('tells a rule that was switched off or on, with what else changed of it', () => {
    expect(change({}, { disabled: true })).toEqual([{ rule: 'writes', op: 'disabled', words: 'writes: disabled' }]);
    expect(change({ disabled: true }, { hosts: ['a.example'] })).toEqual([
      { rule: 'writes', op: 'enabled', words: 'writes: enabled; hosts (all) → a.example' },
    ]);
  });

  it('tells thresholds and the scorer, before the rules', () => {
    const scorer = { baseUrl: 'https://api.example.com/v1', model: 'small' };
    const to = (risk: Risk) => diffPolicies({ rules: [], risk: RISK }, { rules: [rule({})], risk });
    expect(to({ review: 0.3, deny: 0.9, scorer })[0]).toEqual({
      rule: null,
      op: 'changed',
      words: 'risk: review 0.5 → 0.3; scorer none → small at https://api.example.com/v1',
    });
    const changed = diffPolicies(
      { rules: [], risk: { ...RISK, scorer } },
      { rules: [], risk: { ...RISK, deny: 1, scorer: { ...scorer, model: 'large', secret: 'key' } } },
    );
    expect(changed).toEqual([
      {
        rule: null,
        op: 'changed',
        words: 'risk: deny 0.9 → 1; scorer.model "small" → "large"; scorer.secret (none) → "key"',
      },
    ]);
    const same = { rules: [], risk: { ...RISK, scorer } };
    expect(diffPolicies(same, { rules: [], risk: { ...RISK, scorer: { ...scorer } } })).toEqual([]);
  });

  it('is empty for equal policies and names each differing rule once', () => {
    const rules = fc.uniqueArray(
      fc
        .record({
          id: fc.constantFrom('a', 'b', 'c', 'd'),
          effect: fc.constantFrom('allow', 'deny'),
          agents: fc.option(fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { minLength: 1 }), { nil: undefined }),
          disabled: fc.constantFrom(undefined, true),
        })
        .map((written) => ruleSchema.parse(written)),
      { selector: ({ id }) => id },
    );
    fc.assert(
      fc.property(rules, rules, (from, to) => {
        expect(diff(from, from)).toEqual([]);
        const forth = diff(from, to).map((item) => item.rule);
        expect(new Set(forth).size).toBe(forth.length);
        expect(diff(to, from).map((item) => item.rule)).toEqual(forth);
      }),
    );
  });
});
