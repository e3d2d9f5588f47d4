import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AddressClass, classifyAddress, inspectAddress } from './classify.ts';
import {
  FURTHER_BLOCKS,
  IPV4_SPECIAL_PURPOSE,
  IPV6_SPECIAL_PURPOSE,
  METADATA_ROWS,
  REGISTRIES_UPDATED,
} from './iana-registries.fixture.ts';

/** Addresses as whole numbers, by arithmetic that shares nothing with the code under test. */
function toNumber(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...new Array<string>(missing).fill('0'), ...groups(tail)];
  return all.reduce((sum, group) => sum * 0x10000n + BigInt(`0x${group}`), 0n);
}

function toText(value: bigint, family: 4 | 6): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  const groups = [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => (value >> shift) & 0xffffn);
  return groups.map((group) => group.toString(16)).join(':');
}

function boundsOf(block: string): { family: 4 | 6; first: bigint; last: bigint } {
  const [address = '', length = ''] = block.split('/');
  const family = address.includes(':') ? 6 : 4;
  const size = 1n << BigInt((family === 4 ? 32 : 128) - Number(length));
  return { family, first: toNumber(address), last: toNumber(address) + size - 1n };
}

const ALL_ROWS = [...IPV4_SPECIAL_PURPOSE, ...IPV6_SPECIAL_PURPOSE, ...FURTHER_BLOCKS, ...METADATA_ROWS];

const ipv4 = fc.nat({ max: 0xffffffff }).map((bits) => toText(BigInt(bits), 4));
const words = fc.array(fc.nat({ max: 0xffff }), { minLength: 8, maxLength: 8 });

describe('the IANA special-purpose registries', () => {
  it('are transcribed with all their records and their date', () => {
    expect(REGISTRIES_UPDATED).toBe('2025-10-09');
    expect(new Set(IPV4_SPECIAL_PURPOSE.map((row) => row.block)).size).toBe(26);
    expect(new Set(IPV6_SPECIAL_PURPOSE.map((row) => row.block)).size).toBe(25);
  });

  it.each(ALL_ROWS)('classify $block ($name) at its first and last address and on both sides', (row) => {
    const { family, first, last } = boundsOf(row.block);
    expect(classifyAddress(toText(first, family))).toBe(row.first);
    expect(classifyAddress(toText(last, family))).toBe(row.last);
    if (row.before !== undefined) expect(classifyAddress(toText(first - 1n, family))).toBe(row.before);
    if (row.after !== undefined) expect(classifyAddress(toText(last + 1n, family))).toBe(row.after);
  });

  it('decide for every IPv4 address alone whether it is global', () => {
    const blocks = [...IPV4_SPECIAL_PURPOSE, ...FURTHER_BLOCKS, ...METADATA_ROWS]
      .map((row) => boundsOf(row.block))
      .filter((block) => block.family === 4);
    const check = (address: string) => {
      const value = toNumber(address);
      const isSpecial = blocks.some((block) => value >= block.first && value <= block.last);
      expect(classifyAddress(address) === 'global').toBe(!isSpecial);
    };
    fc.assert(fc.property(ipv4, check), { numRuns: 2_000 });
    const inside = fc.constantFrom(...blocks).chain((block) => fc.bigInt({ min: block.first, max: block.last }));
    fc.assert(
      fc.property(inside, (value) => check(toText(value, 4))),
      { numRuns: 1_000 },
    );
  });

  it('leave nothing global outside 2000::/3', () => {
    const outside = words.filter(([first = 0]) => first < 0x2000 || first > 0x3fff);
    const check = (groups: number[]) => {
      const text = groups.map((group) => group.toString(16)).join(':');
      // Mapped and well-known NAT64 addresses are as global as what they embed; random groups never hit either.
      expect(classifyAddress(text)).not.toBe('global');
    };
    fc.assert(fc.property(outside, check), { numRuns: 2_000 });
  });
});

