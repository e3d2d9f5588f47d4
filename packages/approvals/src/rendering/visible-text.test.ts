import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { visibleAscii, visibleLines, visibleText } from './visible-text.ts';

describe('visibleText', () => {
  test.each([
    ['an escape sequence', '\u001b[2Jgone', '\\u{1b}[2Jgone'],
    ['line breaks and tabs', 'a\r\n\tb', 'a\\u{d}\\u{a}\\u{9}b'],
    ['a C1 control', '\u009b31m', '\\u{9b}31m'],
    ['a left-to-right embedding', '\u202ax', '\\u{202a}x'],
    ['a right-to-left override', 'evil\u202egnp.exe', 'evil\\u{202e}gnp.exe'],
    ['bidirectional isolates', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['a right-to-left mark', 'a\u200f', 'a\\u{200f}'],
    ['an Arabic letter mark', 'a\u061c', 'a\\u{61c}'],
    ['a zero-width space', 'git\u200bhub', 'git\\u{200b}hub'],
    ['a zero-width joiner', 'a\u200db', 'a\\u{200d}b'],
    ['a byte order mark', '\ufeffname', '\\u{feff}name'],
    ['a soft hyphen', 'pass\u00adword', 'pass\\u{ad}word'],
    ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
    ['tag characters', 'a\u{e0041}\u{e007f}', 'a\\u{e0041}\\u{e007f}'],
    ['a variation selector', 'a\ufe0f', 'a\\u{fe0f}'],
    ['a Hangul filler', 'a\u3164b', 'a\\u{3164}b'],
    ['half of a surrogate pair', 'a\ud800', 'a\\u{d800}'],
    ['a private use character', 'a\ue000', 'a\\u{e000}'],
    ['a character that is not assigned', 'a\u0378', 'a\\u{378}'],
    ['spaces that are not the space', 'a\u00a0\u2003\u3000b', 'a\\u{a0}\\u{2003}\\u{3000}b'],
    ['a Braille pattern without dots', 'a\u2800b', 'a\\u{2800}b'],
    ['a stroke through a letter', 'n\u0336o', 'n\\u{336}o'],
    ['a mark without a letter', '"\u0301x', '"\\u{301}x'],
    ['a pile of marks', 'a\u0300\u0301\u0302\u0303\u0304', 'a\u0300\u0301\u0302\\u{303}\\u{304}'],
    ['a Cyrillic letter among Latin ones', 'p\u0430ypal', 'p\\u{430}ypal'],
    [
      'a Cyrillic letter in each of two words, and none between them',
      'p\u0430y мир g\u043e',
      'p\\u{430}y мир g\\u{43e}',
    ],
    ['a Cyrillic label of an address', 'admin@\u0440\u0430\u0443.com', 'admin@\\u{440}\\u{430}\\u{443}.com'],
    ['a Greek letter among Latin ones', 'g\u03bfogle', 'g\\u{3bf}ogle'],
    ['mathematical letters', '\u{1d429}ay', '\\u{1d429}ay'],
    ['full-width letters', '\uff41', '\\u{ff41}'],
    ['a slash that is none', 'a.test\u2215b', 'a.test\\u{2215}b'],
    ['a hyphen that is another', 'git\u2011hub', 'git\\u{2011}hub'],
    ['text that only reads as an escape', '\\u{202e}', '\\u{5c}u{202e}'],
  ])('writes out %s', (_name, text, shown) => {
    expect(visibleText(text)).toBe(shown);
  });

  test.each([
    'plain',
    '{"a": "\\u202e\\n", "b": [1.5, -2]}',
    'naïve café',
    'cafe\u0301',
    '日本語、時間：10時',
    'Привет, мир',
    'Ελλάδα',
    'עברית',
    'हिन्दी',
    'ภาษาไทย',
    '🚪 done',
    '~!"\'',
    'C:\\users',
  ])('leaves %s as it is', (text) => {
    expect(visibleText(text)).toBe(text);
  });

  test('lets nothing through that moves, hides or turns other text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visibleText(text)).not.toMatch(
          /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u,
        );
      }),
    );
  });

  test('gives no two texts one form', () => {
    const unit = fc.constantFrom('\\', 'u', '{', '}', '2', '0', '5', 'c', 'e', '\u202e', 'a', '\u0430', '.', '\u0301');
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit }), fc.string({ unit: 'binary' })), (text) => {
        expect(readBack(visibleText(text))).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  test('takes no longer for a text made to take long', () => {
    for (const unit of ['a.', '\u0301', '\\u{', 'a\u0430', '\u2011', 'x\u0300']) {
      const begin = performance.now();
      visibleText(unit.repeat(65_536));
      expect(performance.now() - begin).toBeLessThan(2_000);
    }
  });
});

test('visibleLines keeps the line feeds, and nothing else', () => {
  expect(visibleLines('a\u001b\nb\r\n')).toBe('a\\u{1b}\nb\\u{d}\n');
});

test('visibleAscii writes out all but printable ASCII', () => {
  expect(visibleAscii('a é\u202e\n\\u{e9}')).toBe('a \\u{e9}\\u{202e}\\u{a}\\u{5c}u{e9}');
});

function readBack(shown: string): string {
  return shown.replace(/\\u\{([0-9a-f]+)\}/g, (_escape, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
}
