/**
 * Sees to the programs that the tests run: `node scripts/test-programs.ts`. What is missing is installed where that can
 * be done without asking (root, and apt-get); elsewhere it fails and names what to install.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface TestProgram {
  readonly name: string;
  /** Of Debian and its descendants. */
  readonly debianPackage: string;
  /** Ends with 0 where the program is there and is usable. */
  readonly probe: readonly string[];
}

/** The machine's own, which has the machine's packages; test/clients/python.test.ts runs it. */
const PYTHON = '/usr/bin/python3';

export const TEST_PROGRAMS: readonly TestProgram[] = [
  { name: 'curl', debianPackage: 'curl', probe: ['curl', '--version'] },
  { name: 'wget', debianPackage: 'wget', probe: ['wget', '--version'] },
  { name: 'git', debianPackage: 'git', probe: ['git', '--version'] },
  { name: `requests for ${PYTHON}`, debianPackage: 'python3-requests', probe: [PYTHON, '-c', 'import requests'] },
  { name: `httpx for ${PYTHON}`, debianPackage: 'python3-httpx', probe: [PYTHON, '-c', 'import httpx'] },
  { name: 'redis-server', debianPackage: 'redis-server', probe: ['redis-server', '--version'] },
];

/** Runs a program to its end; its exit code, or undefined when it cannot be run. */
export type Run = (command: readonly string[]) => number | undefined;

export interface Machine {
  readonly run: Run;
  /** Whether packages may be installed without asking anybody. */
  readonly mayInstall: boolean;
  readonly say: (line: string) => void;
}

/** Installs what is missing, or tells why not. Gives back the programs that are still missing at the end. */
export function provideTestPrograms(machine: Machine): readonly TestProgram[] {
  const missing = missingPrograms(machine.run);
  if (missing.length === 0) return [];
  const packages = missing.map(({ debianPackage }) => debianPackage);
  if (!machine.mayInstall) return missing;
  machine.say(`installing ${packages.join(', ')} for the tests`);
  const install = ['apt-get', 'install', '--yes', '--quiet', '--no-install-recommends', ...packages];
  if (machine.run(install) !== 0) {
    machine.say('the list of packages is old or empty: apt-get update');
    machine.run(['apt-get', 'update', '--quiet']);
    machine.run(install);
  }
  return missingPrograms(machine.run);
}

function missingPrograms(run: Run): readonly TestProgram[] {
  return TEST_PROGRAMS.filter(({ probe }) => run(probe) !== 0);
}

/** For people: what is missing and how to get it. */
export function tellMissing(missing: readonly TestProgram[]): string {
  const packages = missing.map(({ debianPackage }) => debianPackage).join(' ');
  return [
    'The tests need programs that this machine lacks:',
    ...missing.map(({ name }) => `  ${name}`),
    `Install them, on Debian and Ubuntu with: sudo apt-get install ${packages}`,
  ].join('\n');
}

const APT_GET = '/usr/bin/apt-get';
const STEP_MS_MAX = 300_000;

if (import.meta.main) {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const missing = provideTestPrograms({
    run: ([program = '', ...parameters]) => {
      // What installs is seen; what only looks is not.
      const stdio = program === 'apt-get' ? 'inherit' : 'ignore';
      return spawnSync(program, parameters, { stdio, env: environment, timeout: STEP_MS_MAX }).status ?? undefined;
    },
    mayInstall: process.getuid?.() === 0 && existsSync(APT_GET),
    say: (line) => console.log(line),
  });
  if (missing.length > 0) {
    console.error(tellMissing(missing));
    process.exitCode = 1;
  }
}
