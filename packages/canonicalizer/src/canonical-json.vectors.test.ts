import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { parseJsonStrict } from './parse-json-strict.ts';

/**
 * The published test cases of RFC 8785's author (cyberphone/json-canonicalization, testdata), by their names there: a text and its
 * canonical form. And the octets that RFC 8785 section 3.2.4 gives for its sample.
 */
const CASES: readonly (readonly [name: string, text: string, canonical: string])[] = [
  ['arrays', ' [56,\t{ "d":true, "10" : null, "1":[ ] } ]\n', '[56,{"1":[],"10":null,"d":true}]'],
  [
    'french',
    '{"sin":"ingnore locale","pêche":"but canonicalization MUST","peach":"This sorting order","péché":"is wrong according to French"}',
    '{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ingnore locale"}',
  ],
  [
    'structures',
    String.raw`{ "A":{}, "111":[{ }], "":"empty", "10":{}, "a":{ }, "1":{ "\n":56.0, "f":{"f":"hi" , "F":5} } }`,
    String.raw`{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{}],"A":{},"a":{}}`,
  ],
  ['unicode', String.raw`{"Unnormalized Unicode" : "\u1e0d\u0307"}`, '{"Unnormalized Unicode":"\u1e0d\u0307"}'],
  [
    'values',
    String.raw`{"literals":[ null,true , false],"numbers":[1E30,4.50,333333333.33333329,2e-3,0.000000000000000000000000001],"escaping":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"}`,
    String.raw`{"escaping":"€$\u000f\nA'B\"\\\\\"/","literals":[null,true,false],"numbers":[1e+30,4.5,333333333.3333333,0.002,1e-27]}`,
  ],
  [
    'weird',
    String.raw`{"\ufb33":"Hebrew Letter Dalet With Dagesh","\u20ac":"Euro Sign","\ud83d\ude02":"Smiley","\u0080":"Control\u007f","1":"One","\u00f6":"Latin Small Letter O With Diaeresis","<\/script>":"Browser Challenge"}`,
    '{"1":"One","</script>":"Browser Challenge","\u0080":"Control\u007f","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😂":"Smiley","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  ],
];

const SAMPLE = String.raw`{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}`;
const SAMPLE_OCTETS =
  '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e333333333333332c31652b3330' +
  '2c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d';

/** Of the number table that goes with them: the bits of a double, and its text. */
const NUMBERS: readonly (readonly [bits: string, text: string])[] = [
  ['4340000000000001', '9007199254740994'],
  ['4340000000000002', '9007199254740996'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['8000000000000000', '0'],
  ['0000000000000000', '0'],
  ['0010000000000000', '2.2250738585072014e-308'],
  ['000fffffffffffff', '2.225073858507201e-308'],
  ['c1e0000000000000', '-2147483648'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
];

describe('canonicalJson', () => {
  it.each(CASES)('writes the published case %s as it must be', (_name, text, canonical) => {
    expect(canonicalJson(parseJsonStrict(text))).toBe(canonical);
    expect(canonicalJson(parseJsonStrict(canonical))).toBe(canonical);
  });

  it('writes the sample of the RFC as the octets that it gives', () => {
    const octets = Buffer.from(canonicalJson(parseJsonStrict(SAMPLE)), 'utf8');
    expect(octets.toString('hex')).toBe(SAMPLE_OCTETS);
  });

  it.each(NUMBERS)('writes the double %s as %s, and reads it back', (bits, text) => {
    const value = Buffer.from(bits, 'hex').readDoubleBE(0);
    expect(canonicalJson(value)).toBe(text);
    expect(parseJsonStrict(text)).toBe(value === 0 ? 0 : value);
  });
});
