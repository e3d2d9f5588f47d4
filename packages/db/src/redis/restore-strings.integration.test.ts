import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** In a process of its own, for what V8 has made of the strings of this one is chance. Tells whether it compiles their methods in. */
const PROGRAM = `
  const areFast = () => %HasFastProperties(String.prototype);
  const told = [areFast()];
  await import('ioredis');
  told.push(areFast());
  const { restoreStrings } = await import('./restore-strings.ts');
  restoreStrings();
  told.push(areFast());
  console.log(JSON.stringify(told));
`;

test('the methods of strings are as quick with ioredis as without', async () => {
  const flags = ['--allow-natives-syntax', '--input-type=module', '--eval', PROGRAM];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname });
  expect(JSON.parse(stdout)).toEqual([true, false, true]);
});
