import { timingSafeEqual } from 'node:crypto';
import { isWebhookId, webhookMac } from './sign-webhook.ts';
import { readWebhookSecrets, type WebhookSecret } from './webhook-secret.ts';

/** Header fields by name in any case, as `node:http` gives them, or an object with `get` such as `Headers`. */
export type WebhookHeaderSource =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | { get(name: string): string | null | undefined };

export interface WebhookToVerify {
  readonly headers: WebhookHeaderSource;
  /** The body as it was received, not parsed and written again. */
  readonly body: Uint8Array | string;
  /** Any of them may have signed. */
  readonly secrets: WebhookSecret | readonly WebhookSecret[];
  /** In seconds since the epoch, as the timestamp beside it, or a Date. Default: the system's clock. */
  readonly now?: number | Date;
  /** How far the timestamp may lie from `now`, before or after, the bound included. Default 300. */
  readonly toleranceSeconds?: number;
}

/** Standard Webhooks leave it to the receiver; the reference libraries take five minutes. */
export const WEBHOOK_TOLERANCE_SECONDS = 300;

/** A header with more is refused: each costs a comparison with every secret. */
const SIGNATURES_MAX = 16;

/**
 * Whether one of `secrets` signed exactly this id, timestamp and body (Standard Webhooks 1.0.0, `v1`), and lately enough. Compared in
 * constant time. Never throws for what a sender wrote.
 *
 * @throws WebhookSecretError when a secret of the receiver's own cannot be one
 */
export function verifyWebhook(webhook: WebhookToVerify): boolean {
  const keys = readWebhookSecrets(webhook.secrets);
  const id = headerOf(webhook.headers, 'webhook-id');
  const timestamp = headerOf(webhook.headers, 'webhook-timestamp');
  const signature = headerOf(webhook.headers, 'webhook-signature');
  if (!isWebhookId(id) || timestamp === undefined || signature === undefined) return false;
  if (!isBody(webhook.body) || !isTimely(timestamp, webhook)) return false;
  const given = readSignatures(signature);
  if (given === undefined) return false;

  let isRight = false;
  for (const key of keys) {
    const expected = webhookMac(key, { id, timestamp, body: webhook.body });
    // All are compared, whichever fits: how long it takes tells nothing of where.
    for (const candidate of given) isRight = timingSafeEqual(candidate, expected) || isRight;
  }
  return isRight;
}

/** A field that comes twice names nothing. */
function headerOf(headers: WebhookHeaderSource, name: string): string | undefined {
  if (isGetter(headers)) return headers.get(name) ?? undefined;
  const values = Object.keys(headers)
    .filter((key) => key.toLowerCase() === name)
    .flatMap((key) => headers[key] ?? []);
  const [value, ...others] = values;
  return others.length === 0 && typeof value === 'string' ? value : undefined;
}

function isGetter(headers: WebhookHeaderSource): headers is { get(name: string): string | null | undefined } {
  return typeof headers['get'] === 'function';
}

function isBody(body: unknown): boolean {
  return body instanceof Uint8Array || (typeof body === 'string' && body.isWellFormed());
}

function isTimely(timestamp: string, { now, toleranceSeconds = WEBHOOK_TOLERANCE_SECONDS }: WebhookToVerify): boolean {
  if (!/^(?:0|[1-9]\d{0,14})$/.test(timestamp)) return false;
  const at = typeof now === 'number' ? now : (now?.getTime() ?? Date.now()) / 1_000;
  return Math.abs(Math.floor(at) - Number(timestamp)) <= toleranceSeconds;
}

/** The `v1` signatures, each 32 bytes. Other versions and other lengths are passed over; undefined when there are too many. */
function readSignatures(header: string): readonly Buffer[] | undefined {
  const words = header.split(' ').filter((word) => word !== '');
  if (words.length > SIGNATURES_MAX) return undefined;
  return words.flatMap((word) => {
    const text = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(word)?.[1];
    const bytes = text === undefined ? undefined : Buffer.from(text, 'base64');
    // One spelling of each signature: the last character has two bits that base64 does not use.
    return bytes !== undefined && bytes.toString('base64') === text ? [bytes] : [];
  });
}
