import { signWebhook, type WebhookHeaders } from '../webhook/sign-webhook.ts';
import { type WebhookSecret, WebhookSecretError } from '../webhook/webhook-secret.ts';
import { type DeliveryAnswer, type DeliveryVerdict, judgeDelivery } from './judge-delivery.ts';

/** One message to one endpoint. */
export interface Delivery {
  readonly url: string;
  /** The same over all tries. */
  readonly id: string;
  /** As `encodeNotification` gave it. */
  readonly body: string;
  /** One, or several during a rotation. */
  readonly secret: WebhookSecret | readonly WebhookSecret[];
}

export interface WebhookRequest {
  readonly method: 'POST';
  readonly url: string;
  readonly headers: WebhookHeaders & { readonly 'content-type': 'application/json'; readonly 'user-agent': string };
  readonly body: string;
  /** Aborted when the budget is spent. */
  readonly signal: AbortSignal;
}

/**
 * The way out: the gateway's client, which judges the address and connects to what it judged. It follows no redirect, reads of the answer
 * the head only, and rejects when there is none; a `code` of the error is told, its message is not.
 */
export type SendWebhook = (request: WebhookRequest) => Promise<DeliveryAnswer>;

export interface DeliverOptions {
  readonly send: SendWebhook;
  /** Milliseconds since the epoch; the signature has the time of this try. */
  readonly now: () => number;
  /** From the begin to the head of the answer. Default 15,000. */
  readonly timeoutMs?: number;
}

export const WEBHOOK_TIMEOUT_MS = 15_000;
const USER_AGENT = 'postern';

/** One try, signed and judged. Never rejects, and ends in time whatever `send` does. */
export async function deliverWebhook(delivery: Delivery, options: DeliverOptions): Promise<DeliveryVerdict> {
  const { url, id, body, secret } = delivery;
  const budget = new AbortController();
  const timeoutMs = options.timeoutMs ?? WEBHOOK_TIMEOUT_MS;
  let timer: NodeJS.Timeout | undefined;
  try {
    const signed = signWebhook({ id, timestamp: Math.floor(options.now() / 1_000), body, secret });
    const headers = { 'content-type': 'application/json', 'user-agent': USER_AGENT, ...signed } as const;
    const timeout = new Promise<'timeout'>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, 'timeout');
    });
    const answer = options.send({ method: 'POST', url, headers, body, signal: budget.signal });
    const first = await Promise.race([answer, timeout]);
    return first === 'timeout' ? { verdict: 'retry', error: 'timeout' } : judgeDelivery(first);
  } catch (error) {
    return { verdict: 'retry', error: errorCode(error) };
  } finally {
    clearTimeout(timer);
    // Also after an answer: what is left of it is not read.
    budget.abort();
  }
}

/** Codes only: a message could have an address, a receiver's text or a secret in it. */
function errorCode(error: unknown): string {
  if (error instanceof WebhookSecretError) return 'secret_invalid';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(code) ? code : 'send_failed';
}
