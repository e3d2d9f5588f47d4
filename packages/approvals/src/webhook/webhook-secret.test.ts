import { describe, expect, test } from 'vitest';
import { readWebhookSecret, readWebhookSecrets, WebhookSecretError } from './webhook-secret.ts';

const textOf = (length: number, fill = 7) => `whsec_${Buffer.alloc(length, fill).toString('base64')}`;

describe('a webhook secret', () => {
  test.each([24, 25, 26, 32, 63, 64])(
    'may have %i bytes, in base64 with and without padding, or as bytes',
    (length) => {
      const bytes = new Uint8Array(length).fill(7);
      expect([...readWebhookSecret(textOf(length))]).toEqual([...bytes]);
      expect([...readWebhookSecret(textOf(length).replace(/=+$/, ''))]).toEqual([...bytes]);
      expect(readWebhookSecret(bytes)).toBe(bytes);
    },
  );

  test.each([
    ['23 bytes', textOf(23)],
    ['65 bytes', textOf(65)],
    ['nothing behind the prefix', 'whsec_'],
    ['base64 without the prefix', textOf(32).slice(6)],
    ['plain text', 'correct horse battery staple, and more'],
    ['an empty text', ''],
    ['a prefix in capitals', textOf(32).replace('whsec_', 'WHSEC_')],
    ['the key of another scheme', textOf(32).replace('whsec_', 'whsk_')],
    ['base64 of the other alphabet', `whsec_${Buffer.alloc(24, 0xfb).toString('base64url')}`],
    ['a line feed at the end', `${textOf(24)}\n`],
    ['bits behind the last byte', `${textOf(25, 0).slice(0, -3)}B==`],
    ['23 raw bytes', new Uint8Array(23)],
    ['65 raw bytes', new Uint8Array(65)],
  ])('is refused as %s', (_name, secret) => {
    expect(() => readWebhookSecret(secret)).toThrow(WebhookSecretError);
  });

  test('is not told by the error', () => {
    const text = 'whsec_not-a-secret-that-anybody-may-see';
    expect(() => readWebhookSecret(text)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('anybody') }),
    );
  });

  test('must be there at all', () => {
    expect(() => readWebhookSecrets([])).toThrow(WebhookSecretError);
    expect(() => readWebhookSecrets(undefined as unknown as string)).toThrow(WebhookSecretError);
  });
});
