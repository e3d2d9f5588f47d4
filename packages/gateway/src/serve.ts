import { performance } from 'node:perf_hooks';
import { Rejection } from '@postern/schemas';
import { answerProblem } from './answers/documents.ts';
import { sayNothingIsKept } from './answers/say-nothing-is-kept.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { Gateway } from './gateway.ts';
import { handleCall, handleRequest } from './handle-request.ts';
import { type AdmittedRequest, newWideEvent } from './stages/admit.ts';
import { ForwardRejection, settle } from './stages/settle.ts';
import { announceQuota, giveQuotaBack } from './stages/spend-quotas.ts';
import { leavePlace } from './tenants/tenant-bounds.ts';
import type { CallWayIn } from './ways-in/way-in.ts';
import type { WideEvent } from './wide-event.ts';

/**
 * Serves one request to its end; never rejects. The only place where a refusal or a fault is caught: it becomes a problem
 * document for the caller, an entry in the log, and a line.
 */
export async function serveRequest(gateway: Gateway, client: ClientExchange): Promise<void> {
  const event = newWideEvent(gateway, client);
  const { tracing } = gateway;
  if (tracing !== undefined) event.trace = tracing.begin(event, client);
  try {
    await handleRequest(gateway, client, event);
  } catch (error) {
    // What is refused at once is refused while the parser still reads: a turn later it is known whether all of the request is there.
    await undefined;
    refuse(gateway, client, event, asRejection(gateway, error, event));
  }
  tell(gateway, client, event);
}

/**
 * Serves a call that comes out of the queue, from stage 2 on; never rejects. Resolves with what it was refused with. Of a refusal before
 * anything was sent that `comesAgain`, nothing is told: the call goes back to wait.
 */
export async function serveQueuedCall(
  gateway: Gateway,
  request: AdmittedRequest,
  wayIn: CallWayIn,
  comesAgain: (rejection: Rejection) => boolean,
): Promise<Rejection | undefined> {
  const { exchange, event } = request;
  const { tracing } = gateway;
  if (tracing !== undefined) event.trace = tracing.begin(event, exchange);
  let rejection: Rejection | undefined;
  try {
    await handleCall(gateway, request, wayIn);
  } catch (error) {
    rejection = asRejection(gateway, error, event);
    if (!event.intentRecorded && comesAgain(rejection)) {
      if (event.quota !== undefined) giveQuotaBack(gateway, event.quota);
      leavePlace(event);
      return rejection;
    }
    record(gateway, event, rejection);
  }
  tell(gateway, exchange, event);
  return rejection;
}

function tell(gateway: Gateway, client: ClientExchange, event: WideEvent): void {
  leavePlace(event);
  const latencyMs = performance.now() - event.startedMs;
  gateway.metrics.countCall(event, latencyMs / 1_000);
  gateway.log.call(event, latencyMs);
  gateway.tracing?.end(event, client, latencyMs);
}

const UNSENT = { result: 'not_sent', isWithheld: false } as const;

function asRejection(gateway: Gateway, error: unknown, event: WideEvent): Rejection {
  if (error instanceof Rejection) {
    if (error.cause !== undefined) gateway.log.error(error.cause, error.code, event.requestId);
    return error;
  }
  gateway.log.error(error, 'internal_error', event.requestId);
  return new Rejection('internal_error', 'The gateway failed; the operator finds the cause under this request id.');
}

function refuse(gateway: Gateway, client: ClientExchange, event: WideEvent, rejection: Rejection): void {
  record(gateway, event, rejection);
  if (event.quota !== undefined) announceQuota(client, event.quota);
  if (event.hold !== undefined && endingOf(rejection).result === 'not_sent') sayNothingIsKept(client.response);
  answerProblem(client, rejection, event.requestId);
}

/** What is not a failed forward happened before it. */
function endingOf(rejection: Rejection): Pick<ForwardRejection, 'result' | 'isWithheld'> {
  return rejection instanceof ForwardRejection ? rejection : UNSENT;
}

function record(gateway: Gateway, event: WideEvent, rejection: Rejection): void {
  event.status = rejection.status;
  event.code = rejection.code;
  // What fails from there on changes nothing of what came of the call.
  if (event.isSettled) return;
  if (event.intentRecorded) {
    const ending = endingOf(rejection);
    settle(gateway, event, { result: ending.result, isWithheld: ending.isWithheld, code: rejection.code });
  } else {
    gateway.refusals.record(event, rejection);
    if (event.quota !== undefined) giveQuotaBack(gateway, event.quota);
  }
}
