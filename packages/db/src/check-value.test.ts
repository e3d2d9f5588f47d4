import { describe, expect, test } from 'vitest';
import { requireHash, requirePlainText, toBoundedJson, toEmail } from './check-value.ts';

const refusal = { code: 'invalid', message: expect.stringContaining('table.column') };

function expectTaken(operation: () => unknown, isTaken: boolean): void {
  if (isTaken) expect(operation).not.toThrow();
  else expect(operation).toThrow(expect.objectContaining(refusal));
}

describe('an e-mail address', () => {
  test.each([
    ['a@example.org', true],
    ['First.Last+tag@mail.example.org', true],
    ['ä@example.org', true],
    [`${'a'.repeat(64)}@example.org`, true],
    [`${'a'.repeat(65)}@example.org`, false],
    ['a@localhost', false],
    ['a@-example.org', false],
    ['a@example-.org', false],
    ['a@example..org', false],
    ['a@.org', false],
    ['@example.org', false],
    ['a b@example.org', false],
    ['a@b@example.org', false],
    ['a\u200b@example.org', false],
    ['a\n@example.org', false],
    ['<a@example.org>', false],
    [`a@${'b'.repeat(250)}.org`, false],
  ])('%j is taken: %s', (text, isTaken) => {
    expectTaken(() => toEmail('table.column', text), isTaken);
  });

  test('stands in lower case', () => {
    expect(toEmail('table.column', 'Ann@Example.ORG')).toBe('ann@example.org');
  });
});

test.each([
  ['a', true],
  ['a'.repeat(10), true],
  ['a'.repeat(11), false],
  ['', false],
  ['a\0', false],
  ['\ud800', false],
  ['\ud83d\ude00', true],
])('the plain text %j is taken: %s', (text, isTaken) => {
  expectTaken(() => requirePlainText('table.column', text, 10), isTaken);
});

test.each([
  ['0'.repeat(64), true],
  ['0'.repeat(63), false],
  ['0'.repeat(65), false],
  ['A'.repeat(64), false],
  [`${'0'.repeat(64)}\n`, false],
  ['postern-secret-in-clear', false],
])('the hash %j is taken: %s', (text, isTaken) => {
  expectTaken(() => requireHash('table.column', text), isTaken);
});

describe('JSON of others', () => {
  test.each([
    [null, true],
    ['a\\u0000b', true],
    ['a\\\\u0000b', true],
    ['\\ud800', true],
    ['\ud83d\ude00', true],
    [{ '\ud83d\ude00': ['\u0001', '\\'] }, true],
    ['\0', false],
    ['\\\0', false],
    [{ '\0': 1 }, false],
    ['\ud800', false],
    ['\udc00', false],
    ['a\ud800\\udc00', false],
    [undefined, false],
  ])('%j is taken: %s', (value, isTaken) => {
    expectTaken(() => toBoundedJson('table.column', value, 1_000), isTaken);
  });

  test('is bounded in bytes, not in characters', () => {
    expectTaken(() => toBoundedJson('table.column', 'ü'.repeat(4), 10), true);
    expectTaken(() => toBoundedJson('table.column', 'ü'.repeat(4), 9), false);
  });
});
