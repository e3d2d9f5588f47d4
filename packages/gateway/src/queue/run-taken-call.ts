import { encodeStoredAnswer, STORED_ANSWER_BODY_BYTES_MAX, sealBytes, sealedReference } from '@postern/approvals';
import { DbError, type NewQueuedCallResult, type QueuedCallRecord, type TakenCall } from '@postern/db/ports';
import { type ErrorCode, Rejection } from '@postern/schemas';
import type { CollectedResponse } from '../answers/collected-answer.ts';
import type { Gateway } from '../gateway.ts';
import { serveQueuedCall } from '../serve.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import { pairs } from '../stages/call-facts.ts';
import { WideEvent } from '../wide-event.ts';
import { CallLease } from './call-lease.ts';
import { releaseClaim } from './claim-of-call.ts';
import { endByClaim } from './end-by-claim.ts';
import { QueuedWayIn } from './queued-way-in.ts';
import { type RunEnd, refused } from './run-end.ts';
import { openCall, type StoredCall } from './stored-call.ts';
import { unattendedExchange } from './unattended-exchange.ts';

export interface RunTerms {
  readonly leaseMs: number;
  readonly isStopping: () => boolean;
}

/** A call that is put back leaves its place only then, so that a limit that is spent does not send a long queue round and round. */
const PACE_MS = 250;
/** Where the terms cannot be read: as long as most keys live. */
const KEPT_MS = 86_400_000;

/** Runs a taken call and stores what became of it. Fails with `DbError`: then it is taken again once its lease is over. */
export async function runTakenCall(
  gateway: Gateway,
  call: TakenCall,
  { leaseMs, isStopping }: RunTerms,
): Promise<void> {
  const lease = new CallLease(gateway, call, leaseMs);
  try {
    const stored = await openStored(gateway, call);
    const end = stored instanceof Rejection ? refused(stored) : await endOf(gateway, call, { stored, lease });
    if (end.kind !== 'put_back') {
      const keptMs = stored instanceof Rejection ? KEPT_MS : stored.terms.ttlMs;
      return await finish(gateway, call, end, keptMs);
    }
    if (!isStopping()) await new Promise((resolve) => setTimeout(resolve, PACE_MS).unref());
    await gateway.queue.calls.putBack(call, gateway.now() + end.afterMs);
  } finally {
    lease.end();
  }
}

async function openStored(gateway: Gateway, call: QueuedCallRecord): Promise<StoredCall | Rejection> {
  try {
    return await openCall(gateway, call);
  } catch (error) {
    if (error instanceof DbError) {
      if (error.code === 'not_found') return tooLate();
      throw error;
    }
    gateway.log.error(error, 'open a queued call', call.requestId);
    return new Rejection('internal_error', 'The stored call cannot be opened; it was not sent.');
  }
}

function tooLate(): Rejection {
  return new Rejection('overloaded', 'The call has waited until its idempotency key was over; it was not sent.');
}

interface Opened {
  readonly stored: StoredCall;
  readonly lease: CallLease;
}

/** Fails with `DbError`; anything else that goes wrong is the call's end. */
async function endOf(gateway: Gateway, call: TakenCall, opened: Opened): Promise<RunEnd> {
  try {
    const known = await endByClaim(gateway, call);
    if (known !== undefined) return known;
    if (opened.stored.terms.expiresAt <= gateway.now()) return refused(tooLate());
    return await endOfStages(gateway, call, opened);
  } catch (error) {
    if (error instanceof DbError) throw error;
    gateway.log.error(error, 'run a queued call', call.requestId);
    return refused(
      new Rejection('internal_error', 'The gateway failed; the operator finds the cause under this request id.'),
    );
  }
}

async function endOfStages(gateway: Gateway, call: TakenCall, { stored, lease }: Opened): Promise<RunEnd> {
  const { terms } = stored;
  const request = admittedCall(gateway, call, stored);
  const wayIn = new QueuedWayIn(call, stored, lease);
  try {
    const rejection = await serveQueuedCall(gateway, request, wayIn, mayComeAgain);
    if (rejection === undefined) return answeredBy(wayIn);
    if (request.event.intentRecorded || !mayComeAgain(rejection)) return refused(rejection);
    // Not beyond the end of its key, which ends it.
    return { kind: 'put_back', afterMs: Math.min(waitMs(rejection), Math.max(0, terms.expiresAt - gateway.now())) };
  } finally {
    request.exchange.close();
  }
}

