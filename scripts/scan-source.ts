/**
 * What a TypeScript source says, without a compiler: TypeScript 7 has no JavaScript API, and the checks need only to tell code,
 * comments and strings apart and to find import statements.
 *
 * State: either in code, or in one comment, string, template or regular expression. Templates nest: `${` puts the reader back
 * into code until the matching `}`, hence the stack of brace depths.
 */
export interface ScannedSource {
  /** The source with comments and the contents of strings, templates and regular expressions blanked; same length, same lines. */
  readonly code: string;
  /** The comments alone, all else blanked; same length, same lines. */
  readonly comments: string;
}

export interface ImportStatement {
  readonly specifier: string;
  /** Counted from 1. */
  readonly line: number;
  readonly kind: 'import' | 'export' | 'export-all' | 'dynamic' | 'require';
}

type Channel = 'code' | 'comment' | 'literal';

const REGEX_MAY_FOLLOW =
  /(?:^|[(,=:[!&|?{;+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield))$/;

export function scanSource(source: string): ScannedSource {
  const code: string[] = [];
  const comments: string[] = [];
  const templateDepths: number[] = [];
  let depth = 0;
  let position = 0;

  function take(end: number, channel: Channel): void {
    for (; position < end; position += 1) {
      const character = source[position] ?? '';
      const blank = character === '\n' ? '\n' : ' ';
      code.push(channel === 'code' ? character : blank);
      comments.push(channel === 'comment' ? character : blank);
    }
  }

  /** Takes a literal whose first and last characters are delimiters that stay visible in the code. */
  function takeLiteral(end: number): void {
    take(position + 1, 'code');
    take(Math.max(position, end - 1), 'literal');
    take(end, 'code');
  }

  function takeTemplatePart(): void {
    const end = endOfTemplatePart(source, position);
    if (source[end - 1] === '{') {
      templateDepths.push(depth);
      depth += 1;
    }
    take(end - 1, 'literal');
    take(end, 'code');
  }

  while (position < source.length) {
    const character = source[position];
    const pair = source.slice(position, position + 2);
    if (pair === '//') take(endOfLine(source, position), 'comment');
    else if (pair === '/*') take(endAfter(source, '*/', position + 2), 'comment');
    else if (character === "'" || character === '"') takeLiteral(endOfString(source, position));
    else if (character === '`') {
      take(position + 1, 'code');
      takeTemplatePart();
    } else if (character === '/' && REGEX_MAY_FOLLOW.test(lastWords(code))) takeLiteral(endOfRegex(source, position));
    else if (character === '}' && templateDepths.at(-1) === depth - 1) {
      depth = templateDepths.pop() ?? 0;
      take(position + 1, 'code');
      takeTemplatePart();
    } else {
      if (character === '{') depth += 1;
      if (character === '}') depth -= 1;
      take(position + 1, 'code');
    }
  }
  return { code: code.join(''), comments: comments.join('') };
}

function lastWords(code: readonly string[]): string {
  return code.slice(-200).join('').trimEnd();
}

function endOfLine(source: string, from: number): number {
  const end = source.indexOf('\n', from);
  return end < 0 ? source.length : end;
}

function endAfter(source: string, text: string, from: number): number {
  const end = source.indexOf(text, from);
  return end < 0 ? source.length : end + text.length;
}

/** After the closing quote; only the quote itself when the line ends before one: then it is an apostrophe in JSX text. */
function endOfString(source: string, from: number): number {
  const quote = source[from];
  for (let index = from + 1; index < source.length; index += 1) {
    if (source[index] === '\\') index += 1;
    else if (source[index] === quote) return index + 1;
    else if (source[index] === '\n') break;
  }
  return from + 1;
}

/** After the closing backtick or after the next `${`. */
function endOfTemplatePart(source: string, from: number): number {
  for (let index = from; index < source.length; index += 1) {
    if (source[index] === '\\') index += 1;
    else if (source[index] === '`') return index + 1;
    else if (source[index] === '$' && source[index + 1] === '{') return index + 2;
  }
  return source.length;
}

/** After the closing slash; only the slash itself when the line ends before one: then it was a division. */
function endOfRegex(source: string, from: number): number {
  let inClass = false;
  for (let index = from + 1; index < source.length; index += 1) {
    const character = source[index];
    if (character === '\\') index += 1;
    else if (character === '\n') break;
    else if (character === '[') inClass = true;
    else if (character === ']') inClass = false;
    else if (character === '/' && !inClass) return index + 1;
  }
  return from + 1;
}

const BINDINGS = String.raw`(?:type\s+)?(?:[\w$]+\s*,?\s*)?(?:\*\s*as\s+[\w$]+|\{[^{}]*\})?`;
const STATEMENTS: readonly (readonly [ImportStatement['kind'], RegExp])[] = [
  ['import', new RegExp(String.raw`(?<![\w$.])import\s*${BINDINGS}\s*from\s*(?=['"])`, 'g')],
  ['import', /(?<![\w$.])import\s*(?=['"])/g],
  ['export', /(?<![\w$.])export\s+(?:type\s+)?\{[^{}]*\}\s*from\s*(?=['"])/g],
  ['export-all', /(?<![\w$.])export\s*(?:type\s*)?\*\s*(?:as\s+[\w$]+\s+)?from\s*(?=['"])/g],
  ['dynamic', /(?<![\w$.])import\s*\(\s*(?=['"`])/g],
  ['require', /(?<![\w$])(?:require|import\.meta\.resolve)\s*\(\s*(?=['"`])/g],
];

/** Every import whose specifier is written out, in order of their lines. A specifier put together at run time is not seen. */
export function findImports(source: string, scanned = scanSource(source)): ImportStatement[] {
  const found = STATEMENTS.flatMap(([kind, pattern]) =>
    [...scanned.code.matchAll(pattern)].map((match): ImportStatement => {
      const open = match.index + match[0].length;
      const close = scanned.code.indexOf(source[open] ?? '', open + 1);
      return { specifier: source.slice(open + 1, close), line: lineOf(source, match.index), kind };
    }),
  );
  return found.sort((left, right) => left.line - right.line);
}

/** The line of `index`, counted from 1. */
export function lineOf(source: string, index: number): number {
  let line = 1;
  for (let at = source.indexOf('\n'); at >= 0 && at < index; at = source.indexOf('\n', at + 1)) line += 1;
  return line;
}
