import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalHost, isCanonicalHost } from './target-host.ts';

describe('canonicalHost', () => {
  it.each([
    ['api.example.com', 'api.example.com'],
    ['API.Example.COM', 'api.example.com'],
    ['my_service', 'my_service'],
    ['a-b.example', 'a-b.example'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['127.0.0.1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['0x7f000001', '127.0.0.1'],
    ['0X7F.1', '127.0.0.1'],
    ['0177.0.0.1', '127.0.0.1'],
    ['127.1', '127.0.0.1'],
    ['0', '0.0.0.0'],
    ['0x', '0.0.0.0'],
    ['１２７.0.0.1', '127.0.0.1'],
    ['①②⑦.0.0.1', '127.0.0.1'],
    ['meta\u00addata.google.internal', 'metadata.google.internal'],
    ['[::1]', '::1'],
    ['::1', '::1'],
    ['[0:0::FFFF:127.0.0.1]', '::ffff:7f00:1'],
  ])('writes %j as %j', (text, canonical) => {
    expect(canonicalHost(text)).toBe(canonical);
    expect(isCanonicalHost(canonical)).toBe(true);
  });

  it.each([
    '',
    '.',
    'example.com.',
    '127.0.0.1.',
    'localhost.',
    '2130706433.',
    '127。0。0。1',
    'example．com',
    'example｡com',
    '%31%32%37.0.0.1',
    'example%2ecom',
    'exa mple.com',
    'example.com\t',
    'example.com\n',
    'example\u0000.com',
    'user@example.com',
    'example.com:80',
    'example.com/',
    'example.com#a',
    'example.com?a',
    'example\\.com',
    'exa!mple.com',
    'a..b',
    '.example.com',
    '-a.example',
    'a-.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}ab`,
    'example.123',
    'example.0x7f',
    '256.256.256.256',
    '1.2.3.4.5',
    '4294967296',
    '08.0.0.1',
    '[127.0.0.1]',
    '[::1',
    '::1]',
    '[::1%25lo]',
    '[::1%lo]',
    'fe80::1%eth0',
    '1::2::3',
    'a'.repeat(2_000),
  ])('refuses %j', (text) => {
    expect(canonicalHost(text)).toBeUndefined();
    expect(isCanonicalHost(text)).toBe(false);
  });

  it('changes nothing the second time', () => {
    const any = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4Extended(),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
    );
    const check = (text: string) => {
      const once = canonicalHost(text);
      fc.pre(once !== undefined);
      expect(canonicalHost(once)).toBe(once);
      expect(isCanonicalHost(once)).toBe(true);
    };
    fc.assert(fc.property(any, check), { numRuns: 1_000 });
  });

  it('gives every number form of an IPv4 address its one spelling', () => {
    const octets = fc.tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }), fc.nat({ max: 255 }), fc.nat({ max: 255 }));
    const check = ([a, b, c, d]: [number, number, number, number]) => {
      const plain = `${a}.${b}.${c}.${d}`;
      const low = c * 256 + d;
      const all = ((a * 256 + b) * 256 + c) * 256 + d;
      const forms = [
        `${all}`,
        `0x${all.toString(16)}`,
        `0${all.toString(8)}`,
        `${a}.${b * 65536 + low}`,
        `${a}.${b}.${low}`,
        `0x${a.toString(16)}.0${b.toString(8)}.${c}.0X${d.toString(16)}`,
        `000${a.toString(8)}.${b}.${c}.${d}`,
      ];
      for (const form of forms) expect(canonicalHost(form)).toBe(plain);
    };
    fc.assert(fc.property(octets, check));
  });
});
