import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { signWebhook } from './sign-webhook.ts';
import { verifyWebhook } from './verify-webhook.ts';

/** The library judges by the system's clock, so these messages are of now. */
const nowSeconds = () => Math.floor(Date.now() / 1_000);

const secrets = fc
  .uint8Array({ minLength: 24, maxLength: 64 })
  .map((bytes) => `whsec_${Buffer.from(bytes).toString('base64')}`);
const ids = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
/** The library reads bodies as text, and verifies those that are JSON. */
const bodies = fc
  .jsonValue()
  .map((value) => JSON.stringify(value))
  .filter((text) => text.isWellFormed());

describe('against the library of Standard Webhooks', () => {
  test('it accepts what we sign, as text and as bytes', () => {
    fc.assert(
      fc.property(secrets, ids, bodies, fc.boolean(), (secret, id, body, asBytes) => {
        const sent = asBytes ? new TextEncoder().encode(body) : body;
        const headers = signWebhook({ id, timestamp: nowSeconds(), body: sent, secret });
        expect(new Webhook(secret).verify(body, { ...headers })).toEqual(JSON.parse(body));
      }),
    );
  });

  test('we accept what it signs, and both make the same signature', () => {
    fc.assert(
      fc.property(secrets, ids, bodies, fc.integer({ min: 0, max: 2 ** 40 }), (secret, id, body, timestamp) => {
        const signature = new Webhook(secret).sign(id, new Date(timestamp * 1_000), body);
        const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };
        expect(verifyWebhook({ headers, body, secrets: secret, now: timestamp })).toBe(true);
        expect(signWebhook({ id, timestamp, body, secret })['webhook-signature']).toBe(signature);
      }),
    );
  });

  test('during a rotation it accepts our message with the old secret and with the new one, and with no other', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(secrets, { minLength: 3, maxLength: 3 }),
        bodies,
        ([first = '', second = '', third = ''], body) => {
          const headers = signWebhook({ id: 'msg_1', timestamp: nowSeconds(), body, secret: [first, second] });
          expect(new Webhook(first).verify(body, { ...headers })).toEqual(JSON.parse(body));
          expect(new Webhook(second).verify(body, { ...headers })).toEqual(JSON.parse(body));
          expect(() => new Webhook(third).verify(body, { ...headers })).toThrow('No matching signature');
        },
      ),
    );
  });

  test('neither accepts a message in which one byte was changed', () => {
    fc.assert(
      fc.property(secrets, bodies, fc.nat(), (secret, body, place) => {
        const timestamp = nowSeconds();
        const headers = signWebhook({ id: 'msg_1', timestamp, body, secret });
        const bytes = new TextEncoder().encode(body);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        expect(verifyWebhook({ headers, body: bytes, secrets: secret, now: timestamp })).toBe(false);
        expect(() => new Webhook(secret).verify(Buffer.from(bytes).toString(), { ...headers })).toThrow();
      }),
    );
  });
});
