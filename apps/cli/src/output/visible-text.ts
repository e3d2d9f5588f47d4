import { UNSEEN_CHARACTERS } from '@postern/schemas';

const SHORT_FORMS: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** `text` on one line, with every character of that kind written out as `\u{202e}`. What agents write can move no cursor. */
export function visibleText(text: string): string {
  return text.replace(UNSEEN_CHARACTERS, (character) => SHORT_FORMS[character] ?? `\\u{${codeOf(character)}}`);
}

/** As `visibleText`, but line breaks stay. For text that we laid out in lines ourselves. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visibleText).join('\n');
}

/** Indented JSON that means the same value and has none of these characters in it, whatever the strings hold. */
export function visibleJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2) ?? 'null';
  // Inside strings line breaks are escaped already; those that are left are the indentation's.
  return text.replace(UNSEEN_CHARACTERS, (character) => (character === '\n' ? character : jsonEscape(character)));
}

/** As `visibleJson`, on one line: for programs that read results as they come. */
export function visibleJsonLine(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replace(UNSEEN_CHARACTERS, jsonEscape);
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}

function jsonEscape(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
