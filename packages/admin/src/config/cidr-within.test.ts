import { expect, test } from 'vitest';
import { cidrWithin } from './cidr-within.ts';

test.each([
  ['10.0.0.0/8', '10.0.0.0/8', true],
  ['10.1.0.0/16', '10.0.0.0/8', true],
  ['10.0.0.0/7', '10.0.0.0/8', false],
  ['11.0.0.0/8', '10.0.0.0/8', false],
  ['10.255.255.255', '10.0.0.0/8', true],
  ['11.0.0.0', '10.0.0.0/8', false],
  ['127.0.0.1', '127.0.0.1', true],
  ['127.0.0.0/31', '127.0.0.1', false],
  ['0.0.0.0/0', '0.0.0.0/0', true],
  ['fd00::/16', 'fd00::/8', true],
  ['fd00::/7', 'fd00::/8', false],
  ['fe00::/16', 'fd00::/8', false],
  ['10.0.0.0/8', '::/0', false],
  ['::ffff:10.0.0.1', '10.0.0.0/8', false],
  ['10.0.0.0/33', '0.0.0.0/0', false],
  ['10.0.0.0/8/8', '0.0.0.0/0', false],
  ['example.com', '0.0.0.0/0', false],
  ['10.0.0.0/8', 'nonsense', false],
])('%s lies within %s: %s', (inner, outer, isWithin) => {
  expect(cidrWithin(inner, [outer])).toBe(isWithin);
});

test('one of several networks suffices; none are none', () => {
  expect(cidrWithin('10.0.0.0/8', ['192.168.0.0/16', '10.0.0.0/8'])).toBe(true);
  expect(cidrWithin('10.0.0.0/8', [])).toBe(false);
});
