import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalAddress, formatAddress } from './format-address.ts';
import { parseAddress } from './parse-address.ts';

describe('parseAddress', () => {
  it('reads addresses as integers', () => {
    expect(parseAddress('255.254.1.0')).toEqual({ family: 4, bits: 0xfffe0100 });
    expect(parseAddress('2001:DB8::a:1.2.3.4')).toEqual({ family: 6, words: [0x20010db8, 0, 0x0000000a, 0x01020304] });
    expect(parseAddress('1:2:3:4:5:6:7::')).toEqual({ family: 6, words: [0x10002, 0x30004, 0x50006, 0x70000] });
  });

  it('takes exactly what the system takes for an address, but for zone ids', () => {
    const part = fc.constantFrom('0', '1', '00', '255', '256', 'ffff', 'FfFf', '12345', '1.2.3.4', '01.2.3.4', 'g', '');
    const joined = fc
      .array(part, { maxLength: 10 })
      .chain((parts) => fc.constantFrom(':', '::', '.').map((by) => parts.join(by)));
    const mixed = fc
      .array(fc.oneof(part, fc.constantFrom(':', '::', '.')), { maxLength: 18 })
      .map((parts) => parts.join(''));
    const check = (text: string) => {
      expect(parseAddress(text)?.family ?? 0, text).toBe(isIP(text));
    };
    fc.assert(fc.property(fc.oneof(joined, mixed, fc.ipV4(), fc.ipV6(), fc.ipV4Extended()), check), { numRuns: 5_000 });
    fc.assert(
      fc.property(
        fc.string({ maxLength: 50 }).filter((text) => !text.includes('%')),
        check,
      ),
    );
  });
});

describe('formatAddress', () => {
  it.each([
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['2001:0DB8::000A', '2001:db8::a'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['1.2.3.4', '1.2.3.4'],
  ])('writes %s as %s', (text, canonical) => {
    const address = parseAddress(text);
    expect(address && formatAddress(address)).toBe(canonical);
  });

  it('writes what the URL standard writes and reads it back unchanged', () => {
    const check = (text: string) => {
      const address = parseAddress(text);
      const written = address && formatAddress(address);
      expect(`[${written}]`).toBe(new URL(`http://[${text}]/`).hostname);
      expect(parseAddress(written ?? '')).toEqual(address);
    };
    fc.assert(fc.property(fc.ipV6(), check), { numRuns: 1_000 });
  });
});

describe('canonicalAddress', () => {
  it('takes mapped addresses for the IPv4 addresses they are', () => {
    expect(canonicalAddress('::ffff:127.0.0.1')).toBe('127.0.0.1');
    expect(canonicalAddress('0:0:0:0:0:ffff:7f00:1')).toBe('127.0.0.1');
    expect(canonicalAddress('::fffe:127.0.0.1')).toBe('::fffe:7f00:1');
    expect(canonicalAddress('nothing')).toBeUndefined();
  });
});
