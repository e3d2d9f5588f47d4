import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PolicyError } from '../policy-error.ts';
import { runPolicyTests } from './run-policy-tests.ts';

const bundle = parse(`
agents:
  - { name: coder, roles: [developer], trust: medium, environment: dev }
integrations:
  - name: stripe
    baseUrl: https://api.stripe.com/v1
    actions:
      - { name: charges.create, methods: [POST], paths: ['/v1/charges'], risk: low }
      - { name: charges.read, methods: [GET], paths: ['/v1/charges/**'] }
rules:
  - id: small-payments
    effect: allow
    integrations: [stripe]
    actions: [charges.create]
    when: 'int(request.body.amount) <= 5000 && agent.trust >= 2'
  - { id: reads, effect: allow, methods: [GET], when: '!has(request.query.expand)' }
  - { id: nights, effect: deny, when: 'time.now.getHours("UTC") >= 22' }
  - { id: pace, effect: rate_limit, limit: { requests: 60, perSeconds: 60, per: [agent] }, methods: [POST] }
  - { id: trial, effect: deny, shadow: true, when: '"x-trial" in request.headers' }
`);

const run = (text: string) => runPolicyTests(bundle, parse(text));

describe('tests of policy', () => {
  it('pass when the decision is what they expect', () => {
    const report = run(`
- name: a small payment passes
  call: { agent: coder, integration: stripe, method: POST, path: /charges, form: { amount: '5000' } }
  expect: { outcome: allow, rule: small-payments, hard: false, limits: [pace], errors: [], shadow: [] }
- name: a larger one does not
  call: { agent: coder, integration: stripe, method: POST, path: /charges, body: { amount: 5001 } }
  expect: { outcome: deny, rule: null }
- name: an agent of low trust pays nothing
  call: { agent: { name: other, trust: low }, integration: stripe, method: POST, path: /charges, body: { amount: 1 } }
  expect: { outcome: deny }
- name: nobody pays at night
  call: { agent: coder, integration: stripe, method: POST, path: /charges, body: { amount: 1 }, at: '2026-03-01T22:00:00Z' }
  expect: { outcome: deny, rule: nights, matched: [nights, pace, small-payments] }
- name: reads pass, but not when they expand
  call: { agent: coder, integration: stripe, path: /charges/ch_1, query: { limit: 3 } }
  expect: { outcome: allow, rule: reads }
- name: expanded
  call: { agent: coder, integration: stripe, path: /charges/ch_1, query: { expand: [customer, refunds] } }
  expect: { outcome: deny }
- name: a body that could not be read
  call: { agent: coder, integration: stripe, method: POST, path: /charges, bodyInspected: false }
  expect: { outcome: deny, errors: [small-payments] }
- name: risk raises
  call: { agent: coder, integration: stripe, path: /charges/ch_1, risk: 0.6 }
  expect: { outcome: require_approval, rule: 'risk:review' }
- name: a rule on trial
  call: { agent: coder, integration: stripe, path: /charges/ch_1, headers: { X-Trial: '1' } }
  expect: { outcome: allow, shadow: [trial] }
- name: by its whole URL and a named action
  call: { agent: coder, integration: stripe, method: POST, url: 'https://api.stripe.com/v2/x', action: charges.create, body: { amount: 7 } }
  expect: { outcome: allow }
`);
    expect(report.results.filter(({ isPassed }) => !isPassed)).toEqual([]);
    expect(report).toMatchObject({ passed: 10, failed: 0 });
  });

  it('fail with what came instead', () => {
    const report = run(`
- name: wrong
  call: { agent: coder, integration: stripe, method: POST, path: /charges, body: { amount: 1 } }
  expect: { outcome: deny, rule: nights, hard: false }
`);
    expect(report).toMatchObject({ passed: 0, failed: 1 });
    expect(report.results[0]).toMatchObject({
      name: 'wrong',
      isPassed: false,
      problems: ['outcome is "allow", not "deny"', 'rule is "small-payments", not "nights"'],
    });
  });

  it.each([
    ['- 7', 'a test must have name, call and expect'],
    ['- { name: x, call: {}, expected: {} }', 'expected is not a field of a test'],
    ['- { name: x, call: {}, expect: { rule: a } }', 'expect must have an outcome'],
    ['- { name: x, call: {}, expect: { outcome: allow, rules: a } }', 'expect.rules is not known'],
    ['- { name: x, expect: { outcome: deny } }', 'call must have agent, integration, method and path or url'],
    ['- { name: x, call: { agents: coder }, expect: { outcome: deny } }', 'call.agents is not known'],
    [
      '- { name: x, call: { agent: coder, integration: s3, path: / }, expect: { outcome: deny } }',
      'call.integration must name one of the bundle',
    ],
    [
      '- { name: x, call: { agent: ghost, integration: stripe, path: / }, expect: { outcome: deny } }',
      'call.agent must name one of the bundle',
    ],
    [
      '- { name: x, call: { agent: coder, integration: stripe }, expect: { outcome: deny } }',
      'call.path must be a text',
    ],
    [
      '- { name: x, call: { agent: coder, integration: stripe, url: nonsense }, expect: { outcome: deny } }',
      'call.url or call.path makes no URL',
    ],
    [
      '- { name: x, call: { agent: { name: a, trust: huge }, integration: stripe, path: / }, expect: { outcome: deny } }',
      'call.agent.trust must be untrusted, low, medium, high, admin or 0 to 4',
    ],
    [
      '- { name: x, call: { agent: coder, integration: stripe, path: /, at: noon }, expect: { outcome: deny } }',
      'call.at must be a time such as 2026-03-01T09:30:00Z',
    ],
    [
      '- { name: x, call: { agent: coder, integration: stripe, path: /, action: fly }, expect: { outcome: deny } }',
      'call.action must name one of the bundle',
    ],
  ])('fail when they are not understood: %s', (text, problem) => {
    const { results, failed } = run(text);
    expect(failed).toBe(1);
    expect(results[0]?.problems).toContain(problem);
  });

  it('are not run at all on a bundle that is none', () => {
    expect(() => runPolicyTests({ rules: [{ id: 'x' }] }, [])).toThrow(PolicyError);
  });

  it('may stand beside the rules', () => {
    expect(runPolicyTests({ ...bundle, tests: [] }, [])).toMatchObject({ passed: 0, failed: 0 });
  });
});
