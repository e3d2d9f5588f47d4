import { expect, test } from 'vitest';
import { renderObject } from './object.ts';

const time = new Date(2026, 2, 1, 9, 5, 7);

test('an object is shown as in a configuration file, with times in local time wherever they are', () => {
  const object = {
    name: 'coder',
    roles: ['a', 'b'],
    createdAt: time.toISOString(),
    at: time.getTime(),
    key: { expiresAt: time.toISOString() },
  };
  expect(renderObject(object)).toBe(
    [
      'name: coder',
      'roles:',
      '  - a',
      '  - b',
      'createdAt: 2026-03-01 09:05:07',
      'at: 2026-03-01 09:05:07',
      'key:',
      '  expiresAt: 2026-03-01 09:05:07',
    ].join('\n'),
  );
});

test('members that only sound like times stay as they are', () => {
  expect(renderObject({ format: 1, chat: '2026-03-01', latencyMs: 5, expiresAt: null })).toBe(
    'format: 1\nchat: 2026-03-01\nlatencyMs: 5\nexpiresAt: null',
  );
});

test('text that would move the cursor is written out', () => {
  const shown = renderObject({ owner: 'a\u001b[2J\u202eb', note: 'two\nlines\u009b' });
  expect(shown).not.toMatch(/[\u001b\u202e\u009b]/);
  expect(shown).toContain('two');
});
