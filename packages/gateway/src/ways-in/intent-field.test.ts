import { Rejection } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { readIntent } from './intent-field.ts';

/** As node:http gives a field: one character a byte. */
const onWire = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

describe('the stated intent', () => {
  test.each<[string, string[], string | undefined]>([
    ['is found in any letters', ['Host', 'a', 'POSTERN-intent', 'to read'], 'to read'],
    ['is UTF-8', ['Postern-Intent', onWire('Grüße 😀')], 'Grüße 😀'],
    ['is the first of several', ['postern-intent', 'one', 'postern-intent', 'two'], 'one'],
    ['is absent without a field', ['x-postern-intent', 'one', 'postern-intents', 'two'], undefined],
    ['may be empty', ['postern-intent', ''], ''],
    ['keeps no byte that is no UTF-8', ['postern-intent', 'a\xffb'], 'a\ufffdb'],
  ])('%s', (_what, rawHeaders, expected) => {
    expect(readIntent(rawHeaders)).toBe(expected);
  });

  test('has at most 500 characters, whatever their bytes', () => {
    expect(readIntent(['postern-intent', onWire('ü'.repeat(500))])?.length).toBe(500);
    expect(() => readIntent(['postern-intent', 'x'.repeat(501)])).toThrow(Rejection);
  });
});
