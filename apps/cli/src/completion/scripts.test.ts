import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { recordedContext } from '../context.test-support.ts';
import { createProgram } from '../program.ts';
import { completionLevels, type Level } from './levels.ts';
import { SCRIPTS, SHELLS, type Shell } from './scripts.ts';

let levels: readonly Level[];
beforeAll(async () => {
  levels = completionLevels(await createProgram(recordedContext(), '*'));
});

const isInstalled = (shell: string) => spawnSync(shell, ['--version']).status === 0;

/** What the shell offers after these words, the last of which is being typed. */
function offered(words: readonly string[]): string[] {
  const script = `${SCRIPTS.bash(levels)}
COMP_WORDS=(postern "$@"); COMP_CWORD=$#; _postern; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  test.each([
    [['agen'], ['agents']],
    [
      ['agents', 'keys', ''],
      ['issue', 'list', 'revoke', '--json', '--tenant', '--help'],
    ],
    [['agents', 'keys', 'issue', 'coder', '--sc'], ['--scope']],
    [['--tenant', 'acme', 'secrets', 'ver'], ['versions']],
    [['agents', 'show', 'keys', 'iss'], []],
    [['start', '--d'], ['--demo']],
  ])('offers after %j what may follow', (words, expected) => {
    expect(offered(words)).toEqual(expected);
  });
});

describe('every shell', () => {
  test.each(SHELLS)('%s gets a script that knows all commands', (shell) => {
    const script = SCRIPTS[shell](levels);
    for (const { place } of levels.slice(1)) expect(script).toContain(place);
    expect(script).toContain('--scope'.slice(shell === 'fish' ? 2 : 0));
  });

  test.each(SHELLS.filter(isInstalled))('%s finds no fault in the script', (shell: Shell) => {
    const { status, stderr } = spawnSync(shell, ['-n'], { input: SCRIPTS[shell](levels), encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
