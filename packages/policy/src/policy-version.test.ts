import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyVersionOf } from './policy-version.ts';

describe('policyVersionOf', () => {
  it('is the SHA-256 of the RFC 8785 form', () => {
    // printf '%s' '{"a":[1,true,null],"b":"\u20ac","c":{}}' (with the euro sign itself) | sha256sum
    expect(policyVersionOf({ c: {}, b: '€', a: [1, true, null] })).toBe(EURO_DIGEST);
    expect(policyVersionOf({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });

  it('does not depend on the order of keys at any depth', () => {
    const left = { a: 1, b: { x: [{ p: 1, q: 2 }], y: 2 } };
    const right = { b: { y: 2, x: [{ q: 2, p: 1 }] }, a: 1 };
    expect(policyVersionOf(left)).toBe(policyVersionOf(right));
    const shuffled = (value: object) => Object.fromEntries(Object.entries(value).reverse());
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (value) => {
        expect(policyVersionOf(shuffled(value))).toBe(policyVersionOf(value));
      }),
    );
  });

  it('treats an undefined member as absent', () => {
    expect(policyVersionOf({ a: 1, b: undefined })).toBe(policyVersionOf({ a: 1 }));
    expect(policyVersionOf({ a: 1, b: null })).not.toBe(policyVersionOf({ a: 1 }));
  });

  it('tells apart the order of lists, types and nesting', () => {
    const values = [
      { a: [1, 2] },
      { a: [2, 1] },
      { a: ['1', 2] },
      { a: [[1], 2] },
      { a: { 0: 1, 1: 2 } },
      { a: [1, 2, null] },
    ];
    expect(new Set(values.map(policyVersionOf)).size).toBe(values.length);
  });

  it.each([
    [{ a: Number.NaN }, /finite/],
    [{ a: Number.POSITIVE_INFINITY }, /finite/],
    [{ a: '\ud800' }, /surrogate/],
    [{ '\udc00': 1 }, /surrogate/],
    [{ a: 1n }, /bigint/],
    [{ a: () => 1 }, /function/],
    [[undefined], /undefined/],
    [{ a: new Date(0) }, /plain data/],
    [{ a: new Map() }, /plain data/],
  ])('refuses what JSON cannot say', (value, message) => {
    expect(() => policyVersionOf(value)).toThrow(message);
  });

  it('refuses a cycle instead of running out of stack', () => {
    const value: Record<string, unknown> = {};
    value['self'] = value;
    expect(() => policyVersionOf(value)).toThrow(/nested/);
  });
});

const EURO_DIGEST = 'de0391891442ec60087c471a6b8bd9f8c084c7299937f9e6cfd7de7cd9cfd71c';
