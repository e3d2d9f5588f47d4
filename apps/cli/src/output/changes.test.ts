import { describe, expect, test } from 'vitest';
import { type Change, renderChanges } from './changes.ts';

const CHANGES: readonly Change[] = [
  {
    kind: 'integration',
    name: 'github',
    op: 'create',
    diff: [{ path: 'baseUrl', from: null, to: 'https://api.github.com' }],
  },
  { kind: 'agent', name: 'coder', op: 'update', diff: [{ path: 'trust', from: 'low', to: 'high' }] },
  { kind: 'global_rule', name: 'old', op: 'delete', diff: [] },
];

describe('changes', () => {
  test('are told object by object, and counted', () => {
    expect(renderChanges(CHANGES, { dryRun: false })).toBe(
      [
        '+ integration github',
        '    baseUrl: "https://api.github.com"',
        '~ agent coder',
        '    trust: "low" → "high"',
        '- global rule old',
        '1 created, 1 updated, 1 deleted.',
      ].join('\n'),
    );
  });

  test('of a dry run are told to be none yet', () => {
    expect(renderChanges(CHANGES.slice(0, 1), { dryRun: true })).toMatch(
      /1 to be created\. Nothing was changed: this was a dry run\.$/,
    );
  });

  test('that there are not are told so', () => {
    expect(renderChanges([], { dryRun: false })).toBe('Nothing to change.');
  });

  test('show absent members, and cut what is long', () => {
    const diff = [{ path: 'tls.ca', from: null, to: 'x'.repeat(500) }];
    const text = renderChanges([{ kind: 'integration', name: 'a', op: 'update', diff }], { dryRun: false });
    expect(text).toContain('tls.ca: (none) → "xxx');
    expect(text.length).toBeLessThan(200);
  });
});
