import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** In a process of its own, for V8 has one growth factor for all heaps of a process. */
test('the young generation is held small, grows when it may, and grows again after V8 has made it small', async () => {
  const program = join(import.meta.dirname, 'young-heap.fixture.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program]);
  const [held, grown, idle, grownAgain] = JSON.parse(stdout) as number[];
  expect({ held, grown }).toEqual({ held: 2, grown: 16 });
  expect(idle).toBeLessThan(8);
  expect(grownAgain).toBe(16);
});