describe('IPv4 inside IPv6', () => {
  const GLOBAL = '8.8.8.8';
  const hex = (address: string) => {
    const bits = toNumber(address);
    return `${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
  };
  const inverted = (address: string) => hex(toText(0xffffffffn ^ toNumber(address), 4));

  const JUDGED: Record<string, (address: string) => string> = {
    mapped: (address) => `::ffff:${hex(address)}`,
    'mapped, dotted': (address) => `::ffff:${address}`,
    'mapped, in full': (address) => `0:0:0:0:0:FFFF:${address}`,
    NAT64: (address) => `64:ff9b::${hex(address)}`,
    'NAT64, dotted': (address) => `64:ff9b::${address}`,
    ISATAP: (address) => `2600:1f00::5efe:${hex(address)}`,
    'ISATAP of a global address': (address) => `2600:1f00::200:5efe:${hex(address)}`,
    'ISATAP of a group': (address) => `2600:1f00::300:5efe:${hex(address)}`,
  };
  const REFUSED: Record<string, (address: string) => string> = {
    compatible: (address) => `::${hex(address)}`,
    'compatible, dotted': (address) => `::${address}`,
    translated: (address) => `::ffff:0:${hex(address)}`,
    'local-use NAT64 /96': (address) => `64:ff9b:1::${hex(address)}`,
    'local-use NAT64 /96 below another prefix': (address) => `64:ff9b:1:fffe::${hex(address)}`,
    '6to4': (address) => `2002:${hex(address)}::1`,
    Teredo: (address) => `2001:0:4136:e378:8000:63bf:${inverted(address)}`,
  };
  const judged = Object.entries(JUDGED);
  const refused = Object.entries(REFUSED);

  it.each(judged)('is judged by what it embeds: %s', (_, embed) => {
    for (const row of [...IPV4_SPECIAL_PURPOSE, ...METADATA_ROWS.slice(0, 9)]) {
      const address = row.block.split('/')[0] ?? '';
      expect(classifyAddress(embed(address))).toBe(row.first);
    }
    expect(classifyAddress(embed(GLOBAL))).toBe('global');
  });

  it.each(refused)('is refused whatever it embeds: %s', (_, embed) => {
    expect(classifyAddress(embed(GLOBAL))).toBe('reserved');
    expect(classifyAddress(embed('10.1.2.3'))).toBe('private');
    expect(classifyAddress(embed('127.0.0.1'))).toBe('loopback');
    expect(classifyAddress(embed('169.254.169.254'))).toBe('metadata');
    expect(inspectAddress(embed(GLOBAL))?.isOpenable).toBe(false);
    expect(inspectAddress(embed('10.1.2.3'))?.isOpenable).toBe(false);
  });

  it('never gets a looser class than the IPv4 address has by itself', () => {
    const any = fc.oneof(
      ipv4,
      fc.constantFrom(...METADATA_ROWS.slice(0, 9).map((row) => row.block.replace('/32', ''))),
    );
    const check = (address: string, [name, embed]: [string, (address: string) => string]) => {
      const own = classifyAddress(address);
      // `::0.0.0.0` and `::0.0.0.1` are the unspecified and the loopback address of IPv6; without the low bits of local-use
      // NAT64 another place counts.
      fc.pre(!(name.startsWith('compatible') && toNumber(address) <= 1n));
      fc.pre(!(name.startsWith('local-use') && toNumber(address) === 0n));
      expect(classifyAddress(embed(address))).toBe(own === 'global' && name in REFUSED ? 'reserved' : own);
    };
    fc.assert(fc.property(any, fc.constantFrom(...judged, ...refused), check), { numRuns: 3_000 });
  });

  it('counts by the prefix too when it is ISATAP', () => {
    expect(classifyAddress(`fe80::5efe:${hex(GLOBAL)}`)).toBe('link_local');
    expect(classifyAddress(`fd00::5efe:${hex(GLOBAL)}`)).toBe('unique_local');
    expect(classifyAddress(`2001:db8::5efe:${hex(GLOBAL)}`)).toBe('documentation');
    expect(classifyAddress(`fe80::5efe:${hex('10.0.0.1')}`)).toBe('private');
    expect(classifyAddress(`fe80::5efe:${hex('169.254.169.254')}`)).toBe('metadata');
    expect(classifyAddress(`ff02::5efe:${hex('10.0.0.1')}`)).toBe('multicast');
    expect(classifyAddress(`2600:1f00::5eff:${hex('10.0.0.1')}`)).toBe('global');
    expect(classifyAddress(`2600:1f00::400:5efe:${hex('10.0.0.1')}`)).toBe('global');
  });

  it('is found at every place that RFC 6052 has for local-use NAT64', () => {
    expect(classifyAddress('64:ff9b:1:a9fe:a9:fe00::')).toBe('metadata'); // /48
    expect(classifyAddress('64:ff9b:1:1a9:fe:a9fe::')).toBe('metadata'); // /56
    expect(classifyAddress('64:ff9b:1:1:a9:fea9:fe00:0')).toBe('metadata'); // /64
    expect(classifyAddress('64:ff9b:1:a00:0:100::')).toBe('private');
    expect(classifyAddress('64:ff9b:1:808:8:800::')).toBe('reserved');
  });

  it('ends with its block', () => {
    expect(classifyAddress('64:ff9b::1:a00:1')).toBe('reserved');
    expect(classifyAddress('64:ff9b:2::a00:1')).toBe('reserved');
    expect(classifyAddress('2003:a00:1::')).toBe('global');
    expect(classifyAddress('2001:1::a00:1')).toBe('reserved');
    expect(classifyAddress('::1:0:a00:1')).toBe('reserved');
  });
});

describe('classifyAddress', () => {
  it('gives every spelling of an IPv6 address the same class', () => {
    const spelling = fc.record({ groups: words, upper: fc.boolean(), padded: fc.boolean(), dotted: fc.boolean() });
    const check = ({
      groups,
      upper,
      padded,
      dotted,
    }: {
      groups: number[];
      upper: boolean;
      padded: boolean;
      dotted: boolean;
    }) => {
      const plain = groups.map((group) => group.toString(16)).join(':');
      const head = groups.slice(0, dotted ? 6 : 8).map((group) => group.toString(16).padStart(padded ? 4 : 1, '0'));
      const [high = 0, low = 0] = groups.slice(6);
      const tail = dotted ? [toText(BigInt(high) * 65536n + BigInt(low), 4)] : [];
      const other = [...head, ...tail].join(':');
      expect(classifyAddress(upper ? other.toUpperCase() : other)).toBe(classifyAddress(plain));
      const compressed = inspectAddress(plain)?.text ?? '';
      expect(classifyAddress(compressed)).toBe(classifyAddress(plain));
    };
    // Zeros and known prefixes often enough to meet the forms.
    const group = fc.oneof(
      fc.constantFrom(0, 0, 0, 0x64, 0xff9b, 0xffff, 0x2002, 0x5efe, 0xfe80),
      fc.nat({ max: 0xffff }),
    );
    const special = fc.array(group, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(spelling, special, (base, groups) => check({ ...base, groups })),
      { numRuns: 2_000 },
    );
    fc.assert(fc.property(spelling, check), { numRuns: 500 });
  });

  it.each([
    '',
    'localhost',
    'example.com',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '127.0.0.1.',
    '127.0.0.01',
    '256.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.4/32',
    ' 127.0.0.1',
    '[::1]',
    '::1%lo',
    'fe80::1%eth0',
    'fe80::1%25eth0',
    '1::2::3',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::1',
    '::ffff:1.2.3',
    '::1.2.3.4:1',
    '１２７.0.0.1',
  ])('calls %j invalid', (text) => {
    expect(classifyAddress(text)).toBe('invalid');
    expect(inspectAddress(text)).toBeUndefined();
  });

  it('calls what is no text invalid', () => {
    for (const value of [undefined, null, 2130706433, {}, ['127.0.0.1']]) {
      expect(classifyAddress(value as unknown as string)).toBe('invalid' satisfies AddressClass);
    }
  });
});
