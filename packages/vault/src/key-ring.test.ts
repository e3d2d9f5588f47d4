import { describe, expect, test } from 'vitest';
import { checkKeyRing, generateMasterKey, parseKeyRing } from './key-ring.ts';
import { VaultError } from './vault-error.ts';

const key = (fill: number, size = 32) => Buffer.alloc(size, fill).toString('base64');

describe('parseKeyRing', () => {
  test('the first key is active and all are held', () => {
    const ring = parseKeyRing(`k2:${key(2)},k1:${key(1)}`);
    expect(ring.active).toBe('k2');
    expect(ring.keys).toStrictEqual({ k2: new Uint8Array(32).fill(2), k1: new Uint8Array(32).fill(1) });
  });

  test('white space around entries, as at the end of a file, is ignored', () => {
    expect(parseKeyRing(` a:${key(1)} ,\n b:${key(2)}\n`)).toEqual(parseKeyRing(`a:${key(1)},b:${key(2)}`));
  });

  test('ids of 32 characters pass, of 33 not', () => {
    expect(parseKeyRing(`${'a'.repeat(32)}:${key(1)}`).active).toBe('a'.repeat(32));
    expect(() => parseKeyRing(`${'a'.repeat(33)}:${key(1)}`)).toThrow('unusable id');
  });

  test.each([
    ['an empty text', '', 'Key 1 is empty; expected id:base64.'],
    ['a comma at the end', `a:${key(1)},`, 'Key 2 is empty; expected id:base64.'],
    ['a key without id', key(1), 'Key 1 has no colon; expected id:base64.'],
    ['an empty id', `:${key(1)}`, 'Key 1 has an unusable id'],
    ['a key in the place of the id', `${key(1)}:a`, 'Key 1 has an unusable id'],
    ['31 bytes', `a:${key(1, 31)}`, 'Key 1 has 31 bytes; expected 32.'],
    ['33 bytes', `a:${key(1)},b:${key(2, 33)}`, 'Key 2 has 33 bytes; expected 32.'],
    ['no bytes', 'a:', 'Key 1 has 0 bytes; expected 32.'],
    ['base64 without padding', `a:${key(1).replace('=', '')}`, 'Key 1 is not standard base64'],
    [
      'base64 of the other alphabet',
      `a:${key(0xfb).replaceAll('+', '-').replaceAll('/', '_')}`,
      'Key 1 is not standard base64',
    ],
    ['hexadecimal digits', `a:${'0f'.repeat(32)}`, 'Key 1 has 48 bytes; expected 32.'],
    ['one id twice', `a:${key(1)},a:${key(2)}`, 'Key 2 has the id of an earlier key'],
    ['one key under two ids', `a:${key(1)},b:${key(2)},c:${key(1)}`, 'Key 3 has the same bytes as key 1.'],
  ])('%s is refused with a message that names the fault and shows no key', (_title, text, message) => {
    let caught: unknown;
    try {
      parseKeyRing(text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(VaultError);
    expect(caught).toMatchObject({ code: 'invalid_key_ring', message: expect.stringContaining(message) });
    expect((caught as Error).message).not.toMatch(/[A-Za-z0-9+/]{20}/);
  });

  test('128 keys pass, 129 not', () => {
    const text = (count: number) => Array.from({ length: count }, (_, index) => `k${index}:${key(index)}`).join(',');
    expect(Object.keys(parseKeyRing(text(128)).keys)).toHaveLength(128);
    expect(() => parseKeyRing(text(129))).toThrow('at most 128');
  });
});

describe('checkKeyRing', () => {
  const bytes = new Uint8Array(32);

  test.each<[string, { active: string; keys: Record<string, Uint8Array> }]>([
    ['no key at all', { active: 'a', keys: {} }],
    ['an active key that is not in the ring', { active: 'b', keys: { a: bytes } }],
    ['an active key that every object inherits', { active: 'toString', keys: { a: bytes } }],
    ['a key of 16 bytes', { active: 'a', keys: { a: new Uint8Array(16) } }],
    ['an id with a colon', { active: 'a:b', keys: { 'a:b': bytes } }],
  ])('refuses %s', (_title, ring) => {
    expect(() => checkKeyRing(ring)).toThrow(VaultError);
    expect(() => checkKeyRing({ active: 'a', keys: { a: bytes } })).not.toThrow();
  });
});

describe('generateMasterKey', () => {
  test('makes another key with another id each time, which parseKeyRing reads', () => {
    const [one, other] = [parseKeyRing(generateMasterKey()), parseKeyRing(generateMasterKey())];
    expect(one.active).toMatch(/^k-[0-9a-f]{8}$/);
    expect(one.active).not.toBe(other.active);
    expect(one.keys[one.active]).not.toEqual(other.keys[other.active]);
  });

  test('takes its bytes from the given source', () => {
    expect(generateMasterKey((size) => new Uint8Array(size).fill(1))).toBe(`k-01010101:${key(1)}`);
  });
});
