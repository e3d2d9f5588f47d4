import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { checkImports } from './check-imports.ts';
import { type FixtureTree, writeTree } from './fixture-tree.test-support.ts';

function manifest(
  name: string,
  dependencies: readonly string[] = [],
  exports: object = { '.': './src/index.ts' },
): object {
  return {
    name: `@postern/${name}`,
    exports,
    dependencies: Object.fromEntries(dependencies.map((each) => [each, '1'])),
  };
}

/** A small workspace that keeps every rule. */
const CLEAN: FixtureTree = {
  'package.json': { name: 'root', devDependencies: { vitest: '1', 'fast-check': '1', openai: '1' } },
  'packages/schemas/package.json': manifest('schemas', ['zod']),
  'packages/schemas/src/index.ts': "export { type Call } from './call.ts';\n",
  'packages/schemas/src/call.ts': "import { z } from 'zod';\nexport type Call = z.infer<never>;\n",
  'packages/policy/package.json': manifest('policy', ['@postern/schemas']),
  'packages/policy/src/index.ts': "export { decide } from './decide.ts';\n",
  'packages/policy/src/decide.ts':
    "import { createHash } from 'node:crypto';\nimport type { Call } from '@postern/schemas';\n",
  'packages/policy/src/decide.test.ts':
    "import { readFileSync } from 'node:fs';\nimport { test } from 'vitest';\nimport { temporaryFolder } from '@postern/testing';\n",
  'packages/ssrf-guard/package.json': manifest('ssrf-guard', ['undici']),
  'packages/ssrf-guard/src/index.ts': "export { classify } from './classify.ts';\n",
  'packages/proxy-runtime/package.json': manifest('proxy-runtime', ['@postern/ssrf-guard']),
  'packages/proxy-runtime/src/send.ts': "import { classify } from '@postern/ssrf-guard';\n",
  'packages/db/package.json': manifest('db', ['@postern/schemas', 'kysely'], {
    '.': './src/index.ts',
    './ports': './src/ports/index.ts',
    './conformance/*': './src/conformance/*.ts',
  }),
  'packages/db/src/index.ts': "export { openSqlite } from './sqlite.ts';\n",
  'packages/db/src/sqlite.ts':
    "import { DatabaseSync } from 'node:sqlite';\nimport { Kysely } from 'kysely';\nimport type { Store } from './ports/store.ts';\n",
  'packages/db/src/ports/index.ts': "export type { Store } from './store.ts';\n",
  'packages/db/src/ports/store.ts': "import type { Call } from '@postern/schemas';\n",
  'packages/db/src/conformance/store.ts':
    "import { test } from 'vitest';\nimport type { Store } from '../ports/store.ts';\n",
  'packages/gateway/package.json': manifest('gateway', ['@postern/schemas', '@postern/policy', '@postern/db']),
  'packages/gateway/src/serve.ts':
    "import type { Store } from '@postern/db/ports';\nimport { decide } from '@postern/policy';\n",
  'packages/gateway/src/serve.test.ts': "import { openSqlite } from '@postern/db';\nimport OpenAI from 'openai';\n",
  'packages/testing/package.json': manifest('testing', ['dns-packet']),
  'packages/testing/src/index.ts': "export { start } from './start.ts';\n",
  'apps/gateway/package.json': manifest('app-gateway', ['@postern/db', '@postern/gateway', '@postern/schemas']),
  'apps/gateway/src/compose.ts':
    "import { openSqlite } from '@postern/db';\nimport { DatabaseSync } from 'node:sqlite';\n",
  'test/calls.test.ts':
    "import { temporaryFolder } from '@postern/testing';\nimport { openSqlite } from '@postern/db';\n",
};

async function messagesOf(changes: FixtureTree): Promise<string[]> {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { ...CLEAN, ...changes });
  return checkImports(folder.path).map(({ file, line, message }) => `${file}:${line ?? 0} ${message}`);
}

