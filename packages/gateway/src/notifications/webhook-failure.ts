/** Why a message did not reach its receiver, or why nothing is known of it. A closed list: it is told to administrators and stands in the log. */
export const WEBHOOK_ERROR_CODES = [
  'address_forbidden',
  'resolve_failed',
  'cleartext_refused',
  'secret_unavailable',
  'secret_invalid',
  'endpoint_removed',
  'unreachable',
  'reset',
  'timeout',
  'redirected',
  'audit_unavailable',
  'send_failed',
  'stopping',
] as const;
export type WebhookErrorCode = (typeof WEBHOOK_ERROR_CODES)[number];

/** A try without an answer. Its message is for the log of this machine; the code is what is kept. */
export class WebhookFailure extends Error {
  override readonly name = 'WebhookFailure';
  readonly code: WebhookErrorCode;

  constructor(code: WebhookErrorCode, options?: ErrorOptions) {
    super(code, options);
    this.code = code;
  }
}
