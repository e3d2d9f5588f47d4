import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateAdminToken, isAdminToken } from './admin-token.ts';
import { fitsAgentKeyAt, generateAgentKey, isAgentKey, parseAgentKey } from './agent-key.ts';
import { encodeBase62 } from './base62.ts';
import { crc32 } from './crc32.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A key around any body, with the checksum that fits, made without the code under test. */
function withChecksum(body: string, offset = 0): string {
  let rest = (zlibCrc32(body) + offset) >>> 0;
  let checksum = '';
  for (let digit = 0; digit < 6; digit++) {
    checksum = BASE62[rest % 62] + checksum;
    rest = Math.floor(rest / 62);
  }
  return body + checksum;
}

const randomOf = (bytes: Uint8Array) => {
  let offset = 0;
  return (size: number) => Uint8Array.from({ length: size }, () => bytes[offset++ % bytes.length] ?? 0);
};

describe('generated agent keys', () => {
  test('parse, whatever the random bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 48 }), (bytes) => {
        const { key, publicId } = generateAgentKey(randomOf(bytes));
        expect(key).toMatch(/^pst_[a-z0-9]{10}_[0-9A-Za-z]{49}$/);
        expect(parseAgentKey(key)).toEqual({ key, publicId });
        expect(key.slice(4, 14)).toBe(publicId);
        expect(withChecksum(key.slice(0, -6))).toBe(key);
      }),
    );
  });

  test('hold the random bytes in base62, padded on the left, up to the greatest value', () => {
    const least = generateAgentKey((size) => new Uint8Array(size)).key;
    expect(least.slice(0, -6)).toBe(`pst_0000000000_${'0'.repeat(43)}`);
    const greatest = generateAgentKey((size) => new Uint8Array(size).fill(255)).key.slice(15, -6);
    const value = [...greatest].reduce((sum, digit) => sum * 62n + BigInt(BASE62.indexOf(digit)), 0n);
    expect(value).toBe(2n ** 256n - 1n);
  });

  test('differ each time', () => {
    const keys = Array.from({ length: 100 }, () => generateAgentKey());
    expect(new Set(keys.map(({ key }) => key)).size).toBe(100);
    expect(new Set(keys.map(({ publicId }) => publicId)).size).toBe(100);
  });

  test('overwrite the random bytes they were made of', () => {
    const taken: Uint8Array[] = [];
    generateAgentKey((size) => {
      const bytes = new Uint8Array(size).fill(9);
      taken.push(bytes);
      return bytes;
    });
    expect(taken[1]).toStrictEqual(new Uint8Array(32));
  });
});

