import { createCipheriv, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SecretEnvelope } from './envelope.ts';
import type { KeyRing } from './key-ring.ts';
import type { SecretReference } from './secret-reference.ts';
import { createVault } from './vault.ts';
import { VaultError, type VaultErrorCode } from './vault-error.ts';

const OLD = new Uint8Array(32).fill(1);
const NEW = new Uint8Array(32).fill(2);
const oldRing: KeyRing = { active: 'old', keys: { old: OLD } };
const bothRing: KeyRing = { active: 'new', keys: { new: NEW, old: OLD } };
const newRing: KeyRing = { active: 'new', keys: { new: NEW } };
const reference: SecretReference = { tenant: 'default', name: 'github-token', version: 1 };
const SECRET = 'ghp_a-secret-of-github';
const bytes = new TextEncoder().encode(SECRET);

function codeOf(task: () => unknown): VaultErrorCode {
  try {
    task();
  } catch (error) {
    if (error instanceof VaultError) {
      expect(JSON.stringify([error.message, error.stack, error])).not.toContain(SECRET);
      return error.code;
    }
    throw error;
  }
  throw new Error('Nothing was thrown.');
}

function flipBit(base64: string): string {
  const buffer = Buffer.from(base64, 'base64');
  buffer[0] = (buffer[0] ?? 0) ^ 1;
  return buffer.toString('base64');
}

describe('seal and open', () => {
  test('any bytes come back for the reference they were sealed under, also through JSON', () => {
    const vault = createVault({ keyRing: bothRing });
    const name = fc.string({ minLength: 1, unit: 'grapheme' });
    const version = fc.integer({ min: 1 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), name, name, version, (value, tenant, secretName, number) => {
        const own = { tenant, name: secretName, version: number };
        const envelope: SecretEnvelope = JSON.parse(JSON.stringify(vault.seal(own, value)));
        expect(vault.open(own, envelope)).toStrictEqual(new Uint8Array(value));
      }),
    );
  });

  test('the envelope is a plain object of base64 strings and the id of the active key', () => {
    const envelope = createVault({ keyRing: bothRing }).seal(reference, bytes);
    expect(Object.keys(envelope)).toEqual(['v', 'kekId', 'wrapNonce', 'wrappedKey', 'nonce', 'ciphertext']);
    expect(envelope).toMatchObject({ v: 1, kekId: 'new' });
    const size = (text: string) => Buffer.from(text, 'base64').length;
    expect(size(envelope.nonce)).toBe(12);
    expect(size(envelope.wrapNonce)).toBe(12);
    expect(size(envelope.wrappedKey)).toBe(32 + 16);
    expect(size(envelope.ciphertext)).toBe(bytes.length + 16);
  });

  test('two envelopes of the same secret share no key, nonce or ciphertext', () => {
    const vault = createVault({ keyRing: bothRing });
    const [one, other] = [vault.seal(reference, bytes), vault.seal(reference, bytes)];
    for (const field of ['wrapNonce', 'wrappedKey', 'nonce', 'ciphertext'] as const)
      expect(one[field]).not.toBe(other[field]);
  });

  test('the format is the documented one: made here from its parts, it opens', () => {
    const kek = Buffer.from(hkdfSync('sha256', NEW, '', 'postern/vault/kek/v1', 32));
    const dataKey = Buffer.alloc(32, 9);
    const nonce = Buffer.alloc(12, 5);
    const field = (text: string) => [0, 0, 0, Buffer.byteLength(text), ...Buffer.from(text)];
    const encryptUnder = (key: Buffer, domain: string, plain: Uint8Array) => {
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(Buffer.from([...field(domain), ...field('default'), ...field('github-token'), ...field('1')]));
      return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64');
    };
    const envelope: SecretEnvelope = {
      v: 1,
      kekId: 'new',
      wrapNonce: nonce.toString('base64'),
      wrappedKey: encryptUnder(kek, 'postern/vault/wrap/v1', dataKey),
      nonce: nonce.toString('base64'),
      ciphertext: encryptUnder(dataKey, 'postern/vault/secret/v1', bytes),
    };
    expect(createVault({ keyRing: newRing }).open(reference, envelope)).toStrictEqual(bytes);
  });

  test.each<[string, SecretReference]>([
    ['another tenant', { ...reference, tenant: 'other' }],
    ['another name', { ...reference, name: 'github-token2' }],
    ['another version', { ...reference, version: 2 }],
    ['the border between tenant and name moved', { tenant: 'defaultg', name: 'ithub-token', version: 1 }],
    ['the border between name and version moved', { tenant: 'default', name: 'github-toke', version: 1 }],
  ])('%s does not open it, nor rewrap it', (_title, other) => {
    const vault = createVault({ keyRing: bothRing });
    const envelope = vault.seal(reference, bytes);
    expect(codeOf(() => vault.open(other, envelope))).toBe('open_failed');
    expect(codeOf(() => vault.rewrap(other, envelope))).toBe('open_failed');
  });

  test.each(['wrapNonce', 'wrappedKey', 'nonce', 'ciphertext'] as const)(
    'one changed bit of %s does not open',
    (field) => {
      const vault = createVault({ keyRing: bothRing });
      const envelope = vault.seal(reference, bytes);
      const changed = { ...envelope, [field]: flipBit(envelope[field]) };
      expect(codeOf(() => vault.open(reference, changed))).toBe('open_failed');
      expect(vault.open(reference, envelope)).toStrictEqual(bytes);
    },
  );

  test('parts of two envelopes of one secret do not mix', () => {
    const vault = createVault({ keyRing: bothRing });
    const [one, other] = [vault.seal(reference, bytes), vault.seal(reference, bytes)];
    expect(codeOf(() => vault.open(reference, { ...one, nonce: other.nonce, ciphertext: other.ciphertext }))).toBe(
      'open_failed',
    );
  });

  test('a key id that the ring lacks is told apart from a wrong key under a known id', () => {
    const envelope = createVault({ keyRing: oldRing }).seal(reference, bytes);
    expect(codeOf(() => createVault({ keyRing: newRing }).open(reference, envelope))).toBe('unknown_key');
    expect(codeOf(() => createVault({ keyRing: newRing }).rewrap(reference, envelope))).toBe('unknown_key');
    const impostor = createVault({ keyRing: { active: 'old', keys: { old: NEW } } });
    expect(codeOf(() => impostor.open(reference, envelope))).toBe('open_failed');
    expect(codeOf(() => impostor.open(reference, { ...envelope, kekId: 'constructor' }))).toBe('unknown_key');
  });
});

