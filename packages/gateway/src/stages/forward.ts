import {
  type AttemptReport,
  type ExchangeCall,
  type OutgoingRequest,
  type PinnedTarget,
  startExchange,
  type UpstreamErrorCode,
} from '@postern/proxy-runtime';
import type { Answer } from '../answers/answer.ts';
import type { Gateway } from '../gateway.ts';
import { linkBase } from '../link-base.ts';
import type { CredentialedCall } from './inject-credential.ts';
import type { ResolvedCall } from './resolve.ts';

/**
 * Stages 11 and 12: sends the call, again where that is allowed, and passes the upstream's answer on as it comes. Resolves when
 * the call is settled; an answer that breaks off after its head is cut towards the caller and settled, not thrown.
 *
 * @throws ForwardRejection when the call failed before the head of an answer was passed on.
 */
export function forward(gateway: Gateway, credentialed: CredentialedCall, answer: Answer): Promise<void> {
  const { lane } = credentialed.intent.guarded.allowed.call.integration;
  return new Promise((resolve, reject) => {
    if (!answer.begin(gateway, credentialed, { resolve, reject })) return;
    const { trace } = credentialed.intent.guarded.allowed.call.caller.request.event;
    if (trace !== undefined) trace.sentMs = performance.now();
    const { call } = credentialed.intent.guarded.allowed;
    countCall(gateway, call);
    gateway.directory.sawHost(call.caller.agent, call.target.host);
    answer.attach(startExchange(lane, new ForwardedCall(gateway, credentialed), answer));
  });
}

/** For conditions on `count`, where some rule has one. */
function countCall(gateway: Gateway, { caller: { agent, tenant }, integration, action }: ResolvedCall): void {
  if (!tenant.reads.counts || action === undefined) return;
  const counted = { tenant: tenant.name, agent: agent.name, integration: integration.name, action: action.name };
  gateway.callCounts.add(counted, gateway.now());
}

/** A call on its lane. What becomes of its attempts goes into the wide event, the metrics and the log. */
class ForwardedCall implements ExchangeCall {
  readonly target: PinnedTarget;
  readonly request: OutgoingRequest;
  readonly redirectPrefix: string;
  readonly honoursKeys: boolean;
  readonly #gateway: Gateway;
  readonly #credentialed: CredentialedCall;

  constructor(gateway: Gateway, credentialed: CredentialedCall) {
    const { guarded } = credentialed.intent;
    this.target = credentialed.target;
    this.request = credentialed.request;
    const { caller, integration, claim } = guarded.allowed.call;
    this.honoursKeys = claim !== undefined && integration.spec.idempotency.upstreamHeader !== null;
    this.redirectPrefix = linkBase(gateway, caller.request.arrival, integration.name);
    this.#gateway = gateway;
    this.#credentialed = credentialed;
  }

  onAttempt(report: AttemptReport): void {
    const { event } = this.#call.caller.request;
    if (report.status !== undefined) this.#credentialed.token?.answered(report.status);
    event.trace?.attempts.push({ report, endedMs: performance.now() });
    this.#gateway.log.attempt?.(event, report);
  }

  onRetry(attempt: number, failed: UpstreamErrorCode | undefined): void {
    const { caller, integration } = this.#call;
    const { metrics } = this.#gateway;
    caller.request.event.attempt = attempt;
    metrics.countRetry(integration.name);
    // The last attempt's failure is the call's, and counted with it.
    if (failed !== undefined) metrics.countUpstreamError(failed);
  }

  get #call() {
    return this.#credentialed.intent.guarded.allowed.call;
  }
}
