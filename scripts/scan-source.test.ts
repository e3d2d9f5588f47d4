// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the strings are source text with templates in it
import { expect, test } from 'vitest';
import { findImports, lineOf, scanSource } from './scan-source.ts';

const specifiers = (source: string) => findImports(source).map(({ specifier, kind }) => [kind, specifier]);

test('every form of import is found with its line', () => {
  const source = [
    "import a from 'one';",
    "import { b,\n  type C } from 'two';",
    "import type { D } from 'three';",
    "import * as e from 'four';",
    "import f, { g } from 'five';",
    "import 'six';",
    "export { h } from 'seven';",
    "export type { I } from 'eight';",
    "export * from 'nine';",
    "export * as j from 'ten';",
    "const k = await import('eleven');",
    "type L = import('twelve').L;",
    "const m = require('thirteen');",
    'import n from "fourteen";',
  ].join('\n');
  expect(findImports(source).map(({ specifier }) => specifier)).toEqual([
    ...['one', 'two', 'three', 'four', 'five', 'six', 'seven'],
    ...['eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen', 'fourteen'],
  ]);
  expect(findImports(source).at(2)?.line).toBe(4);
  expect(specifiers(source).filter(([kind]) => kind === 'export-all')).toEqual([
    ['export-all', 'nine'],
    ['export-all', 'ten'],
  ]);
});

test.each([
  ['a line comment', "// import a from 'x';"],
  ['a block comment', "/* import a from 'x';\n import 'y'; */"],
  ['a string', 'const text = "import a from \'x\'";'],
  ['a template', "const text = `import a from 'x'`;"],
  ['a template inside a template', "const text = `${`import a from 'x'`} import 'y'`;"],
  ['a regular expression', "const pattern = /import 'x'/;"],
  ['a method of that name', "loader.import('x');"],
])('an import inside %s is none', (_where, source) => {
  expect(findImports(source)).toEqual([]);
});

test.each([
  ['a string with an escaped quote', "const a = 'it\\'s'; import 'x';"],
  ['a regular expression with a quote', "const a = /['\"`]/; import 'x';"],
  ['a regular expression with a slash in a class', "const a = /[/'\"]/; import 'x';"],
  ['a division', "const a = b / c; import 'x'; const d = e / f;"],
  ['a template with braces', "const a = `${{ b: '}' }.b}`; import 'x';"],
  ['a template with an escaped dollar', "const a = `\\${`; import 'x';"],
  ['a template with an escaped backslash', "const a = `\\\\${b}`; import 'x';"],
  ['an apostrophe in JSX text', "const a = <p>don't</p>;\nimport 'x';"],
])('an import after %s is found', (_what, source) => {
  expect(specifiers(source)).toEqual([['import', 'x']]);
});

test('code inside a template is code', () => {
  expect(specifiers("const a = `text ${await import('x')} text`;")).toEqual([['dynamic', 'x']]);
});

test('comments and code keep their places and lines', () => {
  const source = "const a = 'b'; // said\n/* twice\n */ c();";
  const { code, comments } = scanSource(source);
  expect(code).toHaveLength(source.length);
  expect(comments).toHaveLength(source.length);
  expect(code.split('\n').map((line) => line.trim())).toEqual(["const a = ' ';", '', 'c();']);
  expect(comments.split('\n').map((line) => line.trim())).toEqual(['// said', '/* twice', '*/']);
  expect(lineOf(source, source.indexOf('c();'))).toBe(3);
});
