import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkIdempotencyKey, readIdempotencyKey } from './read-idempotency-key.ts';

describe('readIdempotencyKey', () => {
  test.each([
    ['abc', 'abc'],
    ['"abc"', 'abc'],
    [' \t"abc" ', 'abc'],
    ['abc\t', 'abc'],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['a"b', 'a"b'],
    ['a\\b', 'a\\b'],
    ['"abc";v=1', 'abc'],
    ['"abc"; a;b=?1;c="x;y";d=:aGk=:;e=tok/en;f=-1.5', 'abc'],
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['!~', '!~'],
    ['x'.repeat(255), 'x'.repeat(255)],
    [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
    [`"${'\\"'.repeat(255)}"`, '"'.repeat(255)],
  ])('reads %j as %j', (value, key) => {
    expect(readIdempotencyKey(value)).toBe(key);
    expect(readIdempotencyKey([value])).toBe(key);
  });

  test.each([
    ['', 'empty'],
    ['   ', 'empty'],
    ['""', 'empty'],
    ['x'.repeat(256), 'too_long'],
    [`"${'x'.repeat(256)}"`, 'too_long'],
    ['a b', 'not_visible_ascii'],
    ['a, b', 'not_visible_ascii'],
    ['"a b"', 'not_visible_ascii'],
    ['\u00e9', 'not_visible_ascii'],
    ['"\u00e9"', 'not_visible_ascii'],
    ['a\u007f', 'not_visible_ascii'],
    ['a\u0000', 'not_visible_ascii'],
    ['"abc', 'malformed'],
    ['"', 'malformed'],
    ['"a\\b"', 'malformed'],
    ['"a"b', 'malformed'],
    ['"a", "b"', 'malformed'],
    ['"a";', 'malformed'],
    ['"a";A=1', 'malformed'],
    ['"a" ;a=1', 'malformed'],
  ])('refuses %j as %s', (value, fault) => {
    expect(() => readIdempotencyKey(value)).toThrow(expect.objectContaining({ fault }));
  });

  test('refuses a field that came twice, and one that did not come', () => {
    expect(() => readIdempotencyKey(['a', 'a'])).toThrow(expect.objectContaining({ fault: 'repeated' }));
    expect(() => readIdempotencyKey([])).toThrow(expect.objectContaining({ fault: 'empty' }));
  });

  test('reads every key back from either form', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[!-~]{1,255}$/), (key) => {
        expect(readIdempotencyKey(`"${key.replace(/["\\]/g, '\\$&')}"`)).toBe(key);
        if (!key.startsWith('"')) expect(readIdempotencyKey(key)).toBe(key);
        expect(checkIdempotencyKey(key)).toBe(key);
      }),
    );
  });

  test('never tells the key in its errors, and throws nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        try {
          expect(readIdempotencyKey(value)).toMatch(/^[!-~]{1,255}$/);
        } catch (error) {
          expect(error).toMatchObject({
            name: 'IdempotencyKeyError',
            message: expect.stringMatching(/^the idempotency key /),
          });
        }
      }),
    );
  });

  test('takes no longer for a field made to take long', () => {
    const begin = performance.now();
    const values = [
      `"a"${';a'.repeat(16_000)}!`,
      `"a"${';a=a'.repeat(8_000)}"`,
      `"a"${'; '.repeat(16_000)}`,
      `"${'\\"'.repeat(16_000)}`,
      `a${' '.repeat(32_000)}b`,
    ];
    for (const value of values) {
      expect(() => readIdempotencyKey(value)).toThrow();
    }
    expect(performance.now() - begin).toBeLessThan(1_000);
  });
});
