import { describe, expect, test } from 'vitest';
import { signWebhook } from './sign-webhook.ts';

/** Published with the reference libraries. */
const VECTOR = {
  id: 'msg_27UH4WbU6Z5A5EzD8u03UvzRbpk',
  timestamp: 1_649_367_553,
  body: '{"email":"test@example.com","username":"test_user"}',
  secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD',
};

describe('signWebhook', () => {
  test('makes the published signature of the published message', () => {
    expect(signWebhook(VECTOR)).toEqual({
      'webhook-id': VECTOR.id,
      'webhook-timestamp': '1649367553',
      'webhook-signature': 'v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=',
    });
  });

  test('signs bytes that are no text as they are', () => {
    const other = { ...VECTOR, body: Uint8Array.of(0xff, 0x00) };
    const replaced = { ...VECTOR, body: '\ufffd\0' };
    expect(signWebhook(other)['webhook-signature']).not.toBe(signWebhook(replaced)['webhook-signature']);
  });

  test('gives one signature for each secret, in their order', () => {
    const second = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    const [one, two] = [VECTOR.secret, second].map((secret) => signWebhook({ ...VECTOR, secret })['webhook-signature']);
    expect(signWebhook({ ...VECTOR, secret: [VECTOR.secret, second] })['webhook-signature']).toBe(`${one} ${two}`);
  });

  test.each([
    ['a full stop in the id, which would let two messages share a signature', { id: 'msg.1' }],
    ['an empty id', { id: '' }],
    ['an id of 257 characters', { id: 'x'.repeat(257) }],
    ['a line break in the id', { id: 'a\r\nb' }],
    ['an id beyond ASCII', { id: 'é' }],
    ['milliseconds with a fraction of a second', { timestamp: 1.5 }],
    ['a negative time', { timestamp: -1 }],
    ['no time', { timestamp: Number.NaN }],
    ['half of a surrogate pair', { body: 'a\ud800' }],
  ])('refuses %s', (_name, change) => {
    expect(() => signWebhook({ ...VECTOR, ...change })).toThrow(TypeError);
  });

  test('takes an id of 256 characters and the time 0', () => {
    expect(signWebhook({ ...VECTOR, id: 'x'.repeat(256), timestamp: 0 })['webhook-timestamp']).toBe('0');
  });
});
