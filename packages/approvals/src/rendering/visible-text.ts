import { UNSEEN_CHARACTERS } from '@postern/schemas';

/**
 * `text` on one line as people are to see it before they decide: every character that does not show, changes how its neighbours show, or
 * passes for another one is written out as `\u{202e}`. No two texts have one form: a backslash that only looks like the begin of such an
 * escape is written out itself (`\u{5c}u{…`).
 *
 * Look-alikes are told by their neighbours: Cyrillic, Greek and the like stay as they are in words of their own script and are written
 * out in words that have Latin letters too (`p\u{430}ypal.com`). A word made of look-alikes alone cannot be told from a word of that
 * language; no rendering replaces the digest that an approval is bound to.
 */
export function visibleText(text: string): string {
  const mixed = mixedWords(text);
  let word = 0;
  return text.replace(HIDDEN_OR_ALIKE, (character: string, lookAlike: string | undefined, at: number) => {
    if (lookAlike === undefined) return escapeOf(character);
    while ((mixed[word]?.end ?? text.length) <= at) word += 1;
    return at >= (mixed[word]?.start ?? text.length) ? escapeOf(character) : character;
  });
}

/** As `visibleText`, but line feeds stay. For text that whoever shows it sets apart line by line. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visibleText).join('\n');
}

/** As `visibleText`, and everything but printable ASCII is written out: for what may hold nothing else, as header fields and URLs. */
export function visibleAscii(text: string): string {
  return text.replace(NOT_ASCII, escapeOf);
}

/** Punctuation that passes for the one that parts an address: `.`, `/`, `:`, `@`, `-`, `_`. */
const FALSE_PUNCTUATION =
  '\\u2010\\u2011\\u2012\\u2024\\u2044\\u2215\\u2236\\u29f8\\ua789\\ufe52\\ufe55\\ufe58\\ufe63\\ufe6b\\uff0d\\uff0e\\uff0f\\uff1a\\uff20\\uff3f';

/** What an address, a name or a word is made of: a label of another script is judged together with the rest of its address. */
const WORD = new RegExp(`[\\p{L}\\p{M}\\p{N}._@:/${FALSE_PUNCTUATION}-]+`, 'gu');
const LATIN = /\p{Script=Latin}/u;

/** Scripts with many letters that look like Latin ones (Unicode Technical Standard 39, confusables). */
const LOOK_ALIKE = ['Cyrillic', 'Greek', 'Coptic', 'Armenian', 'Cherokee', 'Lisu']
  .map((script) => `\\p{Script=${script}}`)
  .join('');

const HIDDEN_PARTS = [
  /** The begin of what would read as one of our escapes. */
  '\\\\(?=u\\{)',
  UNSEEN_CHARACTERS.source,
  /** Not assigned yet, so nobody knows how it shows; spaces that are not the space; a Braille pattern without dots. */
  '[\\p{Cn}\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000\\u2800]',
  /** Marks that cross out or enclose, that have no letter to stand on, or that are piled up. */
  '[\\p{Me}\\u0334-\\u0338\\u20d0-\\u20f0]',
  '(?<![\\p{L}\\p{M}\\p{N}])\\p{M}',
  '(?<=\\p{M}{3})\\p{M}',
  /** Latin letters and digits in disguise: mathematical, full-width, circled, small capitals of the letter-like symbols. */
  '[\\u{1d400}-\\u{1d7ff}\\uff10-\\uff19\\uff21-\\uff3a\\uff41-\\uff5a\\u2100-\\u214f\\u2160-\\u217f\\u249c-\\u24e9\\u{1f130}-\\u{1f189}]',
];
/** The second kind is captured: those are written out in mixed words only. */
const HIDDEN_OR_ALIKE = new RegExp([...HIDDEN_PARTS, `([${LOOK_ALIKE}${FALSE_PUNCTUATION}])`].join('|'), 'gu');
const NOT_ASCII = /\\(?=u\{)|[^\x20-\x7e]/gu;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Words with Latin letters; look-alikes of other scripts have no business there. In order. */
function mixedWords(text: string): readonly Span[] {
  const words: Span[] = [];
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (LATIN.test(word)) words.push({ start: index, end: index + word.length });
  }
  return words;
}

function escapeOf(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
