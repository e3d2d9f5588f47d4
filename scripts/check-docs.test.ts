import { readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { checkDocs, type DocumentedCode, writeDocs } from './check-docs.ts';
import { type FixtureTree, writeTree } from './fixture-tree.test-support.ts';

const CODE: DocumentedCode = {
  errorKinds: {
    denied: { status: 403, retryable: false, title: 'Policy refuses this call' },
    overloaded: { status: 503, retryable: true, title: 'Too much at once' },
  },
  environmentVariables: [
    { name: 'POSTERN_LISTEN', default: '127.0.0.1:8080', description: 'The data plane.' },
    { name: 'POSTERN_REDIS_URL', default: undefined, description: 'Needed for more\nthan one node.' },
  ],
  configSchema: { type: 'object', properties: { version: { const: 1 } } },
  fieldMeanings: { version: 'The version of the format' },
  unsupportedFields: ['risk'],
};

const TREE: FixtureTree = {
  'package.json': {
    name: 'root',
    scripts: { start: 'postern start --demo', test: 'node scripts/test-all.ts', bench: 'node bench/main.ts' },
  },
  'apps/cli/package.json': { name: '@postern/cli', bin: { postern: 'bin/postern.js' } },
  'apps/cli/bin/postern.js': '',
  'README.md':
    '# Postern\n\n```sh\nnpm install && npm start\nnpm install && npm test\n```\n\nSee [errors](docs/errors.md#all-codes).\n',
  'docs/errors.md': '# Errors\n\n## All codes\n',
};

interface Trial {
  /** Changes to the tree after its generated parts were written. */
  readonly changes?: FixtureTree;
  readonly edit?: (read: (file: string) => string) => FixtureTree;
  readonly code?: Partial<DocumentedCode>;
}

async function check({ changes = {}, edit, code = {} }: Trial): Promise<ReturnType<typeof checkDocs>> {
  await using folder = await temporaryFolder();
  writeTree(folder.path, TREE);
  writeDocs(folder.path, CODE);
  writeTree(folder.path, changes);
  if (edit)
    writeTree(
      folder.path,
      edit((file) => readFileSync(path.join(folder.path, file), 'utf8')),
    );
  return checkDocs(folder.path, { ...CODE, ...code });
}

async function messagesOf(trial: Trial): Promise<string[]> {
  return (await check(trial)).findings.map(({ file, line, message }) => `${file}:${line ?? 0} ${message}`);
}

test('what was written from the code agrees with it, and writing it again changes nothing', async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, TREE);
  expect(writeDocs(folder.path, CODE)).toEqual([
    'docs/errors.md',
    '.env.example',
    'docs/config.schema.json',
    'docs/config.md',
  ]);
  expect(checkDocs(folder.path, CODE)).toEqual({ findings: [], notes: [] });
  expect(writeDocs(folder.path, CODE)).toEqual([]);
  const errors = readFileSync(path.join(folder.path, 'docs/errors.md'), 'utf8');
  expect(errors).toContain('## All codes\n');
  expect(errors).toContain('| `overloaded` | 503 | yes | Too much at once |');
});

test('writing keeps the words around the table', async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, TREE);
  writeDocs(folder.path, CODE);
  const before = readFileSync(path.join(folder.path, 'docs/errors.md'), 'utf8');
  writeTree(folder.path, { 'docs/errors.md': `${before.replace('| 503 |', '| 500 |')}\nAfter.\n` });
  expect(writeDocs(folder.path, CODE)).toEqual(['docs/errors.md']);
  expect(readFileSync(path.join(folder.path, 'docs/errors.md'), 'utf8')).toBe(`${before}\nAfter.\n`);
});

test.each<[fault: string, from: string, to: string, message: string]>([
  [
    'another status',
    '| `denied` | 403',
    '| `denied` | 401',
    'denied is "403 no Policy refuses this call" in the code, "401',
  ],
  ['another word on retries', '503 | yes', '503 | no', 'overloaded is "503 yes'],
  ['a code that does not exist', '`denied`', '`refused`', 'refused is no code of ERROR_KINDS'],
  ['a code that is missing', '| `denied` | 403 | no | Policy refuses this call |\n', '', 'denied is not listed'],
  ['no markers', '<!-- errors:end -->', '', 'has no table of errors'],
])('errors.md with %s is refused', async (_fault, from, to, message) => {
  const messages = await messagesOf({
    edit: (read) => ({ 'docs/errors.md': read('docs/errors.md').replace(from, to) }),
  });
  expect(messages).toContainEqual(expect.stringContaining(message));
});

