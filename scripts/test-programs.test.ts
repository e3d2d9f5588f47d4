import { expect, test } from 'vitest';
import { provideTestPrograms, tellMissing } from './test-programs.ts';

/** A machine that has these packages of Debian, and whose apt-get knows those in `offered` after an update. */
function machine(installed: string[], { mayInstall = true, offered = [] as string[], isUpdated = true } = {}) {
  const commands: string[] = [];
  const said: string[] = [];
  let updated = isUpdated;
  const run = (command: readonly string[]): number | undefined => {
    const [program = '', ...parameters] = command;
    if (program !== 'apt-get') return installed.includes(packageOf(command)) ? 0 : undefined;
    commands.push(parameters.filter((each) => !each.startsWith('--')).join(' '));
    if (parameters[0] === 'update') updated = true;
    if (parameters[0] !== 'install') return 0;
    const wanted = parameters.filter((each) => !each.startsWith('--')).slice(1);
    if (!updated || !wanted.every((each) => offered.includes(each))) return 100;
    installed.push(...wanted);
    return 0;
  };
  return { machine: { run, mayInstall, say: (line: string) => void said.push(line) }, commands, said };
}

function packageOf([program = '', , code = '']: readonly string[]): string {
  return program.endsWith('python3') ? `python3-${code.replace('import ', '')}` : program;
}

const ALL = ['curl', 'wget', 'git', 'python3-requests', 'python3-httpx', 'redis-server'];

test('where all is there, nothing is said and nothing is installed', () => {
  const { machine: here, commands, said } = machine([...ALL]);
  expect(provideTestPrograms(here)).toEqual([]);
  expect([commands, said]).toEqual([[], []]);
});

test('what is missing is installed, and said', () => {
  const { machine: here, commands, said } = machine(['curl', 'wget', 'git', 'redis-server'], { offered: ALL });
  expect(provideTestPrograms(here)).toEqual([]);
  expect(commands).toEqual(['install python3-requests python3-httpx']);
  expect(said).toEqual(['installing python3-requests, python3-httpx for the tests']);
});

test('an old list of packages is renewed first', () => {
  const { machine: here, commands } = machine(['curl', 'git', 'redis-server'], { offered: ALL, isUpdated: false });
  expect(provideTestPrograms(here)).toEqual([]);
  const install = 'install wget python3-requests python3-httpx';
  expect(commands).toEqual([install, 'update', install]);
});

test.each([
  ['nobody may install', { mayInstall: false, offered: ALL }],
  ['the package is offered nowhere', { mayInstall: true, offered: [] }],
])('where %s, what is missing is told by name', (_why, options) => {
  const { machine: here } = machine(['curl', 'wget', 'git', 'python3-requests', 'redis-server'], options);
  const missing = provideTestPrograms(here);
  expect(missing.map(({ debianPackage }) => debianPackage)).toEqual(['python3-httpx']);
  expect(tellMissing(missing)).toContain('sudo apt-get install python3-httpx');
});