/** As stage 1 would have made it, had the call been sent now by the agent that queued it. */
function admittedCall(gateway: Gateway, call: TakenCall, { request, terms }: StoredCall) {
  const event = new WideEvent(call.requestId, gateway.now(), performance.now());
  event.queuedCall = call.id;
  // For the record, should the agent turn out to be gone.
  event.tenant = call.tenant;
  event.agent = call.agent;
  event.integration = call.integration;
  event.method = request.method;
  event.clientAddress = terms.clientAddress;
  const exchange = unattendedExchange(request.method, `/v1/calls/${call.id}`);
  return {
    exchange,
    event,
    method: request.method,
    requestTarget: '',
    rawHeaders: [],
    clientAddress: terms.clientAddress,
    arrival: { kind: 'gateway' },
    queuedKeyId: terms.keyId,
  } satisfies AdmittedRequest;
}

function answeredBy(wayIn: QueuedWayIn): RunEnd {
  const { answered } = wayIn;
  if (answered !== undefined) return { kind: 'answered', answer: answered };
  throw new Error('a queued call ended without an answer');
}

/** Refusals before anything was sent that say nothing against the call: it keeps its place in the queue. */
const COMES_AGAIN_MS: Readonly<Partial<Record<ErrorCode, number>>> = {
  rate_limited: 1_000,
  in_flight: 1_000,
  overloaded: 5_000,
  audit_unavailable: 5_000,
  approval_unavailable: 5_000,
};

function mayComeAgain({ code }: Rejection): boolean {
  return COMES_AGAIN_MS[code] !== undefined;
}

function waitMs({ code, details }: Rejection): number {
  const { retryAfterSeconds } = details;
  return retryAfterSeconds === undefined ? (COMES_AGAIN_MS[code] ?? 0) : retryAfterSeconds * 1_000;
}

type Finished = Exclude<RunEnd, { readonly kind: 'put_back' }>;

async function finish(gateway: Gateway, call: TakenCall, end: Finished, keptMs: number): Promise<void> {
  // A refusal before the dispatch leaves no claim; any other state stays as it is.
  if (end.kind === 'refused') await gateway.queue.runInTransaction((context) => releaseClaim(gateway, call, context));
  // Nobody waits, so the claim may go first: whoever sends the key again is told what this call tells.
  await gateway.journal.settling(call.requestId)?.catch(() => undefined);
  const at = gateway.now();
  const outcome = { result: resultOf(gateway, call, end), at, keepUntil: at + keptMs };
  if (await gateway.queue.calls.finish(call, outcome))
    await gateway.sealedRequests.remove(call.tenant, call.sealedRequest);
}

function resultOf(gateway: Gateway, call: TakenCall, end: Finished): NewQueuedCallResult {
  if (end.kind === 'answered') return answerResult(gateway, call, end.answer);
  const { code, status, message: detail } = end.rejection;
  return { kind: 'problem', code, status, detail };
}

function answerResult(
  gateway: Gateway,
  call: TakenCall,
  { status, headers, body }: CollectedResponse,
): NewQueuedCallResult {
  if (body.byteLength > STORED_ANSWER_BODY_BYTES_MAX) {
    const detail = `The upstream answered ${status} with ${body.byteLength} bytes; at most ${STORED_ANSWER_BODY_BYTES_MAX} are kept.`;
    const { code, status: problemStatus } = new Rejection('replay_unavailable', detail);
    return { kind: 'problem', code, status: problemStatus, detail };
  }
  const answer = encodeStoredAnswer({ status, headers: pairs(headers), body });
  const reference = sealedReference('answer', call.tenant, call.requestId);
  return { kind: 'answer', sealed: sealBytes(answer, { vault: gateway.vault, reference }) };
}
