import { expect, test } from 'vitest';
import { createFailedLogins } from './failed-logins.ts';

test('the tenth failure within a minute closes the address until the minute is over', () => {
  let now = 0;
  const failedLogins = createFailedLogins(() => now);
  for (let count = 1; count <= 9; count++) failedLogins.record('192.0.2.1');
  expect(failedLogins.waitMs('192.0.2.1')).toBe(0);
  now = 20_000;
  failedLogins.record('192.0.2.1');
  expect(failedLogins.waitMs('192.0.2.1')).toBe(40_000);
  expect(failedLogins.waitMs('192.0.2.2')).toBe(0);
  now = 59_999;
  expect(failedLogins.waitMs('192.0.2.1')).toBe(1);
  now = 60_000;
  expect(failedLogins.waitMs('192.0.2.1')).toBe(0);
});

test('memory is bounded: with very many addresses the oldest are forgotten first', () => {
  const failedLogins = createFailedLogins(() => 0);
  const fail = (address: string) => {
    for (let count = 0; count < 10; count++) failedLogins.record(address);
  };
  fail('first');
  for (let index = 0; index < 9_999; index++) failedLogins.record(`address ${index}`);
  expect(failedLogins.waitMs('first')).toBe(60_000);
  failedLogins.record('one more');
  expect(failedLogins.waitMs('first')).toBe(0);
});