describe('parseAgentKey', () => {
  test('one changed character never parses', () => {
    const key = generateAgentKey().key;
    const character = fc.constantFrom(...BASE62, '_', '-', ' ', '\u00e9', '\u0170');
    fc.assert(
      fc.property(fc.nat(key.length - 1), character, (position, replacement) => {
        fc.pre(key[position] !== replacement);
        expect(parseAgentKey(key.slice(0, position) + replacement + key.slice(position + 1))).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  test('two neighbours exchanged never parse', () => {
    const key = generateAgentKey().key;
    for (let position = 0; position + 1 < key.length; position++) {
      const [left, right] = [key[position], key[position + 1]];
      if (left === right) continue;
      expect(isAgentKey(key.slice(0, position) + right + left + key.slice(position + 2))).toBe(false);
    }
  });

  const body = (id: string, secret: string) => `pst_${id}_${secret}`;
  const good = body('abcdefghi9', 'Z'.repeat(43));

  test.each([
    ['43 characters of secret', good],
    ['a public id of digits', body('0123456789', 'a'.repeat(43))],
    ['a secret of zeros', body('abcdefghij', '0'.repeat(43))],
  ])('%s parse with their checksum', (_title, text) => {
    expect(parseAgentKey(withChecksum(text))).toEqual({ key: withChecksum(text), publicId: text.slice(4, 14) });
  });

  test.each([
    ['42 characters of secret', body('abcdefghi9', 'Z'.repeat(42))],
    ['44 characters of secret', body('abcdefghi9', 'Z'.repeat(44))],
    ['a public id of 9', body('abcdefgh9', 'Z'.repeat(43))],
    ['a public id of 11', body('abcdefghij9', 'Z'.repeat(43))],
    ['a public id of 9 and a secret of 44: the right length in all', body('abcdefgh9', 'Z'.repeat(44))],
    ['a capital in the public id', body('abcdEfghi9', 'Z'.repeat(43))],
    ['an underscore in the public id', body('abcd_fghi9', 'Z'.repeat(43))],
    ['a dash in the secret', body('abcdefghi9', `${'Z'.repeat(42)}-`)],
    ['an underscore in the secret', body('abcdefghi9', `_${'Z'.repeat(42)}`)],
    ['a capital prefix', good.replace('pst', 'Pst')],
    ["an administrator's prefix", good.replace('pst', 'psa')],
    ['a dash for the first underscore', good.replace('pst_', 'pst-')],
    ['a dash for the second underscore', good.replace('9_', '9-')],
  ])('%s does not parse, though the checksum is right', (_title, text) => {
    expect(parseAgentKey(withChecksum(text))).toBeUndefined();
  });

  test.each([1, -1, 62, -62])('a checksum off by %d does not parse', (offset) => {
    expect(parseAgentKey(withChecksum(good, offset))).toBeUndefined();
  });

  test('a checksum that is right modulo 2^32 but greater does not parse', () => {
    const checksum = BigInt(zlibCrc32(good));
    expect(parseAgentKey(good + encodeBase62(checksum, 6))).toBeDefined();
    expect(parseAgentKey(good + encodeBase62(checksum + 2n ** 32n, 6))).toBeUndefined();
  });

  test.each([
    '',
    'pst_',
    ' ',
    'x'.repeat(64),
    `${withChecksum(good)} `,
    ` ${withChecksum(good)}`,
    `${withChecksum(good)}\n`,
  ])('%j does not parse', (text) => {
    expect(parseAgentKey(text)).toBeUndefined();
  });

  test('the character test by position agrees with the format', () => {
    const key = withChecksum(good);
    for (let position = 0; position < key.length; position++) {
      expect(fitsAgentKeyAt(position, key.charCodeAt(position))).toBe(true);
      expect(fitsAgentKeyAt(position, 0x2d)).toBe(false);
      expect(fitsAgentKeyAt(position, Number.NaN)).toBe(false);
    }
  });
});

describe("administrators' tokens", () => {
  test('are told by their format, and no agent key is one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 48 }), (bytes) => {
        const token = generateAdminToken(randomOf(bytes));
        expect(token).toMatch(/^psa_[0-9A-Za-z]{49}$/);
        expect(isAdminToken(token)).toBe(true);
        expect(parseAgentKey(token)).toBeUndefined();
        expect(isAdminToken(generateAgentKey(randomOf(bytes)).key)).toBe(false);
      }),
    );
  });

  const body = `psa_${'k'.repeat(43)}`;
  test.each([
    ['43 characters and the checksum', withChecksum(body), true],
    ['42 characters', withChecksum(body.slice(0, -1)), false],
    ['44 characters', withChecksum(`${body}k`), false],
    ['a checksum off by one', withChecksum(body, 1), false],
    ["an agent key's prefix", withChecksum(body.replace('psa', 'pst')), false],
    ['a space after it', `${withChecksum(body)} `, false],
    ['nothing', '', false],
  ])('%s: %s', (_title, text, expected) => {
    expect(isAdminToken(text)).toBe(expected);
  });
});

test('the checksum is the one of gzip', () => {
  expect(crc32('123456789', 9)).toBe(0xcbf43926);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 100 }), (text) => {
      expect(crc32(text, text.length)).toBe(zlibCrc32(text));
    }),
  );
});
