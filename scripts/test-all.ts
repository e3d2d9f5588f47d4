/**
 * `npm test`: every check and every test, one after the other, all of them even when one fails; but without the programs that the
 * tests run it stops at once. Ends with one line alone,
 * `N passed, N failed`: the tests of the vitest runs, and one failed for each other step that fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CLIENT_ROWS } from './check-client-table.ts';
import { findFilesLeft, stopProcessesLeft } from './left-behind.ts';
import { type Counts, countResults, type VitestReport } from './test-counts.ts';

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** A vitest project: its tests are counted. */
  readonly project?: string;
}

const ROOT = path.resolve(import.meta.dirname, '..');
const RESULTS = path.join(ROOT, 'node_modules/.cache/test-results');
const COMPILE_CACHE = path.join(ROOT, 'node_modules/.cache/test-compile');
const STEP_MS_MAX = 600_000;
const RUN_VARIABLE = 'TEST_RUN_ID';

const PROJECTS = ['unit', 'integration', 'stores', 'system', 'timed'];
const CHECKS: readonly Step[] = [
  { name: 'formatting and lint', command: ['biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'types', command: ['tsc', '--noEmit', '-p', 'tsconfig.json'] },
  { name: 'imports', command: ['node', 'scripts/check-imports.ts'] },
  { name: 'sizes and names', command: ['node', 'scripts/check-size.ts'] },
  { name: 'documents', command: ['node', 'scripts/check-docs.ts'] },
];
const PROGRAMS: Step = { name: 'programs the tests run', command: ['node', 'scripts/test-programs.ts'] };
const CLIENT_TABLE: Step = { name: 'table of clients', command: ['node', 'scripts/check-client-table.ts'] };

interface Run {
  readonly temporary: string;
  readonly environment: NodeJS.ProcessEnv;
}

async function main(): Promise<void> {
  const begin = performance.now();
  const run = beginRun();
  const steps: readonly Step[] = [PROGRAMS, ...CHECKS, ...PROJECTS.map(vitestStep), CLIENT_TABLE];
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abandon(run));
  const total: { passed: number; failures: string[] } = { passed: 0, failures: [] };
  try {
    for (const [index, step] of steps.entries()) {
      console.log(`\n[${index + 1}/${steps.length}] ${step.name}`);
      const { passed, failures } = await runStep(step, run);
      total.passed += passed;
      total.failures.push(...failures);
      if (step === PROGRAMS && failures.length > 0) break; // It has named the command that mends it.
    }
    total.failures.push(...leftBehind(run));
  } finally {
    rmSync(run.temporary, { recursive: true, force: true });
  }
  if (total.failures.length > 0)
    console.log(`\nFailed:\n${total.failures.map((failure) => `  ${failure}`).join('\n')}`);
  console.log(`\n${Math.round((performance.now() - begin) / 1000)} s`);
  console.log(`${total.passed} passed, ${total.failures.length} failed`);
  process.exitCode = total.failures.length === 0 ? 0 : 1;
}

/** A temporary folder and an environment of its own: what the tests leave behind is seen, what the caller has set is not. */
function beginRun(): Run {
  const temporary = mkdtempSync(path.join(tmpdir(), 'postern-test-run-'));
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(POSTERN|OTEL)_/.test(name) || name.startsWith('POSTERN_TEST_'),
  );
  if (!process.stdout.isTTY) kept.push(['NO_COLOR', '1']);
  const environment = {
    ...Object.fromEntries(kept),
    TMPDIR: temporary,
    [RUN_VARIABLE]: path.basename(temporary),
    // The database threads and commands that tests start by the hundred find their modules compiled.
    NODE_COMPILE_CACHE: COMPILE_CACHE,
  };
  // What an earlier run proved proves nothing.
  for (const folder of [RESULTS, path.join(ROOT, CLIENT_ROWS)]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(RESULTS, { recursive: true });
  return { temporary, environment };
}

function vitestStep(project: string): Step {
  const reporters = ['--reporter', process.stdout.isTTY ? 'default' : 'dot', '--reporter', 'json'];
  const command = ['vitest', 'run', '--project', project, ...reporters, `--outputFile.json=${resultFile(project)}`];
  return { name: `${project} tests`, command, project };
}

function resultFile(project: string): string {
  return path.join(RESULTS, `${project}.json`);
}

async function runStep(step: Step, { environment }: Run): Promise<Counts> {
  const begin = performance.now();
  const [program = '', ...parameters] = step.command;
  const child = spawn(program, parameters, { cwd: ROOT, env: environment, stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = await waitFor(child);
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const counts = countStep(step, ended);
  const [passed, failed] = [counts.passed, counts.failures.length];
  const tests = step.project === undefined ? '' : `, ${passed} passed, ${failed} failed`;
  console.log(`[${failed === 0 ? 'ok' : 'FAILED'}] ${step.name}, ${seconds} s${tests}`);
  return counts;
}

function countStep({ name, project }: Step, ended: string | undefined): Counts {
  if (project === undefined) return { passed: 0, failures: ended === undefined ? [] : [`${name}: ${ended}`] };
  return countResults({ project, report: readReport(project), ended, isCi: Boolean(process.env['CI']), root: ROOT });
}

function readReport(project: string): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(resultFile(project), 'utf8')) as VitestReport;
  } catch {
    return undefined; // vitest ended before it could write one, which its exit code tells.
  }
}

/** How the step ended when it did not end well, in words. */
function waitFor(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STEP_MS_MAX);
    const finish = (ended: string | undefined) => {
      clearTimeout(timer);
      resolve(ended);
    };
    child.once('error', (error) => finish(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      if (signal !== null) finish(`ended by ${signal} (a step may take ${STEP_MS_MAX / 1000} s)`);
      else finish(code === 0 ? undefined : `exit code ${code}, see above`);
    });
  });
}

/** Somebody stops the run: nothing of it stays. */
function abandon(run: Run): void {
  leftBehind(run);
  rmSync(run.temporary, { recursive: true, force: true });
  process.exit(130);
}

function leftBehind({ temporary }: Run): string[] {
  const processes = stopProcessesLeft(RUN_VARIABLE, path.basename(temporary));
  const files = findFilesLeft(temporary);
  return [
    ...processes.map((each) => `left behind: process ${each}`),
    ...files.map((each) => `left behind: file ${each}`),
  ];
}

await main();