test('a workspace that keeps the rules has no findings', async () => {
  expect(await messagesOf({})).toEqual([]);
});

const VIOLATIONS: readonly (readonly [rule: string, file: string, source: string, message: string])[] = [
  [
    'a lower package imports an upper one',
    'packages/policy/src/a.ts',
    "import '@postern/gateway';",
    '@postern/policy may not import @postern/gateway',
  ],
  [
    'a type is imported against the layers',
    'packages/schemas/src/a.ts',
    "import type { D } from '@postern/policy';",
    '@postern/schemas may not import @postern/policy',
  ],
  [
    'packages of one layer import each other',
    'packages/gateway/src/a.ts',
    "import '@postern/app-gateway';",
    'may not import @postern/app-gateway',
  ],
  [
    'a package published alone imports another',
    'packages/ssrf-guard/src/a.ts',
    "import '@postern/schemas';",
    '@postern/ssrf-guard may not import @postern/schemas',
  ],
  [
    'the guard imports the runtime',
    'packages/ssrf-guard/src/a.ts',
    "import '@postern/proxy-runtime';",
    '@postern/ssrf-guard may not import @postern/proxy-runtime',
  ],
  [
    'a test reaches above its layer',
    'packages/policy/src/a.test.ts',
    "import '@postern/gateway';",
    '@postern/policy may not import @postern/gateway',
  ],
  [
    'a pure package imports a node module',
    'packages/policy/src/a.ts',
    "import { readFile } from 'node:fs/promises';",
    '@postern/policy is pure: no node:fs/promises',
  ],
  [
    'the data plane sees an adapter',
    'packages/gateway/src/a.ts',
    "import { openSqlite } from '@postern/db';",
    'only apps/*/compose.ts creates one',
  ],
  [
    'another file of an app sees an adapter',
    'apps/gateway/src/main.ts',
    "import { openSqlite } from '@postern/db';",
    'only apps/*/compose.ts creates one',
  ],
  [
    'the data plane uses a database client',
    'packages/gateway/src/a.ts',
    "import { DatabaseSync } from 'node:sqlite';",
    'node:sqlite belongs to the adapters',
  ],
  [
    'another file of an app uses a database client',
    'apps/gateway/src/main.ts',
    "import pg from 'pg';",
    'pg belongs to the adapters',
  ],
  ['a port imports an adapter', 'packages/db/src/ports/a.ts', "import '../sqlite.ts';", 'ports know no adapter'],
  [
    'a port imports more than the language',
    'packages/db/src/ports/a.ts',
    "import '@postern/audit';",
    '@postern/audit is no package',
  ],
  [
    'source imports the fakes',
    'packages/gateway/src/a.ts',
    "import { start } from '@postern/testing';",
    '@postern/testing is for tests only',
  ],
  [
    'source imports the test runner',
    'packages/db/src/a.ts',
    "import { test } from 'vitest';",
    'vitest is for tests only',
  ],
  [
    'source imports a test file',
    'packages/db/src/a.ts',
    "import './conformance/store.ts';",
    './conformance/store.ts is a test file',
  ],
  [
    'a relative path leaves the package',
    'packages/policy/src/a.ts',
    "import '../../schemas/src/call.ts';",
    '../../schemas/src/call.ts leaves @postern/policy',
  ],
  [
    'a system test reaches into a package',
    'test/a.test.ts',
    "import '../packages/db/src/sqlite.ts';",
    '../packages/db/src/sqlite.ts reaches into a package',
  ],
  [
    'a path is not in the exports map',
    'packages/gateway/src/a.ts',
    "import '@postern/schemas/src/call.ts';",
    '@postern/schemas/src/call.ts is not in the exports map',
  ],
  [
    'a dependency is not declared',
    'packages/policy/src/a.ts',
    "import 'zod';",
    'zod is not declared in packages/policy/package.json',
  ],
  [
    'a package of the workspace is not declared',
    'packages/proxy-runtime/src/a.ts',
    "import '@postern/schemas';",
    '@postern/schemas is not declared in packages/proxy-runtime/package.json',
  ],
  [
    'source uses what only the root declares',
    'packages/policy/src/a.ts',
    "import 'openai';",
    'openai is not declared in packages/policy/package.json',
  ],
  [
    'a package outside the workspace is imported',
    'packages/policy/src/a.ts',
    "import '@postern/nothing';",
    '@postern/nothing is no package of this workspace',
  ],
  ['a file imports its own index', 'packages/policy/src/a.ts', "import './index.ts';", 'not the index'],
  ['a file imports its own package', 'packages/policy/src/a.ts', "import '@postern/policy';", 'not the package'],
  ['everything is re-exported', 'packages/policy/src/a.ts', "export * from './decide.ts';", 'no "export *"'],
  [
    'everything is re-exported under a name',
    'packages/policy/src/a.ts',
    "export * as all from './decide.ts';",
    'no "export *"',
  ],
  [
    'a second index appears',
    'packages/policy/src/rules/index.ts',
    "export { a } from './a.ts';",
    'not in the exports map',
  ],
  [
    'an index holds code',
    'packages/policy/src/index.ts',
    "export { decide } from './decide.ts';\nexport const version = 1;",
    'only re-exports',
  ],
  [
    'an index is too long',
    'packages/policy/src/index.ts',
    "export { a } from './a.ts';\n".repeat(30),
    '30 statements, at most 29',
  ],
  [
    'a dynamic import breaks a rule',
    'packages/policy/src/a.ts',
    "const fs = await import('node:fs');",
    '@postern/policy is pure',
  ],
];

