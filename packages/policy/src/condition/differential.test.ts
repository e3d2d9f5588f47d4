import { run } from '@bufbuild/cel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { say, withBody } from './condition.test-support.ts';

/**
 * The same expressions by another implementation of the language, `@bufbuild/cel`, which passes most of the specification's own
 * conformance tests. Where the two differ on purpose, DIFFERENCES says why.
 */

const BODY = {
  n: 5,
  zero: 0,
  neg: -7,
  f: 2.5,
  s: 'open',
  empty: '',
  emoji: 'a😀b',
  yes: true,
  no: false,
  nothing: null,
  list: [1, 2, 3],
  names: ['a', 'b'],
  mixed: [1, 'a', 2.5, null, true],
  items: [{ id: 1, tag: 'x' }, { id: 2, tag: 'y' }, { id: 3 }],
  map: { a: 1, b: 'two', c: { d: [1, { e: 'deep' }] }, nothing: null },
  digits: '42',
  at: '2026-03-29T01:30:00Z',
};

type Outcome = boolean | 'error';

function theirs(text: string, body: unknown): Outcome {
  try {
    const value = run(text, { b: asInput(body) } as never);
    return typeof value === 'boolean' ? value : 'error';
  } catch {
    return 'error';
  }
}

function ours(text: string, body: unknown): Outcome {
  const said = say(text.replace(/\bb\b(?!["'])/g, 'request.body'), withBody(body));
  if (typeof said === 'object' && 'refused' in said) throw new TypeError(`${text}: ${said.refused}`);
  return typeof said === 'boolean' ? said : 'error';
}

/** Whole numbers are ints. */
function asInput(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(asInput);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(Object.entries(value).map(([name, member]) => [name, asInput(member)]));
}

const EXPRESSIONS = [
  // Equality and order, over kinds
  ...['b.n == 5', 'b.n == 5.0', 'b.f == 2.5', 'b.n != 5', 'b.n == "5"', 'b.s == 5', 'b.nothing == null', 'b.n == null'],
  ...['b.list == [1, 2, 3]', 'b.list == [1.0, 2.0, 3.0]', 'b.list == [3, 2, 1]', 'b.list == b.names', 'b.map == b.map'],
  ...['b.map.c == {"d": [1, {"e": "deep"}]}', 'b.map.c == {"d": [1, {"e": "other"}]}', 'b.map == {}', 'b.yes == true'],
  ...[
    'b.n < 6',
    'b.n < 5',
    'b.n <= 5',
    'b.n > 4.9',
    'b.f > 2',
    'b.f >= 2.5',
    'b.n < b.s',
    'b.s < "opeo"',
    'b.s > "ope"',
  ],
  ...['b.yes > b.no', 'b.nothing < 1', 'b.neg < 0', 'b.neg < -6.9'],
  // Arithmetic
  ...['b.n + 1 == 6', 'b.n + 1.0 == 6.0', 'b.n - 6 == -1', 'b.n * b.n == 25', 'b.n / 2 == 2', 'b.neg / 2 == -3'],
  ...['b.neg % 3 == -1', 'b.n % 0 == 1', 'b.n / 0 == 1', 'b.f / 0.0 > 1.0', 'b.f * 2.0 == 5.0'],
  ...['-b.n == -5', '-b.f == -2.5', '-b.s == "x"', 'b.n + 9223372036854775807 > 0', 'b.n * 9223372036854775807 > 0'],
  ...['b.s + "ed" == "opened"', 'b.list + [4] == [1, 2, 3, 4]', 'b.names + b.list == ["a", "b", 1, 2, 3]'],
  // Logic, with operands that have no value
  ...[
    'b.yes && b.no',
    'b.yes || b.no',
    '!b.yes',
    '!b.n',
    'b.missing || b.yes',
    'b.missing || b.no',
    'b.yes || b.missing',
  ],
  ...['b.missing && b.no', 'b.missing && b.yes', 'b.no && b.missing', 'b.n && b.no', 'b.n || b.yes', 'b.yes && b.n'],
  ...['b.yes ? true : b.missing', 'b.no ? b.missing : true', 'b.n ? true : false', 'b.missing ? true : true'],
  // Access
  ...['b.missing == 1', 'b.s.x == 1', 'b.n.x == 1', 'b.list.x == 1', 'b["n"] == 5', 'b["missing"] == 5', 'b[1] == 5'],
  ...[
    'b.list[0] == 1',
    'b.list[2] == 3',
    'b.list[3] == 1',
    'b.list[-1] == 3',
    'b.list["0"] == 1',
    'b.map["b"] == "two"',
  ],
  ...['b.map.c.d[1].e == "deep"', 'b.map.c.d[0].e == "deep"', 'b.items[0].tag == "x"', 'b.items[2].tag == "x"'],
  ...['has(b.n)', 'has(b.missing)', 'has(b.map.c)', 'has(b.map.x)', 'has(b.missing.x)', 'has(b.s.x)', 'has(b.list.x)'],
  ...['b.nothing.x == 1', 'has(b.nothing.x)'],
  // Membership
  ...[
    '1 in b.list',
    '4 in b.list',
    '1.0 in b.list',
    '"a" in b.names',
    '"c" in b.names',
    'b.n in [1, 5]',
    'b.n in [1.0, 5.0]',
  ],
  ...[
    '"a" in b.map',
    '"x" in b.map',
    '1 in b.map',
    'b.s in ["open", "shut"]',
    'b.n in ["open"]',
    'null in b.mixed',
    '1 in b.s',
  ],
  ...['"a" in b.s', 'b.n in b.nothing', '[1] in [[1], [2]]', 'b.list in [[1, 2, 3]]'],
  // Macros
  ...['b.list.all(x, x > 0)', 'b.list.all(x, x > 1)', 'b.list.exists(x, x == 3)', 'b.list.exists(x, x == 4)'],
  ...['b.list.exists_one(x, x > 2)', 'b.list.exists_one(x, x > 1)', 'b.list.filter(x, x > 1) == [2, 3]'],
  ...['b.list.map(x, x * 2) == [2, 4, 6]', 'b.list.map(x, x > 1, x * 2) == [4, 6]', 'b.mixed.exists(x, x == "a")'],
  ...[
    'b.mixed.all(x, x > 0)',
    'b.mixed.exists(x, x > 2.0)',
    'b.items.all(i, i.tag != "z")',
    'b.items.exists(i, i.tag == "y")',
  ],
  ...[
    'b.items.exists(i, i.tag == "z")',
    'b.items.exists_one(i, i.tag == "x")',
    'b.items.filter(i, has(i.tag)).size() == 2',
  ],
  ...[
    'b.items.map(i, i.id).exists(n, n == 3)',
    'b.map.exists(k, k == "a")',
    'b.map.all(k, k in ["a", "b", "c", "nothing"])',
  ],
  ...['b.list.all(x, b.list.exists(y, y == x))', 'b.items.all(i, b.list.exists(x, x == i.id))', 'b.n.all(x, true)'],
  ...['[].all(x, true)', '[].exists(x, true)', 'b.list.map(x, b.names.map(y, y)).size() == 3', 'b.list.all(x, x)'],
  ...['b.list.exists(x, x / 0 == 1)', 'b.list.exists(x, x / 0 == 1 || x == 2)', 'b.nothing.exists(x, true)'],
  // Functions
  ...[
    'size(b.list) == 3',
    'size(b.map) == 4',
    'size(b.s) == 4',
    'size(b.emoji) == 3',
    'b.emoji.size() == 3',
    'size(b.n) == 1',
  ],
  ...['b.s.startsWith("op")', 'b.s.startsWith("pe")', 'b.s.endsWith("en")', 'b.s.contains("pe")', 'b.s.contains("")'],
  ...[
    'b.n.startsWith("5")',
    'b.s.contains(5)',
    'b.s.matches("^o.*n$")',
    'b.s.matches("p")',
    'b.s.matches("^p")',
    'b.n.matches("5")',
  ],
  ...[
    'int(b.digits) == 42',
    'int(b.f) == 2',
    'int(b.neg) == -7',
    'int(b.s) == 1',
    'int("1.5") == 1',
    'int(b.list) == 1',
  ],
  ...[
    'int(-2.9) == -2',
    'int("9223372036854775807") > 0',
    'int("9223372036854775808") > 0',
    'int(1e30) > 0',
    'int(b.yes) == 1',
  ],
  ...['double(b.n) == 5.0', 'double("1e3") == 1000.0', 'double(b.digits) > 41.5', 'double(b.list) > 1.0'],
  ...[
    'string(b.n) == "5"',
    'string(b.f) == "2.5"',
    'string(b.yes) == "true"',
    'string(b.nothing) == ""',
    'string(b.list) == ""',
  ],
  ...['bool("true")', 'bool("false")', 'bool("yes")', 'bool(b.yes)', 'bool(b.n)', 'dyn(b.n) == 5', 'dyn(1) == 1.0'],
  ...['type(b.n) == int', 'type(b.f) == double', 'type(b.s) == string', 'type(b.list) == list', 'type(b.map) == map'],
  ...['type(b.nothing) == null_type', 'type(b.yes) == bool', 'type(b.n) == string', 'type(type(1)) == type'],
  // Time
  ...[
    'timestamp(b.at) > timestamp("2026-03-29T01:29:59.999Z")',
    'timestamp(b.at) == timestamp("2026-03-29T03:30:00+02:00")',
  ],
  ...[
    'timestamp(b.at).getHours() == 1',
    'timestamp(b.at).getHours("Europe/Berlin") == 3',
    'timestamp(b.at).getHours("-05:30") == 20',
  ],
  ...['timestamp(b.at).getDayOfWeek() == 0', 'timestamp(b.at).getDayOfYear() == 87', 'timestamp(b.at).getDate() == 29'],
  ...[
    'timestamp(b.at).getDayOfMonth() == 28',
    'timestamp(b.at).getMonth() == 2',
    'timestamp(b.at).getFullYear() == 2026',
  ],
  ...[
    'timestamp(b.at).getMinutes() == 30',
    'timestamp(b.at).getSeconds() == 0',
    'timestamp(b.at).getMilliseconds() == 0',
  ],
  ...['timestamp(b.s) > timestamp(0)', 'timestamp("2026-03-29") > timestamp(0)'],
  ...[
    'timestamp(b.at) + duration("1h30m") == timestamp("2026-03-29T03:00:00Z")',
    'timestamp(b.at) - duration("1.5s") < timestamp(b.at)',
  ],
  ...['timestamp(b.at) - timestamp("2026-03-28T01:30:00Z") == duration("24h")', 'duration("90m") == duration("1h30m")'],
  ...[
    'duration("1h").getMinutes() == 60',
    'duration("1.5s").getMilliseconds() == 500',
    'duration("-90s").getMinutes() == -1',
  ],
  ...[
    'duration("x") == duration("1s")',
    'duration("1") == duration("1s")',
    'duration("0") == duration("0s")',
    'int(timestamp(b.at)) == 1774747800',
  ],
  ...['string(timestamp(b.at)) == b.at', 'string(duration("90s")) == "90s"', 'string(duration("1.5s")) == "1.500s"'],
  ...[
    'timestamp("9999-12-31T23:59:59Z") + duration("1s") > timestamp(0)',
    'timestamp("0000-01-01T00:00:00Z") < timestamp(0)',
  ],
  // Literals
  ...[
    '"\\u00e9" == "é"',
    '"""a"b""" == "a\\"b"',
    "r'\\d' == '\\\\d'",
    '0x10 == 16',
    '1e3 == 1000.0',
    '{"a": 1}.a == 1',
  ],
  ...['{"a": 1}["b"] == 1', '{1: "x"}[1] == "x"', '{"a": 1, "a": 2}.a == 1', '{"constructor": 1}.constructor == 1'],
];

describe('conditions say what another implementation of the language says', () => {
  it.each(EXPRESSIONS)('%s', (text) => {
    expect(ours(text, BODY)).toBe(theirs(text, BODY));
  });

  /** Stricter than the other, so that no text is taken for a number that the upstream reads differently. */
  const DIFFERENCES: [text: string, ours: Outcome, theirs: Outcome, why: string][] = [
    ['int("") == 0', 'error', true, 'no digits are no number'],
    ['int(" 5") == 5', 'error', true, 'spaces are no digits'],
    ['int("0x10") == 16', 'error', true, 'only decimal digits'],
    ['double("") == 0.0', 'error', true, 'no digits are no number'],
    ['double("0x10") == 16.0', 'error', true, 'only decimal digits'],
    ['double(b.s) == 1.0', 'error', false, 'no digits are no number, not NaN'],
    ['double("1e400") > 1.0', 'error', true, 'beyond double is no number, not infinity'],
    ['has(b.map.nothing)', true, false, 'a map has a key whose value is null'],
    ['timestamp("2026-02-30T00:00:00Z") > timestamp(0)', 'error', true, 'February has no 30 days'],
    ['"\uff5e" < "\u{1f600}"', true, false, 'texts are ordered by code points'],
  ];
  it.each(DIFFERENCES)('but %s is %s, not %s: %s', (text, own, other) => {
    expect([ours(text, BODY), theirs(text, BODY)]).toEqual([own, other]);
  });
});

const literal = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map(String),
  fc.constantFrom('0.5', '2.0', '-1.5', '"a"', '"ab"', '""', 'true', 'false', 'null', '[]', '[1, "a"]', '["a", "b"]'),
);
const fact = fc.constantFrom('b.i', 'b.d', 'b.t', 'b.l', 'b.m', 'b.m.k', 'b.l[0]', 'b.x', 'b["t"]', 'b.m.x');

const { expression } = fc.letrec<{ expression: string; operand: string }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 3 },
    fact,
    literal,
    tie('expression').map((inner) => `(${inner})`),
  ),
  expression: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc
      .tuple(tie('operand'), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), tie('operand'))
      .map(([left, operator, right]) => `dyn(${left}) ${operator} dyn(${right})`),
    fc
      .tuple(tie('operand'), fc.constantFrom('+', '-', '*', '/', '%'), tie('operand'))
      .map(([left, operator, right]) => `dyn(${left}) ${operator} dyn(${right}) == dyn(1)`),
    fc
      .tuple(tie('operand'), fc.constantFrom('&&', '||'), tie('operand'))
      .map(([left, operator, right]) => `dyn(${left}) ${operator} dyn(${right})`),
    tie('operand').map((operand) => `!dyn(${operand})`),
    fc.tuple(tie('operand'), tie('operand')).map(([left, right]) => `dyn(${left}) in dyn(${right})`),
    fc
      .tuple(fact, fc.constantFrom('all', 'exists', 'exists_one'), tie('operand'))
      .map(([range, macro, body]) => `${range}.${macro}(v, dyn(v) == dyn(${body}))`),
    fc.tuple(fact, tie('operand')).map(([range, body]) => `size(${range}.map(v, dyn(${body}))) == 2`),
    fc
      .tuple(tie('operand'), tie('operand'), tie('operand'))
      .map(([test, yes, no]) => `dyn(${test}) ? dyn(${yes}) == dyn(1) : dyn(${no}) == dyn(1)`),
    fc.constantFrom('has(b.x)', 'has(b.m.k)', 'has(b.t.k)', 'size(b.l) == 2', 'int(b.t) == 1', 'string(b.i) == "1"'),
  ),
}));

const present = fc.oneof(
  fc.integer({ min: -9, max: 9 }),
  fc.constantFrom(0.5, -1.5, 2.25),
  fc.constantFrom('a', 'ab', '7'),
  fc.boolean(),
);
const scalar = fc.oneof(present, fc.constant(null));
const body = fc.record(
  {
    i: fc.integer({ min: -9, max: 9 }),
    d: fc.constantFrom(0.5, -1.5, 2.25),
    t: fc.constantFrom('a', 'ab', '7'),
    l: fc.array(scalar, { maxLength: 3 }),
    // Without null, of which the two differ in has().
    m: fc.dictionary(fc.constantFrom('k', 'a', 'x'), present),
  },
  { requiredKeys: [] },
);

describe('random conditions', () => {
  it('say what another implementation says', () => {
    fc.assert(
      fc.property(expression, body, (text, value) => {
        expect(ours(text, value)).toBe(theirs(text, value));
      }),
      { numRuns: 3000 },
    );
  });
});
