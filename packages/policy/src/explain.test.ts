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
      const { trace: _trace, micros: _micros, ...decision } = decide(policy, facts);
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
      'allow: a rule allows this call. Told is reads. Of 5 rules for this agent and integration 1 matched. ' +
        'comments is for other actions. no-admin is for other paths. reads allows the call. uploads is for other hosts. ' +
        'writes is for other methods.',
    );
    const none = compilePolicy({});
    expect(explain(none, factsOf()).summary).toBe(
      'deny: no rule allows this call. Of 0 rules for this agent and integration 0 matched.',
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
});
