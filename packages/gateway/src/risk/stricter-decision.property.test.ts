import { compilePolicy, type Decision, decide, type Facts, scoreRisk } from '@postern/policy';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { heardRisk, unheardRisk } from './merge-score.ts';
import { stricterDecision } from './stricter-decision.ts';

const STRENGTH = { allow: 0, require_approval: 1, deny: 2 };

/** Conditions that a higher score, or another label, may also untie. */
const CONDITIONS = [
  undefined,
  'risk.score < 0.3',
  'risk.score >= 0.3',
  'risk.score == 0.5',
  'risk.score > 0.8',
  '"shell" in risk.labels',
  '!("shell" in risk.labels)',
  '"scorer_unavailable" in risk.labels',
  'risk.labels.size() == 0',
  // Errors where there are fewer labels.
  'risk.labels[1] == "pii"',
];

const approval = fc.record({
  approvers: fc.integer({ min: 1, max: 3 }),
  groups: fc.subarray(['legal', 'money']),
  pendingSeconds: fc.constantFrom(60, 900),
  grant: fc.constantFrom('once', 'times', 'rule'),
});

const rule = fc.record({
  effect: fc.constantFrom('allow', 'allow', 'require_approval', 'deny', 'rate_limit'),
  when: fc.constantFrom(...CONDITIONS),
  hard: fc.boolean(),
  shadow: fc.constantFrom(false, false, true),
  approval,
});

const policies = fc
  .record({
    rules: fc.array(rule, { maxLength: 6 }),
    thresholds: fc.constantFrom({ review: 0.5, deny: 0.9 }, { review: 0.2, deny: 0.4 }, { review: 1, deny: 1 }),
  })
  .map(({ rules, thresholds }) =>
    compilePolicy({
      rules: rules.map(({ effect, when, hard, shadow, approval: terms }, place) => ({
        id: `rule-${place}`,
        effect,
        ...(when === undefined ? {} : { when }),
        ...(shadow ? { shadow } : {}),
        ...(effect === 'deny' && hard ? { hard } : {}),
        ...(effect === 'require_approval' ? { approval: terms } : {}),
        ...(effect === 'rate_limit' ? { limit: { requests: 5, perSeconds: 60 } } : {}),
      })),
      risk: thresholds,
    }),
  );

const calls = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    text: fc.constantFrom('hello', 'sudo rm -rf /', '123-45-6789'),
  })
  .map(
    ({ method, text }): Facts => ({
      tenant: 'default',
      agent: { name: 'coder', roles: [], trust: 2, environment: 'dev' },
      request: { method, url: 'https://api.example.com/x', headers: [], body: { text }, bodyInspected: true },
      integration: { name: 'api' },
      now: 0,
    }),
  );

const opinions = fc.record({
  score: fc.oneof(fc.constantFrom(0, 0.3, 0.5, 0.9, 1), fc.double({ min: 0, max: 1, noNaN: true })),
  labels: fc.subarray(['shell', 'pii', 'odd', 'scorer_unavailable']),
});

function expectNoLooser(raised: Decision, before: Decision): void {
  expect(STRENGTH[raised.outcome]).toBeGreaterThanOrEqual(STRENGTH[before.outcome]);
  if (before.hard) expect(raised.hard).toBe(true);
  const limits = new Set(raised.limits.map(({ rule: id }) => id));
  for (const { rule: id } of before.limits) expect(limits).toContain(id);
  for (const id of before.matched) expect(raised.matched).toContain(id);
  if (raised.approval === undefined || before.approval === undefined) return;
  expect(raised.approval.approvers).toBeGreaterThanOrEqual(before.approval.approvers);
  expect(raised.approval.pendingSeconds).toBeLessThanOrEqual(before.approval.pendingSeconds);
  for (const group of before.approval.groups) expect(raised.approval.groups).toContain(group);
}

describe('whatever a scorer says', () => {
  test('the decision is never looser than rules and heuristic, and each id is told once', () => {
    fc.assert(
      fc.property(policies, calls, fc.option(opinions), (policy, facts, opinion) => {
        const before = decide(policy, facts);
        // Nobody is asked about what is denied.
        fc.pre(before.outcome !== 'deny');
        const heuristic = scoreRisk(facts);
        const risk = opinion === null ? unheardRisk(heuristic) : heardRisk(opinion);
        const raised = stricterDecision(before, decide(policy, { ...facts, risk }));
        expectNoLooser(raised, before);
        expect(raised.risk?.score).toBeGreaterThanOrEqual(heuristic.score);
        expect(new Set(raised.limits.map(({ rule: id }) => id)).size).toBe(raised.limits.length);
        expect(raised.matched).toEqual([...new Set(raised.matched)].sort());
        expect(raised.approval === undefined).toBe(raised.outcome !== 'require_approval');
      }),
      { numRuns: 500 },
    );
  });

  test('a score of 0 without labels changes nothing but that the score is told', () => {
    fc.assert(
      fc.property(policies, calls, (policy, facts) => {
        const before = decide(policy, facts);
        fc.pre(before.outcome !== 'deny');
        const raised = stricterDecision(
          before,
          decide(policy, { ...facts, risk: heardRisk({ score: 0, labels: [] }) }),
        );
        const told = ({ outcome, rule: id, hard, approval: terms, limits, matched, reason }: Decision) => {
          return { outcome, id, hard, terms, limits, matched, reason };
        };
        expect(told(raised)).toEqual(told(before));
      }),
    );
  });

  test('a higher one is not looser than a lower one, where rules do not look at it', () => {
    const policy = compilePolicy({ rules: [{ id: 'open', effect: 'allow' }] });
    fc.assert(
      fc.property(calls, opinions, opinions, (facts, one, other) => {
        const [low, high] = one.score < other.score ? [one, other] : [other, one];
        const outcomeOf = (risk: Facts['risk']) => STRENGTH[decide(policy, { ...facts, risk }).outcome];
        expect(outcomeOf(heardRisk(high))).toBeGreaterThanOrEqual(outcomeOf(heardRisk(low)));
      }),
    );
  });
});
