import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { FILE_OR_FOLDER } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Failure, Misuse } from '../exit.ts';
import { countWords } from '../output/count-words.ts';
import { jsonOfRuns, renderRuns } from '../output/policy-tests.ts';
import { type PolicyTestRun, runPolicyTestFile } from '../policy-test-file.ts';
import { commonOptions, showResult } from '../session.ts';

export function addTest(policy: Command, context: CliContext): void {
  policy
    .command(`test <${FILE_OR_FOLDER}...>`)
    .description('Run tests of rules from files and folders; needs no gateway')
    .addHelpText('after', HELP_END)
    .action((paths: readonly string[], _options: object, command: Command) => test(context, paths, command));
}

const HELP_END = `
A file has sections of postern.yaml (agents, integrations, rules, …) or names the file that has them ("policy: ../postern.yaml"),
and tests: "tests: [{name, call: {agent, integration, method, path, …}, expect: {outcome, rule, …}}]".
Of folders, all .yaml, .yml and .json files with tests are run. Exit codes: 1 when a test fails or a file is faulty, 2 without tests.`;

async function test(context: CliContext, paths: readonly string[], command: Command): Promise<void> {
  const runs: PolicyTestRun[] = [];
  for (const { name, isNamed } of await filesOf(context, paths)) {
    const run = await runPolicyTestFile(context, name);
    if (isNamed && run.kind === 'other') throw new Misuse(`${name} has no tests`);
    runs.push(run);
  }
  const files = runs.filter((run) => run.kind !== 'other');
  if (files.length === 0) throw new Misuse(`${paths.join(', ')}: no file with tests is there`);
  showResult({ context, json: commonOptions(command).json === true }, jsonOfRuns(files), renderRuns(files));
  const failed = files.reduce((sum, run) => sum + (run.kind === 'run' ? run.report.failed : 0), 0);
  const faulty = files.filter(({ kind }) => kind === 'faulty').length;
  const problems = [
    ...(failed > 0 ? [`${countWords(failed, 'test')} failed`] : []),
    ...(faulty > 0 ? [`${countWords(faulty, 'file')} could not be run`] : []),
  ];
  if (problems.length > 0) throw new Failure(`${problems.join(', ')}.`);
}

interface FoundFile {
  /** As it is shown. */
  readonly name: string;
  readonly isNamed: boolean;
}

const EXTENSIONS: ReadonlySet<string> = new Set(['.yaml', '.yml', '.json']);

/** Each file once, in the order of the paths, of folders by name. */
async function filesOf(context: CliContext, paths: readonly string[]): Promise<readonly FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for (const given of paths) {
    const absolute = path.resolve(context.workingFolder, given);
    const kind = await stat(absolute).catch(() => undefined);
    if (kind === undefined) throw new Misuse(`${given}: there is no such file or folder`);
    const names = kind.isDirectory() ? await namesIn(absolute) : [''];
    for (const name of names) {
      const file = path.join(absolute, name);
      if (!found.has(file)) found.set(file, { name: path.join(given, name), isNamed: !kind.isDirectory() });
    }
  }
  return [...found.values()];
}

/** Below a folder, without hidden ones and installed packages. Links are not followed: they could lead round in a circle. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && EXTENSIONS.has(path.extname(entry.name)))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((name) => name.split(path.sep).every((part) => !part.startsWith('.') && part !== 'node_modules'))
    .sort();
}
