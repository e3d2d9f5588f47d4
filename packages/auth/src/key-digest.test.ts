import { createHmac, createSecretKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { generateAgentKey } from './agent-key.ts';
import { type HmacKey, keyDigest, verifyKeyDigest } from './key-digest.ts';

const hmacKey = (keyId: string, fill: number): HmacKey => ({ keyId, key: createSecretKey(Buffer.alloc(32, fill)) });
const oldKey = hmacKey('old', 1);
const newKey = hmacKey('new', 2);
const { key } = generateAgentKey();

test('a digest is HMAC-SHA-256 with the id of its key', () => {
  const expected = createHmac('sha256', Buffer.alloc(32, 1)).update(key).digest();
  expect(keyDigest(key, oldKey)).toStrictEqual({ keyId: 'old', digest: new Uint8Array(expected) });
});

test('a digest verifies under its own key, also when another has become the active one', () => {
  const stored = keyDigest(key, oldKey);
  expect(verifyKeyDigest(key, stored, [oldKey])).toBe(true);
  expect(verifyKeyDigest(key, stored, [newKey, oldKey])).toBe(true);
});

test.each<[string, string, HmacKey[]]>([
  ['another agent key', generateAgentKey().key, [newKey, oldKey]],
  ['a cut key', key.slice(0, -1), [oldKey]],
  ['nothing', '', [oldKey]],
  ['a ring without the key id', key, [newKey]],
  ['an empty ring', key, []],
  ['other bytes under the same key id', key, [hmacKey('old', 2)]],
])('%s does not verify', (_title, text, hmacKeys) => {
  expect(verifyKeyDigest(text, keyDigest(key, oldKey), hmacKeys)).toBe(false);
});

test('a stored digest of another length, or with one changed bit, does not verify', () => {
  const stored = keyDigest(key, oldKey);
  expect(verifyKeyDigest(key, { ...stored, digest: stored.digest.subarray(0, 31) }, [oldKey])).toBe(false);
  expect(verifyKeyDigest(key, { ...stored, digest: new Uint8Array(0) }, [oldKey])).toBe(false);
  expect(verifyKeyDigest(key, { ...stored, digest: new Uint8Array([...stored.digest, 0]) }, [oldKey])).toBe(false);
  const changed = stored.digest.with(31, (stored.digest[31] ?? 0) ^ 1);
  expect(verifyKeyDigest(key, { ...stored, digest: changed }, [oldKey])).toBe(false);
});