test.each(VIOLATIONS)('it fails when %s', async (_rule, file, source, message) => {
  const messages = await messagesOf({ [file]: source });
  expect(messages).toContainEqual(expect.stringContaining(message));
  // An import against the layers may close a circle beside it; nothing else may be found elsewhere.
  expect(messages.filter((each) => !each.startsWith(`${file}:`) && !each.includes('import each other'))).toEqual([]);
});

test('an index of 29 statements passes, however many lines the formatter needs', async () => {
  const source = "export {\n  a,\n  b,\n} from './a.ts';\n".repeat(29);
  expect(await messagesOf({ 'packages/policy/src/index.ts': source })).toEqual([]);
});

test('a port may not import a package above the language even when db may', async () => {
  const messages = await messagesOf({
    'packages/audit/package.json': manifest('audit'),
    'packages/db/package.json': manifest('db', ['@postern/audit', '@postern/schemas', 'kysely'], {
      '.': './src/index.ts',
      './ports': './src/ports/index.ts',
    }),
    'packages/db/src/entries.ts': "import '@postern/audit';\n",
    'packages/db/src/ports/a.ts': "import '@postern/audit';\n",
  });
  expect(messages).toEqual(['packages/db/src/ports/a.ts:1 ports may not import @postern/audit']);
});

test('packages that import each other are told as a circle', async () => {
  const messages = await messagesOf({
    'apps/cli/package.json': manifest('cli', ['@postern/app-gateway']),
    'apps/cli/src/a.ts': "import '@postern/app-gateway';\n",
    'apps/gateway/package.json': manifest('app-gateway', ['@postern/cli', '@postern/db']),
    'apps/gateway/src/a.ts': "import '@postern/cli';\n",
  });
  expect(messages).toEqual([
    'package.json:0 packages import each other: @postern/cli → @postern/app-gateway → @postern/cli',
  ]);
});

test('a package without a place in the table is told', async () => {
  const messages = await messagesOf({ 'packages/novel/package.json': manifest('novel') });
  expect(messages).toEqual([expect.stringContaining('@postern/novel is missing in scripts/import-rules.table.ts')]);
});
