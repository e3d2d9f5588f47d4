import { DbError } from '@postern/db/ports';
import { type PinnedTarget, REFUSED, startExchange, UpstreamFailure } from '@postern/proxy-runtime';
import { type OutcomeResult, Rejection } from '@postern/schemas';
import type { CachedSecretReference } from '@postern/vault';
import type { Gateway } from '../gateway.ts';
import { collectAnswer } from './collect-answer.ts';
import { type Opinion, readOpinion } from './read-opinion.ts';
import type { ScorerEndpoint } from './scorer-endpoint.ts';
import { ScorerFailure } from './scorer-failure.ts';

/** What of the gateway a question passes through: the same guard, log, vault and transport as every call. */
export type ScorerPath = Pick<
  Gateway,
  'guard' | 'journal' | 'isOwnListener' | 'viaName' | 'now' | 'newRequestId' | 'secrets'
>;

export interface ScorerErrand {
  readonly endpoint: ScorerEndpoint;
  readonly body: Uint8Array;
  /** The version of the secret to open; undefined when the scorer has none, or the agent may not have it opened. */
  readonly secret: CachedSecretReference | undefined;
  /** The call that is judged: who made it, and its request id. */
  readonly call: { readonly agent: string; readonly environment: string | undefined; readonly requestId: string };
}

/** The client has left: there is nobody to decide for. */
export class Abandoned extends Error {
  override readonly name = 'Abandoned';
}

/** Between the attempts: a scorer that restarts is back, a client hardly waits. */
const RETRY_MS = 200;

/**
 * What the scorer says of a call, within the endpoint's total time and with one further attempt where that may fare better. Each attempt is
 * guarded and recorded before it goes out and after. `gone` is aborted when the client leaves.
 *
 * @throws ScorerFailure, Abandoned, Rejection `audit_unavailable` when an attempt could not be recorded and was not sent.
 */
export async function askScorer(path: ScorerPath, errand: ScorerErrand, gone: AbortSignal): Promise<Opinion> {
  const { breaker, totalMs } = errand.endpoint;
  const admission = breaker.admit();
  if (admission === REFUSED) throw new ScorerFailure('suspended');
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new ScorerFailure('scorer_timeout')), totalMs);
  const leave = () => over.abort(new Abandoned());
  gone.addEventListener('abort', leave, { once: true });
  if (gone.aborted) leave();
  try {
    const opinion = await tryTwice(path, errand, over.signal);
    breaker.succeeded(admission);
    return opinion;
  } catch (error) {
    const health = error instanceof ScorerFailure ? error.health : 'unknown';
    if (health === 'down') breaker.failed(admission);
    else if (health === 'up') breaker.succeeded(admission);
    else breaker.released(admission);
    throw error;
  } finally {
    clearTimeout(timer);
    gone.removeEventListener('abort', leave);
  }
}

async function tryTwice(path: ScorerPath, errand: ScorerErrand, signal: AbortSignal): Promise<Opinion> {
  try {
    return await askOnce(path, errand, signal);
  } catch (error) {
    if (!(error instanceof ScorerFailure) || !error.isPassing || signal.aborted) throw error;
    await pause(RETRY_MS, signal);
    return await askOnce(path, errand, signal);
  }
}

/** Rejects with the signal's reason when it is aborted meanwhile. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const leave = () => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  signal.addEventListener('abort', leave, { once: true });
  return promise.finally(() => signal.removeEventListener('abort', leave));
}

async function askOnce(path: ScorerPath, errand: ScorerErrand, signal: AbortSignal): Promise<Opinion> {
  const target = await judge(path, errand.endpoint);
  signal.throwIfAborted();
  const requestId = path.newRequestId();
  await recordIntent(path, errand, { requestId, address: target.address });
  const attempt = new RecordedAttempt(path, errand, requestId);
  let authorization: readonly (readonly [string, string])[];
  try {
    authorization = await openSecret(path, errand);
    signal.throwIfAborted();
  } catch (error) {
    attempt.settle('not_sent', undefined, codeOf(error));
    throw error;
  }
  const answer = await collectAnswer(
    (sink) => startExchange(errand.endpoint.lane, { target, request: outgoing(path, errand, authorization) }, sink),
    signal,
  ).catch((error: unknown) => {
    const failure = failureOf(error);
    const isUnsent = error instanceof UpstreamFailure && error.sentBytes === 'none';
    attempt.settle(isUnsent ? 'not_sent' : 'unknown', undefined, codeOf(failure));
    throw failure;
  });
  try {
    const opinion = readOpinion(answer);
    attempt.settle('done', answer.status);
    return opinion;
  } catch (error) {
    attempt.settle('failed', answer.status, codeOf(error));
    throw error;
  }
}

/** An attempt whose intent stands in the log. It is owed exactly one outcome. */
class RecordedAttempt {
  readonly #path: ScorerPath;
  readonly #tenant: string;
  readonly #requestId: string;
  readonly #startedMs = performance.now();

