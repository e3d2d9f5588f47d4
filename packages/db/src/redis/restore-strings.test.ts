import { setFlagsFromString } from 'node:v8';
import { expect, test } from 'vitest';
import { restoreStrings } from './restore-strings.ts';

setFlagsFromString('--allow-natives-syntax');
/** Whether V8 compiles the methods of strings in. */
const areFast = new Function('return %HasFastProperties(String.prototype)') as () => boolean;

test('the methods of strings are as quick with ioredis as without', async () => {
  await import('ioredis');
  expect(areFast()).toBe(false);
  restoreStrings();
  expect(areFast()).toBe(true);
});
