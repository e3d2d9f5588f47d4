import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateAdminToken } from './admin-token.ts';
import { generateAgentKey } from './agent-key.ts';
import { findAgentKeyInHeaders, findAgentKeyText } from './find-agent-key.ts';

const { key } = generateAgentKey();
const broken = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
const encodeAll = (text: string) => [...text].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('');
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

describe('findAgentKeyText', () => {
  test.each<[string, string]>([
    ['the key alone', key],
    ['a path segment', `/to/demo/${key}/x`],
    ['a query value', `/to/demo/x?a=1&key=${key}&b=2`],
    ['a key with letters before and after it', `abc${key}xyz`],
    ['a JSON body', JSON.stringify({ a: [{ key }] })],
    ['after a wrong one', `${broken} ${key}`],
    ['after a beginning of one', `pst_pst_${key}`],
    ['after half of one', key.slice(0, 20) + key],
    ['its underscores percent-encoded', `/x?k=${key.replaceAll('_', '%5F')}`],
    ['the same in lower case', `/x?k=${key.replaceAll('_', '%5f')}`],
    ['every character percent-encoded', `/x?k=${encodeAll(key)}&y`],
    ['one character of its secret percent-encoded', key.slice(0, 30) + encodeAll(key.slice(30, 31)) + key.slice(31)],
    ['plain, with a percent sign elsewhere', `/100%/${key}%`],
    ['encoded, after a beginning of one', `%70st%5Fpst_${encodeAll(key)}`],
    ['among bytes that are no text', `\u00ff\u0000${key}\u00fe`],
  ])('finds %s', (_title, text) => {
    expect(findAgentKeyText(text)).toBe(true);
    expect(findAgentKeyText(bytesOf(text))).toBe(true);
  });

  test.each<[string, string]>([
    ['nothing', ''],
    ['a wrong checksum', `/to/demo/${broken}/x`],
    ['a wrong checksum, percent-encoded', encodeAll(broken)],
    ['a key cut by one character', key.slice(0, -1)],
    ['a key without its first character', key.slice(1)],
    ['a key with a character inside', `${key.slice(0, 30)}-${key.slice(30)}`],
    ['a key with a broken escape inside', `${key.slice(0, 30)}%4${key.slice(30)}`],
    ["an administrator's token", generateAdminToken()],
    ['long text without any', 'pst '.repeat(1000)],
    ['many beginnings', `${'pst_'.repeat(1000)}%`],
    ['the key in upper case', key.toUpperCase()],
  ])('does not find %s', (_title, text) => {
    expect(findAgentKeyText(text)).toBe(false);
    expect(findAgentKeyText(bytesOf(text))).toBe(false);
  });

  test('a key is found wherever it stands and whichever of its characters are percent-encoded', () => {
    const around = fc.string({
      unit: fc.constantFrom('p', 's', 't', '_', '%', '5', 'f', 'a', '/', '&'),
      maxLength: 100,
    });
    const mask = fc.array(fc.boolean(), { minLength: key.length, maxLength: key.length });
    fc.assert(
      fc.property(around, around, mask, (before, after, encoded) => {
        const spelled = [...key]
          .map((character, index) => (encoded[index] ? encodeAll(character) : character))
          .join('');
        const text = before + spelled + after;
        expect(findAgentKeyText(text)).toBe(true);
        expect(findAgentKeyText(bytesOf(text))).toBe(true);
      }),
    );
  });

  test('a view into a larger buffer is read within its borders only', () => {
    const whole = bytesOf(`${' '.repeat(64)}${key}${' '.repeat(64)}`);
    expect(findAgentKeyText(whole.subarray(0, 64 + key.length - 1))).toBe(false);
    expect(findAgentKeyText(whole.subarray(1, 64 + key.length))).toBe(true);
  });
});

describe('findAgentKeyInHeaders', () => {
  test.each<[string, string[], boolean]>([
    ['no headers', [], false],
    ['the key in its place', ['Host', 'a', 'Authorization', `Bearer ${key}`, 'X-API-KEY', key], false],
    ['the key in another header', ['Authorization', `Bearer ${key}`, 'X-Note', `see ${key}`], true],
    ['the key in a cookie', ['Cookie', `a=b; k=${key}`], true],
    ['the key percent-encoded in a referrer', ['Referer', `http://x/?k=${key.replaceAll('_', '%5F')}`], true],
    ['the key as the name of a header', [key, '1'], true],
    ['a wrong key in another header', ['X-Note', broken], false],
    ['a header of almost the right length', ['X-Note', key.slice(0, -1)], false],
  ])('%s: %j', (_title, rawHeaders, expected) => {
    expect(findAgentKeyInHeaders(rawHeaders)).toBe(expected);
  });
});
