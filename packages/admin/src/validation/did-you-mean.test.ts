import { expect, test } from 'vitest';
import { didYouMean } from './did-you-mean.ts';

const known = ['name', 'baseUrl', 'hosts', 'timeouts', 'unsafeAllowAddresses'];

test.each([
  ['baseURL', 'baseUrl'],
  ['base_url', 'baseUrl'],
  ['hsots', 'hosts'],
  ['host', 'hosts'],
  ['timeout', 'timeouts'],
  ['unsafeAllowAdresses', 'unsafeAllowAddresses'],
  ['nam', 'name'],
])('%s is taken for %s', (written, meant) => {
  expect(didYouMean(written, known)).toBe(meant);
});

test.each(['retry', 'na', 'colour', '', 'x'.repeat(10_000)])('%s is near nothing', (written) => {
  expect(didYouMean(written, known)).toBeUndefined();
});
