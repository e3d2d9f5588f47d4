import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contains, parseCidr } from './cidr.ts';
import { parseAddress } from './parse-address.ts';

const holds = (cidr: string, text: string) => {
  const address = parseAddress(text);
  return address !== undefined && contains(parseCidr(cidr), address);
};

describe('parseCidr', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0', '10.255.255.255', '9.255.255.255', '11.0.0.0'],
    ['127.0.0.2/32', '127.0.0.2', '127.0.0.2', '127.0.0.1', '127.0.0.3'],
    ['127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.1', '127.0.0.3'],
    ['192.168.4.0/22', '192.168.4.0', '192.168.7.255', '192.168.3.255', '192.168.8.0'],
    ['128.0.0.0/1', '128.0.0.0', '255.255.255.255', '127.255.255.255', '::8000:0'],
    ['fd00::/8', 'fd00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'fcff::1', 'fe00::'],
    ['2001:db8::/33', '2001:db8::', '2001:db8:7fff:ffff::', '2001:db7:ffff::', '2001:db8:8000::'],
    ['::1/128', '::1', '0::1', '::', '::2'],
    ['::ffff:10.0.0.0/104', '10.0.0.0', '10.255.255.255', '9.255.255.255', '11.0.0.0'],
  ])('takes %s from its first to its last address', (...[cidr, first, last, before, after]) => {
    expect(holds(cidr, first)).toBe(true);
    expect(holds(cidr, last)).toBe(true);
    expect(holds(cidr, before)).toBe(false);
    expect(holds(cidr, after)).toBe(false);
  });

  it('keeps the families apart', () => {
    expect(holds('0.0.0.0/0', '1.2.3.4')).toBe(true);
    expect(holds('0.0.0.0/0', '::1')).toBe(false);
    expect(holds('::/0', '1.2.3.4')).toBe(false);
    expect(holds('::/0', 'ffff::')).toBe(true);
  });

  it.each([
    ['', /must begin with an IPv4 or IPv6 address/],
    ['localhost/8', /must begin with an IPv4 or IPv6 address/],
    ['10.0.0/8', /must begin with an IPv4 or IPv6 address/],
    ['[::1]/128', /must begin with an IPv4 or IPv6 address/],
    ['fe80::1%eth0/64', /must begin with an IPv4 or IPv6 address/],
    ['10.0.0.0/', /whole number from 0 to 32/],
    ['10.0.0.0/33', /whole number from 0 to 32/],
    ['10.0.0.0/-1', /whole number from 0 to 32/],
    ['10.0.0.0/08', /whole number from 0 to 32/],
    ['10.0.0.0/255.0.0.0', /whole number from 0 to 32/],
    ['10.0.0.0/8/8', /whole number from 0 to 32/],
    ['::/129', /whole number from 0 to 128/],
    ['10.1.2.3/8', /the block is 10\.0\.0\.0\/8/],
    ['2001:db8::1/32', /the block is 2001:db8::\/32/],
  ])('refuses %j and says why', (cidr, message) => {
    expect(() => parseCidr(cidr)).toThrow(TypeError);
    expect(() => parseCidr(cidr)).toThrow(message);
    expect(() => parseCidr(cidr)).toThrow(`"${cidr}"`);
  });

  it('agrees with the block list of the system', () => {
    const check = (bits: number, length: number, flipped: number) => {
      const text = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
      const base = length === 0 ? 0 : (bits & (0xffffffff << (32 - length))) >>> 0;
      const list = new BlockList();
      list.addSubnet(text(base), length, 'ipv4');
      const probe = text((bits ^ (1 << flipped)) >>> 0);
      expect(holds(`${text(base)}/${length}`, probe)).toBe(list.check(probe, 'ipv4'));
    };
    fc.assert(fc.property(fc.nat({ max: 0xffffffff }), fc.nat({ max: 32 }), fc.nat({ max: 31 }), check));
  });
});
