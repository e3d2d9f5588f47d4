import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { visibleJson, visibleLines, visibleText } from './visible-text.ts';

describe('visibleText', () => {
  test.each([
    ['an escape sequence', '\u001b[2Jgone', '\\u{1b}[2Jgone'],
    ['a C1 control sequence introducer', '\u009b31mred', '\\u{9b}31mred'],
    ['a delete', 'a\u007f', 'a\\u{7f}'],
    ['line breaks and tabs', 'a\r\n\tb', 'a\\r\\n\\tb'],
    ['a right-to-left override', 'evil\u202egnp.exe', 'evil\\u{202e}gnp.exe'],
    ['a bidirectional isolate', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['a zero-width space', 'git\u200bhub', 'git\\u{200b}hub'],
    ['a byte order mark', '\ufeffname', '\\u{feff}name'],
    ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
    ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
    ['a variation selector', 'a\ufe0f', 'a\\u{fe0f}'],
    ['half of a surrogate pair', 'a\ud800', 'a\\u{d800}'],
    ['a private use character', 'a\ue000', 'a\\u{e000}'],
  ])('writes out %s', (_name, text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  test.each(['plain', 'naïve café', '日本語', 'a b\u00a0c', '🚪', '~!"\\'])('leaves %s as it is', (text) => {
    expect(visibleText(text)).toBe(text);
  });

  test('never lets a character through that moves a cursor or hides', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visibleText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

test('visibleLines keeps the line breaks, and nothing else', () => {
  expect(visibleLines('a\u001b\nb\r')).toBe('a\\u{1b}\nb\\r');
});

describe('visibleJson', () => {
  test('escapes within the strings, so that the value stays the same', () => {
    expect(visibleJson({ name: 'a\u202eb\u009b' })).toBe('{\n  "name": "a\\u202eb\\u009b"\n}');
  });

  test('means the same value whatever the strings hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = visibleJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      }),
    );
  });
});
