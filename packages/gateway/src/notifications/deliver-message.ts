import { type DeliveryVerdict, deliverWebhook, outboxOutcome, WEBHOOK_TIMEOUT_MS } from '@postern/approvals';
import type {
  NotificationEndpointRecord,
  NotificationEndpointsPort,
  OutboxOutcome,
  OutboxPort,
  TakenMessage,
} from '@postern/db/ports';
import { createSendWebhook, type WebhookPath } from './send-webhook.ts';
import { type SigningSecretsSource, signingSecrets } from './signing-secrets.ts';
import { compileWebhookEndpoint } from './webhook-endpoint.ts';
import { WebhookFailure } from './webhook-failure.ts';

/** What one delivery needs. */
export interface DeliveryParts {
  readonly path: WebhookPath;
  readonly outbox: Pick<OutboxPort, 'finish' | 'disableEndpoint'>;
  readonly endpoints: Pick<NotificationEndpointsPort, 'getById' | 'noteTry'>;
  readonly secrets: SigningSecretsSource['secrets'];
  readonly cache: SigningSecretsSource['cache'];
  /** The gateway's: secrets that are not for it are not opened. */
  readonly environment?: string | undefined;
  /** 0 up to 1; spreads the tries. */
  readonly random: () => number;
  /** From the begin of a try to the head of the answer. Default 15,000. */
  readonly timeoutMs?: number | undefined;
}

/** How one try went, for log and metrics. */
export interface Delivered {
  readonly endpoint: NotificationEndpointRecord | undefined;
  readonly outcome: OutboxOutcome['to'] | 'disabled' | 'put_back';
  readonly error?: string | undefined;
}

/**
 * Makes one try at a message that was taken, and writes down how it ended. A message whose try was ended by `stopping` is due again
 * at once.
 *
 * Rejects when the store cannot be read or written: then the message's lease runs out, and it is tried again.
 */
export async function deliverMessage(
  parts: DeliveryParts,
  message: TakenMessage,
  stopping: AbortSignal,
): Promise<Delivered> {
  const { now } = parts.path;
  const endpoint = await parts.endpoints.getById(message.tenant, message.endpoint);
  if (endpoint === undefined) {
    const error = 'endpoint_removed';
    await parts.outbox.finish(message, { to: 'dead', at: now(), error });
    return { endpoint, outcome: 'dead', error };
  }
  const verdict = await send(parts, { message, endpoint, stopping });
  if (verdict.verdict === 'retry' && stopping.aborted) {
    const { error } = verdict;
    await parts.outbox.finish(message, { to: 'retry', nextAttemptAt: now(), error });
    return { endpoint, outcome: 'put_back', error };
  }
  const at = now();
  const outcome = outboxOutcome(verdict, { attempts: message.attempts, now: at, random: parts.random });
  const error = verdict.verdict === 'delivered' ? undefined : verdict.error;
  const isOurs = await parts.outbox.finish(message, outcome);
  if (isOurs) await parts.endpoints.noteTry(message.tenant, endpoint.id, error === undefined ? { at } : { at, error });
  if (verdict.verdict !== 'disable') return { endpoint, outcome: outcome.to, error };
  await parts.outbox.disableEndpoint(message.tenant, endpoint.id, at);
  return { endpoint, outcome: 'disabled', error };
}

interface Try {
  readonly message: TakenMessage;
  readonly endpoint: NotificationEndpointRecord;
  readonly stopping: AbortSignal;
}

async function send(parts: DeliveryParts, { message, endpoint, stopping }: Try): Promise<DeliveryVerdict> {
  const { path, secrets, cache, environment, timeoutMs = WEBHOOK_TIMEOUT_MS } = parts;
  const { tenant, id, body } = message;
  const { url, secret: secretName } = endpoint.spec;
  try {
    const secret = await signingSecrets({ secrets, cache, now: path.now, environment }, tenant, secretName);
    const compiled = compileWebhookEndpoint(endpoint, path.transport, timeoutMs);
    const sending = createSendWebhook(path, compiled, { messageId: id, stopping });
    return await deliverWebhook({ url, id, body, secret }, { send: sending, now: path.now, timeoutMs });
  } catch (error) {
    if (error instanceof WebhookFailure) return { verdict: 'retry', error: error.code };
    throw error;
  }
}
