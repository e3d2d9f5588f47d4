import { format, inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { formsOf } from './echo-forms.ts';
import { EchoMatcher } from './echo-matcher.ts';
import { EchoReader } from './echo-reader.ts';
import { scrubHeaders } from './scrub-headers.ts';
import { StreamScrubber } from './stream-scrubber.ts';

const SECRET = 'Tok-3A7c5e9fü';
const matcher = EchoMatcher.compile([`Bearer ${SECRET}`, SECRET]) as EchoMatcher;

describe('header fields', () => {
  test.each([
    ['x', SECRET, '*'.repeat(13)],
    ['x', `Bearer ${SECRET}`, '*'.repeat(20)],
    ['x', `a ${SECRET} b`, `a ${'*'.repeat(13)} b`],
    ['x', Buffer.from(SECRET).toString('latin1'), '*'.repeat(14)],
    ['x', `<${encodeURIComponent(SECRET)}>; rel="next"`, `<${'*'.repeat(18)}>; rel="next"`],
    ['x', SECRET.slice(1), SECRET.slice(1)],
    ['x', SECRET.toLowerCase(), SECRET.toLowerCase()],
    ['content-type', 'application/json; charset=utf-8', 'application/json; charset=utf-8'],
    ['x', '', ''],
  ])('%s: %s becomes %s', (name, value, expected) => {
    const headers = ['a', '1', name, value, 'b', '2'];
    scrubHeaders(headers, matcher);
    expect(headers).toEqual(['a', '1', name, expected, 'b', '2']);
  });

  test('one whose name holds an echo is dropped, also in lower case', () => {
    const ascii = EchoMatcher.compile(['Tok-3A7c5e9f']) as EchoMatcher;
    const headers = [
      'x-Tok-3A7c5e9f',
      '1',
      'x-tok-3a7c5e9f',
      '2',
      `x-${Buffer.from('Tok-3A7c5e9f').toString('hex')}`,
      '3',
    ];
    scrubHeaders(headers, ascii);
    expect(headers).toEqual([]);
    const others = ['x-tok-3a7c5e9', '1', 'x-tok', '2'];
    scrubHeaders(others, ascii);
    expect(others).toEqual(['x-tok-3a7c5e9', '1', 'x-tok', '2']);
  });
});

test('nothing that holds the secret prints it', () => {
  const scrubber = new StreamScrubber(matcher);
  scrubber.push(Buffer.from(SECRET.slice(0, 10)));
  const reader = new EchoReader(matcher);
  reader.read(Buffer.from(SECRET, 'latin1'), 0, { isLast: false });
  for (const holder of [matcher, scrubber, reader, ...formsOf(SECRET)]) {
    const printed = [
      JSON.stringify({ holder }),
      inspect({ holder }, { depth: null, showHidden: true }),
      format('%s %o %j', holder, holder, holder),
    ];
    expect(printed.join()).not.toMatch(/Tok|3A7c|84, 111|54, 6f|516f/);
  }
});
