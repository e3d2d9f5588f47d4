import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isOwnListener } from './own-listener.ts';

const LOCAL = () => ['127.0.0.1', '10.0.0.5', '::1', 'fd00::5', 'fe80::5'];

describe('isOwnListener', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.2', '127.0.0.1', false],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '::ffff:127.0.0.1', true],
    ['0.0.0.0', '127.0.0.1', true],
    ['::', '127.0.0.1', true],
    ['0.0.0.0', '10.0.0.5', false],
    ['127.0.0.1', '0.0.0.0', true],
    ['127.255.255.254', '0.0.0.0', true],
    ['10.0.0.5', '0.0.0.0', true],
    ['10.0.0.6', '0.0.0.0', false],
    ['::1', '0.0.0.0', false],
    ['0.0.0.0', '0.0.0.0', true],
    ['::1', '::', true],
    ['0:0::1', '::', true],
    ['fd00::5', '::', true],
    ['fd00::6', '::', false],
    ['10.0.0.5', '::', true],
    ['127.0.0.1', '::', true],
    ['8.8.8.8', '::', false],
  ])('says of %s and a listener on %s: %s', (address, bound, isOwn) => {
    expect(isOwnListener(address, 8080, [{ address: bound, port: 8080 }], LOCAL)).toBe(isOwn);
    expect(isOwnListener(address, 8081, [{ address: bound, port: 8080 }], LOCAL)).toBe(false);
  });

  it('looks at all listeners, and at the interfaces of this machine by itself', () => {
    const listeners = [
      { address: '127.0.0.1', port: 8081 },
      { address: '::', port: 8080 },
    ];
    const addresses = Object.values(networkInterfaces()).flatMap((entries) =>
      (entries ?? []).map(({ address }) => address),
    );
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(isOwnListener(address, 8080, listeners)).toBe(true);
    expect(isOwnListener('8.8.8.8', 8080, listeners)).toBe(false);
    expect(isOwnListener('8.8.8.8', 8080, [])).toBe(false);
  });

  it('refuses text that is no address', () => {
    expect(() => isOwnListener('localhost', 1, [])).toThrow('"localhost" is not an IP address');
    expect(() => isOwnListener('::1', 1, [{ address: 'localhost', port: 1 }])).toThrow(
      '"localhost" is not an IP address',
    );
  });
});
