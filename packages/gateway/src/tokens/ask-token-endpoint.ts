import type { TokenAnswer, TokenRequest, TokenResult } from '@postern/credentials';
import { DbError } from '@postern/db/ports';
import { type PinnedTarget, startExchange, UpstreamFailure } from '@postern/proxy-runtime';
import { type OutcomeResult, Rejection } from '@postern/schemas';
import type { CompiledIntegration } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import { CollectedTokenAnswer } from './collected-token-answer.ts';
import type { TokenEndpoint } from './token-endpoint.ts';
import { TokenFailure } from './token-failure.ts';

/** What of the gateway a token request passes through: the same guard, log and transport as every call. */
export type TokenPath = Pick<Gateway, 'guard' | 'journal' | 'isOwnListener' | 'viaName' | 'now' | 'newRequestId'>;

export interface TokenErrand {
  readonly integration: CompiledIntegration;
  readonly endpoint: TokenEndpoint;
  readonly request: TokenRequest;
  readonly readAnswer: (answer: TokenAnswer) => TokenResult;
}

/**
 * Sends one token request, once: guarded, recorded before it goes out and after, within the endpoint's own budgets, to the one host that the
 * configuration names. Redirects are not followed.
 *
 * @throws TokenFailure when there is no answer, Rejection `audit_unavailable` when it could not be recorded and was not sent.
 */
export async function askTokenEndpoint(path: TokenPath, errand: TokenErrand): Promise<TokenResult> {
  const target = await judge(path, errand.endpoint);
  const requestId = path.newRequestId();
  await recordIntent(path, errand, { requestId, address: target.address });
  const startedMs = performance.now();
  const settle = (result: OutcomeResult, status?: number, code?: string) =>
    path.journal.recordOutcome({
      tenant: errand.integration.tenant,
      requestId,
      at: path.now(),
      result,
      latencyMs: Math.round(performance.now() - startedMs),
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
    });
  try {
    const answer = await exchange(path, errand, target);
    const result = errand.readAnswer(answer);
    if (result.kind === 'grant') settle('done', answer.status);
    else settle('failed', answer.status, result.code);
    return result;
  } catch (error) {
    const failure = toFailure(error);
    settle(
      error instanceof UpstreamFailure && error.sentBytes === 'none' ? 'not_sent' : 'unknown',
      undefined,
      failure.code,
    );
    throw failure;
  }
}

async function judge(path: TokenPath, { target, policy, isPermitted, pin }: TokenEndpoint): Promise<PinnedTarget> {
  if (!isPermitted) throw new TokenFailure('cleartext_refused', { isPermanent: true });
  const verdict = await path.guard.judge(target, policy);
  if (verdict.verdict === 'deny') {
    throw new TokenFailure(verdict.code === 'resolve_failed' ? 'resolve_failed' : 'address_forbidden');
  }
  if (path.isOwnListener(verdict.address, verdict.port)) {
    throw new TokenFailure('address_forbidden', { detail: 'the token endpoint is this gateway itself' });
  }
  return pin(verdict);
}

async function recordIntent(
  path: TokenPath,
  { integration, endpoint, request }: TokenErrand,
  { requestId, address }: { readonly requestId: string; readonly address: string },
): Promise<void> {
  try {
    await path.journal.commitIntent({
      at: path.now(),
      tenant: integration.tenant,
      requestId,
      integration: integration.name,
      kind: 'http',
      method: request.method,
      url: endpoint.url,
      reason: 'credential',
      credential: integration.credential.secretName,
      addresses: [address],
    });
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('audit_unavailable', 'The call could not be recorded, so it was not sent.', { cause: error });
  }
}

function exchange(path: TokenPath, { endpoint, request }: TokenErrand, target: PinnedTarget): Promise<TokenAnswer> {
  const sink = new CollectedTokenAnswer(path.now);
  const headers = ['host', endpoint.hostField, ...request.headers, 'via', `1.1 ${path.viaName}`];
  const outgoing = { method: request.method, pathAndQuery: endpoint.pathAndQuery, headers, body: request.body };
  sink.attach(startExchange(endpoint.lane, { target, request: outgoing }, sink));
  return sink.answer;
}

function toFailure(error: unknown): TokenFailure {
  if (!(error instanceof UpstreamFailure)) return new TokenFailure('endpoint_unreachable', { cause: error });
  switch (error.code) {
    case 'upstream_timeout':
      return new TokenFailure('endpoint_timeout', { cause: error });
    case 'redirect_refused':
      return new TokenFailure('redirected', { cause: error });
    case 'response_too_large':
      return new TokenFailure('answer_invalid', { cause: error });
    case 'upstream_unavailable':
    case 'upstream_reset':
    case 'circuit_open':
    case 'upstream_saturated':
      return new TokenFailure('endpoint_unreachable', { cause: error });
  }
}
