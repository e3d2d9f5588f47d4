import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** In processes of their own, for V8 has one set of flags for a process. */
async function peakMiB(...how: readonly string[]): Promise<number> {
  const program = join(import.meta.dirname, 'compiler-memory.fixture.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...how]);
  return Number(stdout);
}

test('what the compiler needed for many functions at once is freed while it compiles', async () => {
  const kept = await peakMiB();
  expect(await peakMiB('freed')).toBeLessThan(kept / 2);
});
