import type { SendWebhook, WebhookRequest } from '@postern/approvals';
import { DbError } from '@postern/db/ports';
import {
  type ExchangeSink,
  type PinnedTarget,
  retryAfterMs,
  startExchange,
  UpstreamFailure,
} from '@postern/proxy-runtime';
import type { OutcomeResult } from '@postern/schemas';
import type { Gateway } from '../gateway.ts';
import type { WebhookEndpoint } from './webhook-endpoint.ts';
import { type WebhookErrorCode, WebhookFailure } from './webhook-failure.ts';

/** What of the gateway a message passes through: the same guard, log and transport as every call. */
export type WebhookPath = Pick<
  Gateway,
  'guard' | 'journal' | 'isOwnListener' | 'viaName' | 'now' | 'newRequestId' | 'transport'
>;

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
}

/**
 * The way out for one message: guarded, recorded before it goes and after, to the one host that the configuration names. Redirects are
 * not followed, and of the answer the head alone is read. `stopping` ends it at once.
 *
 * Rejects with `WebhookFailure`.
 */
export function createSendWebhook(
  path: WebhookPath,
  endpoint: WebhookEndpoint,
  { messageId, stopping }: { readonly messageId: string; readonly stopping: AbortSignal },
): SendWebhook {
  return async (request) => {
    const target = await judge(path, endpoint);
    const signal = AbortSignal.any([request.signal, stopping]);
    const broken = () => new WebhookFailure(stopping.aborted ? 'stopping' : 'timeout');
    if (signal.aborted) throw broken();
    const requestId = path.newRequestId();
    await recordIntent(path, endpoint, { requestId, messageId, address: target.address });
    const startedMs = performance.now();
    const settle = (result: OutcomeResult, about: { readonly status?: number; readonly code?: string }) =>
      path.journal.recordOutcome({
        tenant: endpoint.tenant,
        requestId,
        at: path.now(),
        result,
        latencyMs: Math.round(performance.now() - startedMs),
        ...about,
      });
    if (signal.aborted) {
      settle('not_sent', { code: broken().code });
      throw broken();
    }
    try {
      const answer = await exchange(path, endpoint, { request, target, signal, broken });
      const { status } = answer;
      const isTaken = status >= 200 && status <= 299;
      settle(isTaken ? 'done' : 'failed', isTaken ? { status } : { status, code: `status_${status}` });
      return answer;
    } catch (error) {
      const failure = failureOf(error);
      const isUnsent = error instanceof UpstreamFailure && error.sentBytes === 'none';
      settle(isUnsent ? 'not_sent' : 'unknown', { code: failure.code });
      throw failure;
    }
  };
}

async function judge(path: WebhookPath, { target, policy, isCleartext, pin }: WebhookEndpoint): Promise<PinnedTarget> {
  const verdict = await path.guard.judge(target, policy);
  if (verdict.verdict === 'deny') {
    throw new WebhookFailure(verdict.code === 'resolve_failed' ? 'resolve_failed' : 'address_forbidden');
  }
  if (isCleartext && verdict.class === 'global') throw new WebhookFailure('cleartext_refused');
  if (path.isOwnListener(verdict.address, verdict.port)) throw new WebhookFailure('address_forbidden');
  return pin(verdict);
}

async function recordIntent(
  path: WebhookPath,
  { tenant, loggedUrl, secretName }: WebhookEndpoint,
  about: { readonly requestId: string; readonly messageId: string; readonly address: string },
): Promise<void> {
  try {
    await path.journal.commitIntent({
      at: path.now(),
      tenant,
      requestId: about.requestId,
      kind: 'http',
      method: 'POST',
      url: loggedUrl,
      reason: 'notification',
      subject: `message:${about.messageId}`,
      credential: secretName,
      addresses: [about.address],
    });
  } catch (cause) {
    if (!(cause instanceof DbError)) throw cause;
    throw new WebhookFailure('audit_unavailable', { cause });
  }
}

interface Sending {
  readonly request: WebhookRequest;
  readonly target: PinnedTarget;
  readonly signal: AbortSignal;
  /** Why it was broken off. */
  readonly broken: () => WebhookFailure;
}

/** Resolves with the head. The signal, which is aborted after every try, closes a connection on which more would come. */
function exchange(
  path: WebhookPath,
  endpoint: WebhookEndpoint,
  { request, target, signal, broken }: Sending,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const headers = ['host', endpoint.hostField, 'accept-encoding', 'identity', 'via', `1.1 ${path.viaName}`];
  for (const [name, value] of Object.entries(request.headers)) headers.push(name, value);
  const body = Buffer.from(request.body, 'utf8');
  const outgoing = { method: 'POST', pathAndQuery: endpoint.pathAndQuery, headers, body };
  const over = () => signal.removeEventListener('abort', leave);
  const sink: ExchangeSink = {
    onHead: (status, fields) => resolve({ status, retryAfterMs: retryAfterMs(fields, path.now()) }),
    // What a receiver says beyond its status is of no account.
    onData: () => true,
    onEnd: over,
    onFailure: (failure) => {
      over();
      reject(failure);
    },
  };
  const running = startExchange(endpoint.lane, { target, request: outgoing }, sink);
  function leave(): void {
    running.abort();
    reject(broken());
  }
  signal.addEventListener('abort', leave, { once: true });
  return promise;
}

function failureOf(error: unknown): WebhookFailure {
  if (error instanceof WebhookFailure) return error;
  return new WebhookFailure(error instanceof UpstreamFailure ? codeOf(error) : 'send_failed', { cause: error });
}

function codeOf({ code }: UpstreamFailure): WebhookErrorCode {
  switch (code) {
    case 'upstream_timeout':
      return 'timeout';
    case 'redirect_refused':
      return 'redirected';
    case 'upstream_unavailable':
      return 'unreachable';
    case 'upstream_reset':
    case 'response_too_large':
      return 'reset';
    case 'circuit_open':
    case 'upstream_saturated':
      return 'send_failed';
  }
}
