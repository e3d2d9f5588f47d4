import { createHmac } from 'node:crypto';
import { readWebhookSecrets, type WebhookSecret } from './webhook-secret.ts';

/** What is signed: the same id for every try of one message, the time of this try, the exact body. */
export interface WebhookMessage {
  /** 1 to 256 visible ASCII characters without a full stop. */
  readonly id: string;
  /** Of this try, in whole seconds since the epoch. */
  readonly timestamp: number;
  /** Text is signed as UTF-8. */
  readonly body: Uint8Array | string;
  /** One, or several during a rotation: each gives a signature, in this order. */
  readonly secret: WebhookSecret | readonly WebhookSecret[];
}

export type WebhookHeaders = Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>>;

/**
 * The three headers of a Standard Webhooks message (version 1.0.0), signatures `v1` (HMAC-SHA-256).
 *
 * @throws WebhookSecretError, and TypeError for an id, a time or a body that cannot be signed
 */
export function signWebhook(message: WebhookMessage): WebhookHeaders {
  const { id, timestamp, body } = message;
  if (!isWebhookId(id)) throw new TypeError('The id of a webhook must be visible ASCII without a full stop.');
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new TypeError('The timestamp of a webhook must be whole seconds since the epoch.');
  }
  if (typeof body === 'string' && !body.isWellFormed()) throw new TypeError('The body must be well-formed text.');
  const secrets = readWebhookSecrets(message.secret);
  const signatures = secrets.map(
    (key) => `v1,${webhookMac(key, { id, timestamp: String(timestamp), body }).toString('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}

/** A full stop in the id would let one signature stand for two messages: `{id}.{timestamp}.{body}` is what is signed. */
export function isWebhookId(id: unknown): id is string {
  return typeof id === 'string' && /^[\x21-\x2d\x2f-\x7e]{1,256}$/.test(id);
}

/** `timestamp` as it stands in the header. */
export function webhookMac(
  key: Uint8Array,
  message: { readonly id: string; readonly timestamp: string; readonly body: Uint8Array | string },
): Buffer {
  return createHmac('sha256', key).update(`${message.id}.${message.timestamp}.`, 'utf8').update(message.body).digest();
}