  constructor(path: ScorerPath, { endpoint }: ScorerErrand, requestId: string) {
    this.#path = path;
    this.#tenant = endpoint.tenant;
    this.#requestId = requestId;
  }

  settle(result: OutcomeResult, status?: number, code?: string): void {
    this.#path.journal.recordOutcome({
      tenant: this.#tenant,
      requestId: this.#requestId,
      at: this.#path.now(),
      result,
      latencyMs: Math.round(performance.now() - this.#startedMs),
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
    });
  }
}

async function judge(path: ScorerPath, { target, policy, isPermitted, pin }: ScorerEndpoint): Promise<PinnedTarget> {
  if (!isPermitted) throw new ScorerFailure('cleartext_refused');
  const verdict = await path.guard.judge(target, policy);
  if (verdict.verdict === 'deny') {
    throw new ScorerFailure(verdict.code === 'resolve_failed' ? 'resolve_failed' : 'address_forbidden');
  }
  if (path.isOwnListener(verdict.address, verdict.port)) {
    throw new ScorerFailure('address_forbidden', { detail: 'the scorer is this gateway itself' });
  }
  return pin(verdict);
}

async function recordIntent(
  path: ScorerPath,
  { endpoint, call }: ScorerErrand,
  { requestId, address }: { readonly requestId: string; readonly address: string },
): Promise<void> {
  const { tenant, url, spec } = endpoint;
  try {
    await path.journal.commitIntent({
      at: path.now(),
      tenant,
      requestId,
      agent: call.agent,
      ...(call.environment === undefined ? {} : { environment: call.environment }),
      kind: 'http',
      method: 'POST',
      url,
      reason: 'risk',
      subject: `call:${call.requestId}`,
      ...(spec.secret === undefined ? {} : { credential: spec.secret }),
      addresses: [address],
    });
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('audit_unavailable', 'The call could not be judged on the record, so it was not sent.', {
      cause: error,
    });
  }
}

async function openSecret(
  path: ScorerPath,
  { endpoint: { credential }, secret }: ScorerErrand,
): Promise<readonly (readonly [string, string])[]> {
  if (credential === undefined) return [];
  if (secret === undefined) throw new ScorerFailure('secret_unavailable');
  try {
    return credential.apply((await path.secrets.get(secret)).reveal()).headers;
  } catch (cause) {
    throw new ScorerFailure('secret_unavailable', { cause });
  }
}

function outgoing(
  path: ScorerPath,
  { endpoint, body }: ScorerErrand,
  authorization: readonly (readonly [string, string])[],
) {
  const headers = ['host', endpoint.hostField, 'content-type', 'application/json', 'accept', 'application/json'];
  // The answer is small, and what has to be unpacked first may not be.
  headers.push('accept-encoding', 'identity', 'via', `1.1 ${path.viaName}`);
  for (const [name, value] of authorization) headers.push(name, value);
  return { method: 'POST', pathAndQuery: endpoint.pathAndQuery, headers, body };
}

/** What broke an exchange off. The signal's reasons are failures already. */
function failureOf(error: unknown): unknown {
  if (!(error instanceof UpstreamFailure)) return error;
  switch (error.code) {
    case 'upstream_timeout':
      return new ScorerFailure(error.budget === 'connectMs' ? 'scorer_unreachable' : 'scorer_timeout', {
        cause: error,
      });
    case 'redirect_refused':
      return new ScorerFailure('redirected', { cause: error });
    case 'response_too_large':
      return new ScorerFailure('answer_invalid', { cause: error });
    case 'upstream_saturated':
      return new ScorerFailure('saturated', { cause: error });
    case 'upstream_unavailable':
    case 'upstream_reset':
    case 'circuit_open':
      return new ScorerFailure('scorer_unreachable', { cause: error });
  }
}

function codeOf(error: unknown): string {
  if (error instanceof ScorerFailure) return error.code;
  return error instanceof Abandoned ? 'client_gone' : 'internal_error';
}
