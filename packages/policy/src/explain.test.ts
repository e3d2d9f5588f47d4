import { describe, expect, it } from 'vitest';
import { compilePolicy } from './compile-policy.ts';
import { decide } from './decide.ts';
import { explain } from './explain.ts';
import { factsOf } from './facts.test-support.ts';

const policy = compilePolicy({
  rules: [
    { id: 'reads', effect: 'allow', agents: ['coder'], methods: ['GET'] },
    { id: 'writes', effect: 'require_approval', methods: ['POST'] },
    { id: 'no-admin', effect: 'deny', hard: true, paths: ['/admin/**'] },
    { id: 'uploads', effect: 'allow', hosts: ['uploads.github.com'] },
    { id: 'comments', effect: 'allow', actions: ['issues.comment'] },
    { id: 'others', effect: 'deny', agents: ['other'] },
    { id: 'elsewhere', effect: 'deny', integrations: ['slack'] },
  ],
});

describe('explain', () => {
  it('decides as decide does', () => {
    for (const method of ['GET', 'POST', 'PUT', 'bad']) {
      const facts = factsOf({ request: { method } });
      const { trace: _trace, micros: _micros, risk: _risk, ...decision } = decide(policy, facts);
      expect(explain(policy, facts)).toMatchObject(decision);
    }
  });

  it('tells every rule for the agent and integration, with the field that does not cover the call', () => {
    expect(explain(policy, factsOf()).trace).toEqual([
      {
        rule: 'comments',
        effect: 'allow',
        hard: false,
        matched: false,
        uncovered: 'actions',
        words: 'is for other actions',
      },
      { rule: 'no-admin', effect: 'deny', hard: true, matched: false, uncovered: 'paths', words: 'is for other paths' },
      { rule: 'reads', effect: 'allow', hard: false, matched: true, words: 'allows the call' },
      {
        rule: 'uploads',
        effect: 'allow',
        hard: false,
        matched: false,
        uncovered: 'hosts',
        words: 'is for other hosts',
      },
      {
        rule: 'writes',
        effect: 'require_approval',
        hard: false,
        matched: false,
        uncovered: 'methods',
        words: 'is for other methods',
      },
    ]);
  });

  it('says it in words', () => {
    expect(explain(policy, factsOf()).summary).toBe(
      'allow: a rule allows this call. Told is reads. Risk is 0.1. Of 5 rules for this agent and integration 1 matched. ' +
        'comments is for other actions. no-admin is for other paths. reads allows the call. uploads is for other hosts. ' +
        'writes is for other methods.',
    );
    const none = compilePolicy({});
    expect(explain(none, factsOf()).summary).toBe(
      'deny: no rule allows this call. Risk is 0.1. Of 0 rules for this agent and integration 0 matched.',
    );
  });

  it("shows an action's own approval as a rule", () => {
    const explanation = explain(policy, factsOf({ action: { name: 'issues.write', approval: 'required' } }));
    expect(explanation).toMatchObject({ outcome: 'require_approval', rule: 'action:issues.write' });
    expect(explanation.trace[0]).toMatchObject({
      rule: 'action:issues.write',
      matched: true,
      effect: 'require_approval',
    });
  });

  it('says why facts could not be judged', () => {
    const explanation = explain(policy, factsOf({ request: { url: 'nonsense' } }));
    expect(explanation).toMatchObject({ outcome: 'deny', trace: [] });
    expect(explanation.summary).toBe(
      'deny: the call could not be judged. It could not be judged: the URL cannot be parsed.',
    );
  });

  it('tells conditions that are not met, that failed, and rules in shadow', () => {
    const limit = { requests: 1, perSeconds: 1 };
    const rich = compilePolicy({
      risk: { review: 1 },
      rules: [
        { id: 'a', effect: 'allow', when: 'agent.trust >= 2' },
        { id: 'b', effect: 'allow', when: 'agent.trust >= 3' },
        { id: 'c', effect: 'allow', when: 'count.day > 1' },
        { id: 'd', effect: 'require_approval', when: 'count.day > 1' },
        { id: 'e', effect: 'deny', shadow: true },
        { id: 'f', effect: 'deny', shadow: true, when: 'count.day > 1' },
        { id: 'g', effect: 'allow', shadow: true, when: 'count.day > 1' },
        { id: 'h', effect: 'deny', shadow: true, when: 'false' },
        { id: 'i', effect: 'rate_limit', limit },
        { id: 'j', effect: 'rate_limit', shadow: true, limit },
        { id: 'k', effect: 'require_approval', shadow: true },
        { id: 'l', effect: 'allow', shadow: true },
      ],
    });
    const { trace } = explain(rich, factsOf());
    const failed = 'the call has no count.day';
    expect(trace.map(({ rule, words }) => `${rule} ${words}`)).toEqual([
      'a allows the call',
      'b has a condition that is not met',
      `c counts for nothing, since its condition failed (${failed})`,
      `d asks for an approval, since its condition failed (${failed})`,
      'e is in shadow and would refuse the call',
      `f is in shadow and would refuse the call, since its condition failed (${failed})`,
      `g counts for nothing, since its condition failed (${failed})`,
      'h has a condition that is not met',
      'i limits how often such calls pass',
      'j is in shadow and would limit how often such calls pass',
      'k is in shadow and would ask for an approval',
      'l is in shadow and would allow the call',
    ]);
    expect(trace.find(({ rule }) => rule === 'b')).toMatchObject({ matched: false, uncovered: 'when' });
    expect(trace.find(({ rule }) => rule === 'd')).toMatchObject({ matched: true, error: failed });
    expect(trace.find(({ rule }) => rule === 'e')).toMatchObject({ matched: true, shadow: true });
    expect(trace.find(({ rule }) => rule === 'a')).not.toHaveProperty('shadow');
  });

  it('tells the risk, and what it did, as a rule', () => {
    const facts = factsOf({ request: { method: 'DELETE', url: 'https://a.example/?q=DROP%20TABLE%20x' } });
    const risky = compilePolicy({ rules: [{ id: 'all', effect: 'allow' }] });
    const explanation = explain(risky, facts);
    expect(explanation).toMatchObject({
      outcome: 'deny',
      rule: 'risk:deny',
      risk: {
        score: 0.9,
        labels: ['destructive'],
        factors: [
          { name: 'method:DELETE', value: 0.7 },
          { name: 'label:destructive', value: 0.2 },
        ],
      },
    });
    expect(explanation.trace.map(({ rule, effect }) => [rule, effect])).toEqual([
      ['all', 'allow'],
      ['risk:deny', 'deny'],
    ]);
    expect(explanation.summary).toContain('Risk is 0.9 (destructive). ');
    const asked = explain(risky, factsOf({ request: { method: 'PUT' } }));
    expect(asked.trace[1]).toMatchObject({ rule: 'risk:review', effect: 'require_approval', matched: true });
  });
});
