import { expect, test } from 'vitest';
import { type Explanation, renderExplanation } from './explanation.ts';

const DENIED: Explanation = {
  decision: 'deny',
  rule: 'no-admin',
  reason: 'rule no-admin',
  hard: true,
  action: 'orgs.write',
  descriptor: { method: 'DELETE', url: 'https://api.github.com/orgs/acme' },
  credential: { type: 'bearer', secret: 'github-token' },
  trace: [
    { rule: 'no-admin', matched: true, words: 'refuses the call' },
    { rule: 'reads', matched: false, words: 'is for other methods' },
  ],
};

test('a decision is told in words, with every rule that was looked at', () => {
  expect(renderExplanation(DENIED)).toBe(
    [
      'Denied, by hard rule no-admin: rule no-admin',
      'Call:       DELETE https://api.github.com/orgs/acme',
      'Action:     orgs.write',
      'Credential: secret github-token (bearer)',
      'Rules for this agent and integration:',
      '  matches  no-admin: refuses the call',
      '  not      reads: is for other methods',
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
  expect(text).toContain('Action:     none\nCredential: no secret (none)\nNo rule is for this agent and integration.');
});
