import { expect, test } from 'vitest';
import { type Explanation, renderExplanation } from './explanation.ts';

const DENIED: Explanation = {
  decision: 'deny',
  rule: 'no-admin',
  reason: 'rule no-admin',
  hard: true,
  risk: {
    score: 0.9,
    factors: [
      { name: 'method:DELETE', value: 0.7 },
      { name: 'label:shell', value: 0.2 },
    ],
  },
  action: 'orgs.write',
  descriptor: { method: 'DELETE', url: 'https://api.github.com/orgs/acme' },
  fingerprint: 'f1',
  credential: { type: 'bearer', secret: 'github-token' },
  limits: [],
  errors: [],
  policyVersion: 'v1',
  trace: [
    { rule: 'no-admin', matched: true, words: 'refuses the call' },
    { rule: 'reads', matched: false, words: 'is for other methods' },
    { rule: 'small', matched: false, words: 'counts for nothing, since its condition failed (no x)', error: 'no x' },
  ],
};

test('a decision is told in words, with every rule that was looked at', () => {
  expect(renderExplanation(DENIED)).toBe(
    [
      'Denied, by hard rule no-admin: rule no-admin',
      'Call:        DELETE https://api.github.com/orgs/acme',
      'Action:      orgs.write',
      'Credential:  secret github-token (bearer)',
      'Risk:        0.9: method:DELETE 0.7 + label:shell 0.2',
      'Policy:      version v1',
      'Fingerprint: f1',
      'Rules for this agent and integration:',
      '  matches  no-admin: refuses the call',
      '  not      reads: is for other methods',
      '  not      small: counts for nothing, since its condition failed (no x)',
    ].join('\n'),
  );
});

test('a decision that no rule made says so', () => {
  const open = {
    ...DENIED,
    rule: null,
    hard: false,
    action: null,
    credential: { type: 'none', secret: null },
    trace: [],
  };
  const text = renderExplanation(open);
  expect(text).toContain('Denied, by no rule: ');
  expect(text).toContain('Action:      none\nCredential:  no secret (none)\n');
  expect(text).toContain('\nNo rule is for this agent and integration.');
});

test('the terms of an approval, the limits and what could not be judged are told', () => {
  const text = renderExplanation({
    ...DENIED,
    decision: 'require_approval',
    approval: { approvers: 2, groups: ['ops', 'legal'], pendingSeconds: 900, grant: 'once', executeSeconds: 1 },
    limits: [{ rule: 'pace', requests: 60, perSeconds: 60, per: ['agent', 'action'], remaining: 59 }],
    errors: [{ rule: null, message: 'the URL cannot be parsed' }],
    scorer: { asked: false, words: 'was not asked' },
  });
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'It could not be judged: the URL cannot be parsed',
      'Scorer:      was not asked',
      'Approval:    2 people of each of ops, legal within 900 seconds; the widest grant: once, to be used within 1 second',
      'Limit:       pace: 60 in 60 seconds per agent, action, 59 left',
    ]),
  );
  const alone = { approvers: 1, groups: [], pendingSeconds: 60, grant: 'until', executeSeconds: 60 };
  expect(renderExplanation({ ...DENIED, approval: alone })).toContain('Approval:    one person within 60 seconds; ');
});
