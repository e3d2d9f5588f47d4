import { expect, test } from 'vitest';
import { deriveKey, deriveKeys } from './derive-key.ts';
import { createLocalKekProvider } from './kek-provider.ts';
import type { KeyRing } from './key-ring.ts';

const ring: KeyRing = { active: 'b', keys: { a: new Uint8Array(32).fill(1), b: new Uint8Array(32).fill(2) } };
const hex = (derived: { key: { export(): Buffer } }) => derived.key.export().toString('hex');

test('a key depends on the master key and on the purpose, and on nothing else', () => {
  const one = deriveKey(ring, 'agent-key');
  expect(one.keyId).toBe('b');
  expect(hex(one)).toBe(hex(deriveKey({ active: 'b', keys: { b: new Uint8Array(32).fill(2) } }, 'agent-key')));
  expect(hex(one)).not.toBe(hex(deriveKey(ring, 'admin-token')));
  expect(hex(one)).not.toBe(hex(deriveKey(ring, 'agent-key', 'a')));
});

test('the derivation stays: stored digests depend on it', () => {
  // Computed apart with OpenSSL: kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:02…02 -kdfopt info:postern/derive/v1/agent-key HKDF
  expect(hex(deriveKey(ring, 'agent-key'))).toBe('560c629c3b693d7c3049a5901c7cabc52b6a485d654aa09154e8be4e426d4217');
});

test('all keys of a purpose come with the active one first', () => {
  expect(deriveKeys(ring, 'agent-key').map(({ keyId }) => keyId)).toEqual(['b', 'a']);
});

test('a key that the ring lacks, or inherits from every object, is unknown', () => {
  expect(() => deriveKey(ring, 'agent-key', 'c')).toThrow(expect.objectContaining({ code: 'unknown_key' }));
  expect(() => deriveKey(ring, 'agent-key', 'constructor')).toThrow(expect.objectContaining({ code: 'unknown_key' }));
});

test.each(['', 'Agent', '-agent', 'agent/key', 'a'.repeat(65)])('the purpose %j is refused', (purpose) => {
  expect(() => deriveKey(ring, purpose)).toThrow(TypeError);
  expect(() => deriveKey(ring, 'a'.repeat(64))).not.toThrow();
});

test('a derived key prints nothing of itself', () => {
  const derived = deriveKey(ring, 'agent-key');
  expect(JSON.stringify(derived)).toBe('{"keyId":"b","key":{}}');
});

test('the local provider refuses other additional data than it wrapped with', () => {
  const kek = createLocalKekProvider(ring);
  const dataKey = new Uint8Array(32).fill(3);
  const wrapped = kek.wrap(dataKey, new Uint8Array([1]));
  expect(wrapped.kekId).toBe(kek.activeId);
  expect(kek.unwrap(wrapped, new Uint8Array([1]))).toStrictEqual(dataKey);
  expect(() => kek.unwrap(wrapped, new Uint8Array([2]))).toThrow(expect.objectContaining({ code: 'open_failed' }));
});
