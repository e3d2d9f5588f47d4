import { expect, test } from 'vitest';
import { isStorable, longList, textList } from './list-literals.ts';

test('numbers are listed as they are, and what is absent as NULL', () => {
  expect(longList([])).toBe('{}');
  expect(longList([0, -1, null, 9_007_199_254_740_991])).toBe('{0,-1,NULL,9007199254740991}');
});

test('texts are listed in quotes, so that none is taken for a part of the list', () => {
  expect(textList([])).toBe('{}');
  expect(textList(['a', '', null, 'NULL', 'a,b', '{}'])).toBe('{"a","",NULL,"NULL","a,b","{}"}');
});

test('quotes and backslashes within a text are escaped', () => {
  expect(textList(['"', '\\', 'a"b\\c"'])).toBe(String.raw`{"\"","\\","a\"b\\c\""}`);
});

test('a text with a NUL is none that PostgreSQL holds', () => {
  expect(['', '0', '\\0', '\0', 'a\0b'].map(isStorable)).toEqual([true, true, true, false, false]);
});
