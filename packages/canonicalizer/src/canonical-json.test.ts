import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { JsonError, type JsonErrorCode } from './json-error.ts';
import { parseJsonStrict } from './parse-json-strict.ts';

function codeOf(operation: () => unknown): JsonErrorCode | undefined {
  try {
    operation();
  } catch (error) {
    if (error instanceof JsonError) return error.code;
    throw error;
  }
  return undefined;
}

function doubleOf(hex: string): number {
  return Buffer.from(hex, 'hex').readDoubleBE(0);
}

/** RFC 8785 appendix B: IEEE 754 bits and the text they have. */
const NUMBERS: readonly (readonly [bits: string, text: string])[] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

describe('canonicalJson', () => {
  it('gives the sample of RFC 8785 section 3.2.2 its form of section 3.2.4', () => {
    const sample = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(parseJsonStrict(sample))).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        String.raw`"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it('sorts names by UTF-16 code units as in RFC 8785 section 3.2.3', () => {
    const text = canonicalJson({
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    });
    expect(Object.values(JSON.parse(`[${text.slice(1, -1).replaceAll('":"', '","')}]`))).toEqual([
      ...['\r', 'Carriage Return', '1', 'One', '\u0080', 'Control'],
      ...['\u00f6', 'Latin Small Letter O With Diaeresis', '\u20ac', 'Euro Sign'],
      ...['\u{1f600}', 'Emoji: Grinning Face', '\ufb33', 'Hebrew Letter Dalet With Dagesh'],
    ]);
  });

  it.each(NUMBERS)('writes the double %s as %s', (bits, text) => {
    expect(canonicalJson(doubleOf(bits))).toBe(text);
  });

  it.each([
    ['undefined', undefined, 'not_json'],
    ['an undefined member', { a: undefined }, 'not_json'],
    ['an array hole', new Array(1), 'not_json'],
    ['a function', () => 1, 'not_json'],
    ['a toJSON method', { toJSON: () => 1 }, 'not_json'],
    ['a symbol', Symbol('a'), 'not_json'],
    ['a big integer', [1n], 'not_json'],
    ['a date', new Date(0), 'not_json'],
    ['a map', new Map(), 'not_json'],
    ['bytes', new Uint8Array(1), 'not_json'],
    ['a boxed string', new String('a'), 'not_json'],
    ['NaN', Number.NaN, 'number'],
    ['an infinity', { a: [Number.NEGATIVE_INFINITY] }, 'number'],
    ['a lone high surrogate', ['\ud83d'], 'lone_surrogate'],
    ['a lone low surrogate in a name', { '\ude00': 1 }, 'lone_surrogate'],
  ])('refuses %s', (_, value, code) => {
    expect(codeOf(() => canonicalJson(value))).toBe(code);
  });

  it('refuses a cycle and nesting past 1,000 levels, and takes exactly 1,000', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    expect(codeOf(() => canonicalJson(cycle))).toBe('depth');
    expect(codeOf(() => canonicalJson(nested(1_001)))).toBe('depth');
    expect(canonicalJson(nested(1_000))).toHaveLength(2_000);
  });

  it('writes objects without a prototype, one value met twice, and an own __proto__', () => {
    const shared = { b: 1 };
    expect(canonicalJson(Object.assign(Object.create(null), { z: shared, a: shared }))).toBe(
      '{"a":{"b":1},"z":{"b":1}}',
    );
    expect(canonicalJson(JSON.parse('{"__proto__":1,"A":2}'))).toBe('{"A":2,"__proto__":1}');
  });

  it('writes a text that parses back to the same value, whatever order the members were given in', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(parseJsonStrict(text))).toBe(text);
        expect(canonicalJson(reversed(value))).toBe(text);
      }),
    );
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}
