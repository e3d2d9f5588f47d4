import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { checkSize } from './check-size.ts';
import { type FixtureTree, writeTree } from './fixture-tree.test-support.ts';

const CLEAN: FixtureTree = {
  'package.json': { name: 'root' },
  'packages/policy/package.json': { name: '@postern/policy' },
  'packages/policy/README.md': '# policy\n',
};

async function check(changes: FixtureTree): Promise<ReturnType<typeof checkSize>> {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { ...CLEAN, ...changes });
  return checkSize(folder.path);
}

async function messagesOf(changes: FixtureTree): Promise<string[]> {
  return (await check(changes)).findings.map(({ file, line, message }) => `${file}:${line ?? 0} ${message}`);
}

const SOURCE = 'packages/policy/src/a.ts';
const TEST = 'test/a.test.ts';
const lines = (count: number) => 'a();\n'.repeat(count);
// Put together, because the checks read this file as well.
const [WORK, ROOT] = ['work', 'root'].map((name) => `/${name}/`);

test.each<[rule: string, file: string, goodAndBad: [string, string], message: string]>([
  ['a file is too long', SOURCE, [lines(500), lines(501)], '501 lines, at most 500'],
  ['a class is a service', SOURCE, ['class PolicyCompiler {}\n', 'class PolicyService {}\n'], 'the name PolicyService'],
  ['a type is a helper', SOURCE, ['interface Serviced {}\n', 'interface RuleHelper {}\n'], 'the name RuleHelper'],
  ['a note is left over', SOURCE, ["const a = 'TODO';\n", 'a(); // TODO later\n'], 'left over: TODO'],
  ['the compiler is silenced', SOURCE, ['// @ts-expect-error: shown\n', '// @ts-ignore\n'], 'left over'],
  ['a test stands alone', TEST, ["test('a');\n", "test.only('a');\n"], 'a test with .only'],
  ['a test is skipped', TEST, ['reader.skip(1);\n', "describe.skip('a');\n"], 'a test with .skip'],
  ['a test is skipped at times', TEST, ["test.each([1])('a');\n", "test.skipIf(true)('a');\n"], 'a test with .skipIf'],
  ['a module is mocked', TEST, ['vi.fn();\n', "vi.mock('./a.ts');\n"], 'no mock library'],
  ['code names a path of one machine', SOURCE, ["a('/network/');\n", `a('${WORK}a');\n`], 'a path of one machine'],
  ['a document names such a path', 'docs/a.md', ['docs/work/\n', `cd ${ROOT}a\n`], 'a path of one machine'],
])('it fails when %s, and only then', async (_rule, file, [good, bad], message) => {
  expect(await messagesOf({ [file]: good })).toEqual([]);
  const escaped = message.replaceAll('.', '\\.');
  expect(await messagesOf({ [file]: bad })).toEqual([expect.stringMatching(new RegExp(`^${file}:\\d+ ${escaped}`))]);
});

test.each([
  ['a folder for anything', 'packages/policy/src/utils/a.ts', 'a folder for anything'],
  ['a common folder', 'packages/policy/src/common/a.ts', 'a folder for anything'],
  ['a dump of types', 'packages/policy/src/types.ts', 'a file for anything'],
  ['a file of helpers', 'packages/policy/src/rule-helpers.ts', 'a file for anything'],
  ['a name in camel case', 'packages/policy/src/matchPath.ts', 'kebab-case'],
])('%s is refused', async (_rule, file, message) => {
  expect(await messagesOf({ [file]: 'a();\n' })).toEqual([expect.stringContaining(message)]);
});

test.each(['address-classes.table.ts', 'schema.generated.ts', 'conformance/store.ts'])(
  '%s may be long',
  async (name) => {
    expect(await messagesOf({ [`packages/policy/src/${name}`]: lines(800) })).toEqual([]);
  },
);

test('a file over 300 lines is told without failing', async () => {
  const result = await check({ [SOURCE]: lines(301), 'packages/policy/src/b.ts': lines(300) });
  expect(result.findings).toEqual([]);
  expect(result.long).toEqual([{ file: SOURCE, lines: 301 }]);
});

test('a package without a README is told', async () => {
  expect(await messagesOf({ 'packages/audit/package.json': { name: '@postern/audit' } })).toEqual([
    'packages/audit:0 has no README.md',
  ]);
});

test('a lock file that points to another registry is told once', async () => {
  const entry = (host: string) => ({ resolved: `https://${host}/a/-/a-1.0.0.tgz` });
  expect(await messagesOf({ 'package-lock.json': { packages: { a: entry('registry.npmjs.org') } } })).toEqual([]);
  expect(
    await messagesOf({ 'package-lock.json': { packages: { a: entry('mirror.test'), b: entry('mirror.test') } } }),
  ).toEqual([expect.stringContaining('package-lock.json:4 points to a registry other')]);
});