test.each<[fault: string, from: string, to: string, message: string]>([
  ['lacks a variable', '#POSTERN_REDIS_URL=', '# none', 'POSTERN_REDIS_URL is not listed'],
  [
    'has one too many',
    '#POSTERN_REDIS_URL=',
    '#POSTERN_REDIS_URL=\nPOSTERN_OTHER=1',
    'POSTERN_OTHER is not known to the code',
  ],
  [
    'has one twice',
    '#POSTERN_REDIS_URL=',
    '#POSTERN_REDIS_URL=\n#POSTERN_REDIS_URL=',
    'POSTERN_REDIS_URL is listed twice',
  ],
  ['has another default', '8080', '9090', 'POSTERN_LISTEN is "127.0.0.1:9090" here'],
])('an example of the environment that %s is refused', async (_fault, from, to, message) => {
  const messages = await messagesOf({ edit: (read) => ({ '.env.example': read('.env.example').replace(from, to) }) });
  expect(messages).toEqual([`.env.example:0 ${message}`].map((each) => expect.stringContaining(each)));
});

test('a schema that differs from the code is refused, and so are the tables made from it', async () => {
  const configSchema = { type: 'object', properties: { version: { const: 2 } } };
  expect(await messagesOf({ code: { configSchema } })).toEqual([
    'docs/config.schema.json:0 differs from the code: run "node scripts/check-docs.ts --write"',
    'docs/config.md:0 its part "document" differs from the code',
  ]);
});

test('what the code does not have yet is noted, not failed', async () => {
  const { findings, notes } = await check({ code: { environmentVariables: undefined, configSchema: undefined } });
  expect(findings).toEqual([]);
  expect(notes).toEqual([expect.stringContaining('.env.example'), expect.stringContaining('docs/config.schema.json')]);
});

test.each<[fault: string, text: string, message: string]>([
  ['leads nowhere', '[a](no.md)', 'no.md leads nowhere'],
  ['names no heading', '[a](errors.md#none)', 'errors.md#none: docs/errors.md has no such heading'],
  ['leads out', '[a](../../x.md)', '../../x.md leads out'],
  ['is given below and leads nowhere', '[a][b]\n\n[b]: no.md', 'no.md leads nowhere'],
  ['is about a script that does not exist', '`npm run nothing`', 'package.json has no script "nothing"'],
])('a link that %s is refused', async (_fault, text, message) => {
  const messages = await messagesOf({ changes: { 'docs/a.md': text } });
  expect(messages).toEqual([expect.stringMatching(new RegExp(`^docs/a\\.md:\\d ${message.replaceAll('.', '\\.')}`))]);
});

test.each([
  ['to another file', '[a](errors.md)'],
  ['to a heading', '[a](./errors.md#all-codes "title")'],
  ['to a heading of the same file', '# One `two`, three\n\n[a](#one-two-three)'],
  ['to a folder', '[a](../docs)'],
  ['from the root', '[a](/README.md)'],
  ['to the web', '[a](https://example.com/no.md)'],
  ['inside code', '`[a](no.md)`\n\n```\n[a](no.md)\n```\n'],
  ['to a script that exists', '`npm run bench`'],
])('a link %s is fine', async (_what, text) => {
  expect(await messagesOf({ changes: { 'docs/a.md': text } })).toEqual([]);
});

test('a README without its two commands, and a command without a file, are refused', async () => {
  const changes = { 'README.md': 'npm install && npm start\n', 'apps/cli/package.json': { name: '@postern/cli' } };
  expect(await messagesOf({ changes })).toEqual([
    'README.md:0 lacks the command "npm install && npm test"',
    'README.md:0 the command "postern" has no file',
  ]);
});
