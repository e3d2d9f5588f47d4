import { expect, test } from 'vitest';
import { DOCUMENT_CHARACTERS_MAX, readYaml } from './read-yaml.ts';

test.each<[string, string, number, string]>([
  ['a key that is there twice', 'a: 1\nb: 2\na: 3\n', 3, 'the key is there twice'],
  ['a doubled key in JSON', '{"a": 1,\n"a": 2}', 2, 'the key is there twice'],
  ['a tab as indentation', 'a:\n\tb: 1\n', 2, 'tabs must not be used for indentation; use spaces'],
  ['a standard tag', 'a: 1\nb: !!str 2\n', 2, 'tags are not supported'],
  ['a tag of its own', 'a: !env X\n', 1, 'tags are not supported'],
  ['a binary tag', 'a: !!binary aGVsbG8=\n', 1, 'tags are not supported'],
  ['a second document', 'a: 1\n---\nb: 2\n', 2, 'the file must hold one document; another begins here'],
  ['an alias of nothing', 'a: 1\nb: *x\n', 2, 'the alias names no anchor before it'],
  ['an alias within its own anchor', 'a: &x [1, *x]\n', 1, 'an anchor must not be used within itself'],
  ['a key that is a list', '? [a, b]\n: 1\n', 1, 'a key must be text; write it in quotes'],
  ['an open quote', 'a: 1\nb: "x', 2, 'a quote, bracket, comma or colon is missing'],
  ['a value that must be quoted', 'a: @x\n', 1, 'the value begins with a character that must be quoted'],
])('%s is refused with its line', (_title, text, line, message) => {
  const { value, issues } = readYaml(text);
  expect(value).toBeUndefined();
  expect(issues).toContainEqual({ line, message });
});

test('anchors that multiply are refused before they cost memory', () => {
  const levels = ['a: &a [x, x, x, x, x, x, x, x, x]'];
  for (const [index, name] of [...'bcdefgh'].entries()) {
    const before = 'abcdefg'[index];
    levels.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`);
  }
  expect(readYaml(levels.join('\n')).issues).toEqual([
    { line: 1, message: 'anchors must not be used more than 100 times' },
  ]);
});

test('more than a hundred uses of an anchor are refused, a hundred are not', () => {
  const uses = (count: number) => `a: &a 1\nb: [${Array(count).fill('*a').join(', ')}]\n`;
  expect(readYaml(uses(100)).issues).toEqual([]);
  expect(readYaml(uses(101)).issues).toEqual([{ line: 2, message: 'anchors must not be used more than 100 times' }]);
});

test.each([200, 5_000])('a nesting of %i levels is refused', (depth) => {
  const { issues } = readYaml(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  expect(issues).toEqual([{ line: 1, message: 'the document must be nested at most 64 deep' }]);
});

test('a text at the limit of size is read, one over it is refused', () => {
  const filled = (characters: number) => `a: ${'x'.repeat(characters - 3)}`;
  expect(readYaml(filled(DOCUMENT_CHARACTERS_MAX)).issues).toEqual([]);
  expect(readYaml(filled(DOCUMENT_CHARACTERS_MAX + 1)).issues).toHaveLength(1);
});

test('no message repeats the text', () => {
  for (const text of ['a: "hunter22', 'hunter22: 1\nhunter22: 2', 'a: *hunter22', 'a: !hunter22 x', 'a: hunter22: b']) {
    const { issues } = readYaml(text);
    expect(issues.length).toBeGreaterThan(0);
    expect(JSON.stringify(issues)).not.toContain('hunter22');
  }
});

test('what YAML 1.1 took for truth values and times stays text', () => {
  expect(readYaml('a: no\nb: on\nc: 12:30:45\nd: 2026-01-01\ne: 0777\n').value).toEqual({
    a: 'no',
    b: 'on',
    c: '12:30:45',
    d: '2026-01-01',
    e: 777,
  });
});

test('JSON indented with tabs is read', () => {
  expect(readYaml('{\n\t"a": [\n\t\t1\n\t]\n}').value).toEqual({ a: [1] });
});

test('lines are found for members, items and what anchors stand for', () => {
  const { lineOf } = readYaml('a: &x\n  b:\n    - 1\n    - c: 2\nd: *x\n');
  expect(lineOf(['a', 'b', 1, 'c'])).toBe(4);
  expect(lineOf(['d', 'b', 0])).toBe(3);
  expect(lineOf(['a', 'missing', 'deeper'])).toBe(1);
  expect(lineOf(['a', 'b', 9])).toBe(2);
});
