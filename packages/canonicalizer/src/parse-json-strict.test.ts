import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonError, type JsonErrorCode } from './json-error.ts';
import { parseJsonStrict } from './parse-json-strict.ts';

function codeOf(text: string): JsonErrorCode | undefined {
  try {
    parseJsonStrict(text);
  } catch (error) {
    if (error instanceof JsonError) return error.code;
    throw error;
  }
  return undefined;
}

describe('parseJsonStrict', () => {
  it.each<[string, string, JsonErrorCode | undefined]>([
    ['one name twice', '{"a":1,"a":1}', 'duplicate_key'],
    ['one name in two objects', '[{"a":1},{"a":{"a":1}}]', undefined],
    ['one name twice, once with an escape', String.raw`{"a":1,"\u0061":1}`, 'duplicate_key'],
    ['a name and its escaped escape', String.raw`{"a":1,"\\u0061":1}`, undefined],
    ['one name twice, deep inside', '[[{"b":{"x":[],"y":"x","x":[]}}]]', 'duplicate_key'],
    ['names that differ in case', '{"a":1,"A":1}', undefined],
    ['names that only Unicode normalisation would join', '{"\u00e9":1,"e\u0301":1}', undefined],
    ['the empty name twice', '{"":1,"":1}', 'duplicate_key'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'duplicate_key'],
    ['constructor and __proto__ once', '{"__proto__":1,"constructor":2}', undefined],
    ['a duplicate whose first value has members of its own', '{"a":{"b":1},"a":2}', 'duplicate_key'],
    ['colons, quotes and brackets inside strings', String.raw`{"a:\"{[\\":"\\\":{"}`, undefined],
    ['a duplicate after a string that ends in a backslash', String.raw`{"x":"\\","a":1,"a":2}`, 'duplicate_key'],
    ['a lone high surrogate as an escape', String.raw`["\ud83d"]`, 'lone_surrogate'],
    ['a lone low surrogate in a name', String.raw`{"\ude00":1}`, 'lone_surrogate'],
    ['a raw lone surrogate', '["\ud83d"]', 'lone_surrogate'],
    ['a surrogate pair as escapes', String.raw`["\ud83d\ude00"]`, undefined],
    ['surrogates in the wrong order', String.raw`["\ude00\ud83d"]`, 'lone_surrogate'],
    ['a number that overflows', '[1e309]', 'number'],
    ['the largest number', '[1.7976931348623157e308]', undefined],
    ['a number that overflows downwards', '-1e999', 'number'],
    ['the largest safe integer', '9007199254740991', undefined],
    ['an integer a double does not hold', '9007199254740993', 'number'],
    ['its negative', '[-9007199254740993]', 'number'],
    ['a long integer in the form a double is written', '1234567890123456800', undefined],
    ['a long integer with digits beyond a double', '{"id":1234567890123456789}', 'number'],
    ['the same as a string', '{"id":"1234567890123456789"}', undefined],
    ['a long fraction', '3.14159265358979323846', undefined],
    ['a whole number with digits beyond a double, as a fraction', '[9007199254740993.0]', 'number'],
    ['the same with an exponent', '9007199254740993e0', 'number'],
    ['the same with a point moved', '{"id":-90071992547409.93E+2}', 'number'],
    ['a fraction beyond 2^53', '9007199254740992.5', 'number'],
    ['a large number that a double keeps', '[9007199254740992.0, 1E30, 1.5e300, 12345678901234567e3]', undefined],
    ['a fraction below 2^53, to many digits', '4503599627370495.123456789', undefined],
    ['a number too small for a double', '[1e-400]', 'number'],
    ['the same, written out', `0.${'0'.repeat(330)}1`, 'number'],
    ['the smallest number', '[5e-324]', undefined],
    ['a zero in many ways', '[0, -0, 0.0, 0e5, 0.000000000, 0E-400]', undefined],
    ['a leading zero', '01', 'syntax'],
    ['a plus sign', '+1', 'syntax'],
    ['a bare fraction', '.5', 'syntax'],
    ['a hexadecimal number', '0x10', 'syntax'],
    ['NaN', 'NaN', 'syntax'],
    ['trailing data', '{} {}', 'syntax'],
    ['a trailing comma', '[1,]', 'syntax'],
    ['white space around', ' \t\r\n{} \n', undefined],
    ['a byte order mark', '\ufeff{}', 'syntax'],
    ['a byte order mark behind it', '{}\ufeff', 'syntax'],
    ['a text behind it', '{"a":1}x', 'syntax'],
    ['a value behind it', '1 2', 'syntax'],
    ['a NUL behind it', '{}\0', 'syntax'],
    ['a comment within', '{"a":1/*,"a":2*/}', 'syntax'],
    ['a hash comment', '{} # x', 'syntax'],
    ['a name without quotes', '{a:1}', 'syntax'],
    ['Infinity', '[-Infinity]', 'syntax'],
    ['a number with a point and nothing behind', '1.', 'syntax'],
    ['a colon too many', '{"a"::1}', 'syntax'],
    ['a minus before a zero too many', '-01', 'syntax'],
    ['another space', '{\u2003}', 'syntax'],
    ['a vertical tab', '\v{}', 'syntax'],
    ['a bad escape', String.raw`"\x41"`, 'syntax'],
    ['half an escape', String.raw`"\u00"`, 'syntax'],
    ['a no-break space', '\u00a0{}', 'syntax'],
    ['a comment', '{}//', 'syntax'],
    ['single quotes', "{'a':1}", 'syntax'],
    ['a raw newline in a string', '"a\nb"', 'syntax'],
    ['a raw NUL in a string', '"a\0b"', 'syntax'],
    ['an unfinished string', '{"a', 'syntax'],
    ['an unfinished escape', '"\\', 'syntax'],
    ['nothing', '', 'syntax'],
    ['a bare value', 'null', undefined],
  ])('treats %s rightly', (_, text, code) => {
    expect(codeOf(text)).toBe(code);
    if (code === undefined) expect(parseJsonStrict(text)).toEqual(JSON.parse(text));
  });

  it('takes nesting of exactly the depth allowed', () => {
    const nested = (levels: number) => '[{"a":'.repeat(levels / 2) + '0' + '}]'.repeat(levels / 2);
    expect(codeOf(nested(128))).toBeUndefined();
    expect(codeOf(nested(130))).toBe('depth');
    expect(() => parseJsonStrict('[[]]', { depthMax: 2 })).not.toThrow();
    expect(() => parseJsonStrict('[[[]]]', { depthMax: 2 })).toThrow(JsonError);
    expect(codeOf('['.repeat(1_000_000))).toBe('depth');
  });

  it('makes __proto__ an own property and leaves every prototype alone', () => {
    const value = parseJsonStrict('{"__proto__":{"polluted":true}}') as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect('polluted' in {}).toBe(false);
  });

  it('tells the position and nothing of the text', () => {
    try {
      parseJsonStrict('{"password":"hunter2" oops}');
      expect.unreachable();
    } catch (error) {
      expect((error as JsonError).message).toBe('not valid JSON at position 22');
      expect((error as JsonError).cause).toBeUndefined();
    }
  });

  it('reads everything that JSON.stringify writes, with and without indentation', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), fc.constantFrom('', ' ', '\t'), (value, indentation) => {
        const text = JSON.stringify(value, undefined, indentation);
        expect(parseJsonStrict(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses any object into which one of its members is written again', () => {
    const objects = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'grapheme' }), {
      minKeys: 1,
    });
    fc.assert(
      fc.property(objects, fc.nat(), fc.boolean(), (object, pick, escaped) => {
        const names = Object.keys(object);
        const name = names[pick % names.length] as string;
        const spelling = escaped ? `"${name.split('').map(escapeOf).join('')}"` : JSON.stringify(name);
        const text = `${JSON.stringify(object).slice(0, -1)},${spelling}:0}`;
        expect(codeOf(text)).toBe('duplicate_key');
      }),
    );
  });

  it('never takes a text that JSON.parse refuses', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      '\\"',
      'a',
      '1',
      '-',
      'e',
      '.',
      ' ',
      'null',
      '"a"',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        if (codeOf(text) === undefined) expect(() => JSON.parse(text)).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });
});

function escapeOf(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