describe('rewrap', () => {
  test('moves an envelope to the active key, leaves the ciphertext, and then opens without the old key', () => {
    const envelope = createVault({ keyRing: oldRing }).seal(reference, bytes);
    const moved = createVault({ keyRing: bothRing }).rewrap(reference, envelope);
    expect(moved).toEqual({ ...envelope, kekId: 'new', wrapNonce: expect.any(String), wrappedKey: expect.any(String) });
    expect(moved.wrapNonce).not.toBe(envelope.wrapNonce);
    expect(moved.wrappedKey).not.toBe(envelope.wrappedKey);
    expect(createVault({ keyRing: newRing }).open(reference, moved)).toStrictEqual(bytes);
    expect(codeOf(() => createVault({ keyRing: oldRing }).open(reference, moved))).toBe('unknown_key');
  });
});

describe('bad input', () => {
  const vault = createVault({ keyRing: bothRing });

  test.each<[string, SecretReference]>([
    ['an empty tenant', { ...reference, tenant: '' }],
    ['an empty name', { ...reference, name: '' }],
    ['half a surrogate pair in the tenant', { ...reference, tenant: 'a\ud800' }],
    ['half a surrogate pair in the name', { ...reference, name: '\udc00' }],
    ['version 0', { ...reference, version: 0 }],
    ['a negative version', { ...reference, version: -1 }],
    ['a broken version', { ...reference, version: 1.5 }],
    ['a version beyond the safe integers', { ...reference, version: 2 ** 53 }],
  ])('%s is refused by seal and open', (_title, bad) => {
    expect(codeOf(() => vault.seal(bad, bytes))).toBe('invalid_reference');
    expect(codeOf(() => vault.open(bad, vault.seal(reference, bytes)))).toBe('invalid_reference');
  });

  const envelope = vault.seal(reference, bytes);
  test.each<[string, unknown]>([
    ['null', null],
    ['no object', 'envelope'],
    ['another version of the format', { ...envelope, v: 2 }],
    ['no key id', { ...envelope, kekId: '' }],
    ['a nonce of 11 bytes', { ...envelope, nonce: Buffer.alloc(11).toString('base64') }],
    ['a nonce of 13 bytes', { ...envelope, nonce: Buffer.alloc(13).toString('base64') }],
    ['a wrapping nonce of 16 bytes', { ...envelope, wrapNonce: Buffer.alloc(16).toString('base64') }],
    ['a wrapped key of 47 bytes', { ...envelope, wrappedKey: Buffer.alloc(47).toString('base64') }],
    ['a ciphertext shorter than its tag', { ...envelope, ciphertext: Buffer.alloc(15).toString('base64') }],
    ['base64 of the other alphabet', { ...envelope, nonce: '----____----____' }],
    ['base64 without padding', { ...envelope, ciphertext: Buffer.alloc(17).toString('base64').replace(/=+$/, '') }],
    ['base64 with line breaks', { ...envelope, nonce: `${envelope.nonce}\n` }],
    ['bytes in place of text', { ...envelope, ciphertext: Buffer.alloc(32) }],
  ])('%s is refused as an envelope', (_title, bad) => {
    expect(codeOf(() => vault.open(reference, bad as SecretEnvelope))).toBe('invalid_envelope');
    expect(codeOf(() => vault.rewrap(reference, bad as SecretEnvelope))).toBe('invalid_envelope');
  });

  test('a ciphertext of only a tag is an envelope of the empty secret, not a malformed one', () => {
    const empty = vault.seal(reference, new Uint8Array(0));
    expect(vault.open(reference, empty)).toStrictEqual(new Uint8Array(0));
  });
});

describe('memory', () => {
  test('data keys are overwritten after seal, and the bytes of the caller are left alone', () => {
    const taken: Uint8Array[] = [];
    const vault = createVault({
      keyRing: newRing,
      random: (size) => {
        const made = new Uint8Array(size).fill(7);
        taken.push(made);
        return made;
      },
    });
    const value = new Uint8Array(bytes);
    vault.seal(reference, value);
    expect(taken.map(({ length }) => length)).toEqual([32, 12, 12]);
    expect(taken[0]).toStrictEqual(new Uint8Array(32));
    expect(value).toStrictEqual(bytes);
  });

  test('the vault keeps no array of the ring: the caller may overwrite the master keys', () => {
    const own = new Uint8Array(NEW);
    const vault = createVault({ keyRing: { active: 'new', keys: { new: own } } });
    own.fill(0);
    expect(createVault({ keyRing: newRing }).open(reference, vault.seal(reference, bytes))).toStrictEqual(bytes);
  });

  test('opened bytes lie in memory of their own', () => {
    const vault = createVault({ keyRing: newRing });
    const opened = vault.open(reference, vault.seal(reference, bytes));
    expect(opened.buffer.byteLength).toBe(bytes.length);
  });
});
