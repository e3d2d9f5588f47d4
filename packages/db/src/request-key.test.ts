import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestKey } from './request-key.ts';

test('the key of a UUIDv7 is its time', () => {
  expect(requestKey('0190163d-8694-739b-aea5-966c26f8ad91')).toBe(0x0190163d8694);
  expect(requestKey('ffffffff-ffff-7fff-bfff-ffffffffffff')).toBe(2 ** 48 - 1);
});

test.each([
  '0190163d-8694-439b-aea5-966c26f8ad91',
  '0190163d-8694-739b-cea5-966c26f8ad91',
  '0190163D-8694-739B-AEA5-966C26F8AD91',
])('the key of %s, which is no UUIDv7 as we write it, is a hash', (requestId) => {
  expect(requestKey(requestId)).toBeLessThan(2 ** 32);
});

test('the hash is FNV-1a', () => {
  // Test vectors of draft-eastlake-fnv-21, appendix C.
  expect(requestKey('')).toBe(0x811c9dc5);
  expect(requestKey('a')).toBe(0xe40c292c);
  expect(requestKey('foobar')).toBe(0xbf9cf968);
});

test('every text has a key that all engines can hold', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.uuid({ version: 7 })), (requestId) => {
      const key = requestKey(requestId);
      expect(Number.isSafeInteger(key) && key >= 0).toBe(true);
      expect(requestKey(requestId)).toBe(key);
    }),
  );
});
