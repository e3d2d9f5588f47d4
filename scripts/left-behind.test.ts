import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { findFilesLeft, stopProcessesLeft } from './left-behind.ts';

test('files that are left are told, caches are not', async () => {
  await using folder = await temporaryFolder();
  mkdirSync(path.join(folder.path, 'node-compile-cache'));
  expect(findFilesLeft(folder.path)).toEqual([]);
  writeFileSync(path.join(folder.path, 'left'), '');
  expect(findFilesLeft(folder.path)).toEqual(['left']);
});

test('a process that is left is told and ended, others are not touched', async () => {
  const start = (run: string) => {
    const script = 'console.log("ready"); setInterval(() => {}, 1000)';
    return spawn(process.execPath, ['-e', script], {
      env: { LEFT_BEHIND_TEST: run },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  };
  const [ours, other] = [start(`ours-${process.pid}`), start(`other-${process.pid}`)];
  await Promise.all([once(ours.stdout, 'data'), once(other.stdout, 'data')]);
  const exit = once(ours, 'exit');
  expect(stopProcessesLeft('LEFT_BEHIND_TEST', `ours-${process.pid}`)).toEqual([
    expect.stringContaining(`${ours.pid} `),
  ]);
  expect(await exit).toEqual([null, 'SIGKILL']);
  expect(other.exitCode).toBeNull();
  other.kill();
  await once(other, 'exit');
  expect(stopProcessesLeft('LEFT_BEHIND_TEST', `ours-${process.pid}`)).toEqual([]);
});
