import { describe, expect, test } from 'vitest';
import { compileNetworks, isInNetworks } from './agent-identity.ts';

describe('the networks of an agent', () => {
  const networks = compileNetworks(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1']);

  test.each([
    '10.0.0.0',
    '10.255.255.255',
    '192.0.2.7',
    '2001:db8::',
    '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
    '::1',
    '::ffff:10.1.2.3',
    '::FFFF:10.1.2.3',
    '::ffff:a01:203',
  ])('hold %s', (address) => {
    expect(isInNetworks(address, networks)).toBe(true);
  });

  test.each([
    '9.255.255.255',
    '11.0.0.0',
    '192.0.2.6',
    '192.0.2.8',
    '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff',
    '2001:db9::',
    '::2',
    '::ffff:9.1.2.3',
    '127.0.0.1',
  ])('do not hold %s', (address) => {
    expect(isInNetworks(address, networks)).toBe(false);
  });

  test('of no items hold nobody', () => {
    expect(isInNetworks('127.0.0.1', compileNetworks([]))).toBe(false);
  });

  test('hold nobody whose address is not known any more', () => {
    expect(isInNetworks('', networks)).toBe(false);
  });
});
