import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signWebhook } from './sign-webhook.ts';
import { verifyWebhook, type WebhookHeaderSource } from './verify-webhook.ts';
import { WebhookSecretError } from './webhook-secret.ts';

const secret = `whsec_${Buffer.alloc(24, 3).toString('base64')}`;
const otherSecret = `whsec_${Buffer.alloc(24, 4).toString('base64')}`;
const now = 1_700_000_000;
const body = '{"type":"approval.created"}';
const signed = signWebhook({ id: 'msg_1', timestamp: now, body, secret });
const verify = (headers: WebhookHeaderSource, change: object = {}) =>
  verifyWebhook({ headers, body, secrets: secret, now, ...change });

describe('verifyWebhook', () => {
  test('accepts the message, as text and as bytes, with headers in any case and of any kind', () => {
    expect(verify({ ...signed })).toBe(true);
    expect(verify({ ...signed }, { body: new TextEncoder().encode(body) })).toBe(true);
    expect(verify(new Headers({ ...signed }))).toBe(true);
    expect(verify(Object.fromEntries(Object.entries(signed).map(([name, value]) => [name.toUpperCase(), value])))).toBe(
      true,
    );
    expect(verify(Object.fromEntries(Object.entries(signed).map(([name, value]) => [name, [value]])))).toBe(true);
  });

  test('accepts a message that any of the secrets signed', () => {
    expect(verify({ ...signed }, { secrets: [otherSecret, secret] })).toBe(true);
    expect(verify({ ...signed }, { secrets: [otherSecret] })).toBe(false);
  });

  test.each([
    [-301, false],
    [-300, true],
    [300, true],
    [301, false],
  ])('with a clock %i seconds off answers %s', (seconds, isRight) => {
    expect(verify({ ...signed }, { now: now + seconds })).toBe(isRight);
    expect(verify({ ...signed }, { now: new Date((now + seconds) * 1_000) })).toBe(isRight);
  });

  test('keeps to another tolerance', () => {
    expect(verify({ ...signed }, { now: now + 1, toleranceSeconds: 0 })).toBe(false);
    expect(verify({ ...signed }, { now: now + 0.9, toleranceSeconds: 0 })).toBe(true);
  });

  test('without a clock of the caller takes the system’s', () => {
    const fresh = signWebhook({ id: 'msg_1', timestamp: Math.floor(Date.now() / 1_000), body, secret });
    expect(verifyWebhook({ headers: { ...fresh }, body, secrets: secret })).toBe(true);
    expect(verifyWebhook({ headers: { ...signed }, body, secrets: secret })).toBe(false);
  });

  test('with a clock or a tolerance that is no number accepts nothing', () => {
    expect(verify({ ...signed }, { now: Number.NaN })).toBe(false);
    expect(verify({ ...signed }, { toleranceSeconds: Number.NaN })).toBe(false);
    expect(verify({ ...signed }, { now: new Date(Number.NaN) })).toBe(false);
  });

  test.each([
    ['no id', { 'webhook-id': undefined }],
    ['no timestamp', { 'webhook-timestamp': undefined }],
    ['no signature', { 'webhook-signature': undefined }],
    ['another id', { 'webhook-id': 'msg_2' }],
    ['a later timestamp', { 'webhook-timestamp': String(now + 1) }],
    ['a timestamp written otherwise', { 'webhook-timestamp': `0${now}` }],
    ['a timestamp with a sign', { 'webhook-timestamp': `+${now}` }],
    ['a timestamp with a fraction', { 'webhook-timestamp': `${now}.0` }],
    ['an empty timestamp', { 'webhook-timestamp': '' }],
    ['a signature without its version', { 'webhook-signature': signed['webhook-signature'].slice(3) }],
    ['a signature of another version', { 'webhook-signature': signed['webhook-signature'].replace('v1,', 'v1a,') }],
    ['an empty signature', { 'webhook-signature': 'v1,' }],
    ['a signature that is cut', { 'webhook-signature': signed['webhook-signature'].slice(0, -4) }],
    ['a signature with something behind', { 'webhook-signature': `${signed['webhook-signature']}A` }],
    ['the field twice', { 'webhook-id': ['msg_1', 'msg_1'] }],
    ['the field twice in two cases', { 'Webhook-Id': 'msg_1' }],
  ])('refuses a message with %s', (_name, change) => {
    expect(verify({ ...signed, ...change })).toBe(false);
  });

  test('reads a dot in the id as part of nothing: one signature never fits two messages', () => {
    // What is signed of both would be `a.1.1700000000.x`.
    const headers = signWebhook({ id: 'a', timestamp: 1, body: `${now}.x`, secret });
    expect(
      verifyWebhook({
        headers: { ...headers, 'webhook-id': 'a.1', 'webhook-timestamp': String(now) },
        body: 'x',
        secrets: secret,
        now,
      }),
    ).toBe(false);
  });

  test('finds the right signature among sixteen, and reads no seventeenth', () => {
    const others = (count: number) => Array.from({ length: count }, () => `v1,${Buffer.alloc(32).toString('base64')}`);
    const list = (count: number) => ({
      ...signed,
      'webhook-signature': [...others(count), signed['webhook-signature']].join(' '),
    });
    expect(verify(list(15))).toBe(true);
    const first = [signed['webhook-signature'], ...others(15)].join(' ');
    expect(verify({ ...signed, 'webhook-signature': first }, { secrets: [secret, otherSecret] })).toBe(true);
    expect(verify(list(16))).toBe(false);
  });

  test('never throws for what a sender wrote', () => {
    const header = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
    fc.assert(
      fc.property(header, header, header, fc.uint8Array(), (id, timestamp, signature, bytes) => {
        const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
        expect(verify(headers, { body: bytes })).toBe(false);
      }),
    );
  });

  test('throws for a secret of the receiver’s that cannot be one, and for none', () => {
    expect(() => verify({ ...signed }, { secrets: 'hunter2' })).toThrow(WebhookSecretError);
    expect(() => verify({ ...signed }, { secrets: [] })).toThrow(WebhookSecretError);
  });
});
