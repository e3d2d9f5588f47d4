/** Standard Webhooks 1.0.0, "Signature scheme": how a symmetric secret is written, and how long it is. */
export const WEBHOOK_SECRET_PREFIX = 'whsec_';
export const WEBHOOK_SECRET_BYTES_MIN = 24;
export const WEBHOOK_SECRET_BYTES_MAX = 64;

/** `whsec_` + base64, or the key bytes themselves. */
export type WebhookSecret = string | Uint8Array;

/** Why a secret cannot sign. The message says what would be right and never holds the secret. */
export class WebhookSecretError extends Error {
  override readonly name = 'WebhookSecretError';
}

/**
 * The key bytes of a secret.
 *
 * Text must be `whsec_` + base64 (with or without padding) of 24 to 64 bytes. Other text is refused, though some receivers' libraries
 * take it as base64 and others as it is: whatever we chose, half of them would find no signature right.
 *
 * @throws WebhookSecretError
 */
export function readWebhookSecret(secret: WebhookSecret): Uint8Array {
  const bytes = typeof secret === 'string' ? decodeSecret(secret) : secret;
  if (!(bytes instanceof Uint8Array)) {
    throw new WebhookSecretError('A webhook secret must be "whsec_" followed by base64.');
  }
  if (bytes.length < WEBHOOK_SECRET_BYTES_MIN || bytes.length > WEBHOOK_SECRET_BYTES_MAX) {
    throw new WebhookSecretError(
      `A webhook secret must have ${WEBHOOK_SECRET_BYTES_MIN} to ${WEBHOOK_SECRET_BYTES_MAX} bytes.`,
    );
  }
  return bytes;
}

/** Several during a rotation, the newest first; at least one. @throws WebhookSecretError */
export function readWebhookSecrets(secrets: WebhookSecret | readonly WebhookSecret[]): readonly Uint8Array[] {
  const list = typeof secrets === 'string' || secrets instanceof Uint8Array ? [secrets] : secrets;
  if (!Array.isArray(list) || list.length === 0) throw new WebhookSecretError('There must be a webhook secret.');
  return list.map(readWebhookSecret);
}

function decodeSecret(text: string): Uint8Array | undefined {
  if (!text.startsWith(WEBHOOK_SECRET_PREFIX)) return undefined;
  const written = text.slice(WEBHOOK_SECRET_PREFIX.length);
  const bytes = Buffer.from(written, 'base64');
  const canonical = bytes.toString('base64');
  // Node skips what it does not know, so the way back is the check. Some tools leave the padding out.
  return written === canonical || written === canonical.replace(/=+$/, '') ? bytes : undefined;
}
