import { DbError, type QueuedCallRecord, SEALED_REQUEST_BYTES_MAX } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { answerAccepted } from '../answers/documents.ts';
import { bodyBytes } from '../body/request-body.ts';
import type { KeyedCall } from '../claims/keyed-call.ts';
import type { CompiledTenant } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import type { AllowedCall } from '../stages/seek-approval.ts';
import { noRoom, requireQueueRoom } from '../tenants/stored-bounds.ts';
import { isOfLife } from './claim-of-call.ts';
import { type QueuedTerms, storeCall } from './stored-call.ts';

/** Beside its body, a stored call has a head and what sealing adds. */
const HEAD_ROOM_BYTES = 262_144;
const FULL_RETRY_SECONDS = 10;

/** The path of a queued call. */
export const CALLS_PREFIX = '/v1/calls/';

export function callUrl(gateway: Gateway, id: string): string {
  return `${gateway.publicUrl()}${CALLS_PREFIX}${id}`;
}

/**
 * After stage 6, for a caller who prefers not to wait: queues the call and answers 202. A preference, so false, and the call goes on as
 * ever, where it cannot be queued: without a key, by a grant that a person gave, for a key whose outcome is unknown, with a body that is too
 * large to be stored.
 *
 * @throws Rejection `in_flight`, `idempotency_key_mismatch`, `overloaded` when the queue is full, `audit_unavailable`
 */
export async function answerLater(gateway: Gateway, allowed: AllowedCall): Promise<boolean> {
  const { call, grant } = allowed;
  const { claim } = call;
  if (claim === undefined || grant !== undefined) return false;
  if (bodyBytes(call.body) > SEALED_REQUEST_BYTES_MAX - HEAD_ROOM_BYTES) return false;
  const queued = await reachable(queuedCall(gateway, allowed, claim));
  if (queued === undefined) return false;
  const { exchange, event } = call.caller.request;
  event.status = 202;
  event.queuedCall = queued.id;
  const statusUrl = callUrl(gateway, queued.id);
  const document = { requestId: event.requestId, call: { id: queued.id, status: queued.state, statusUrl } };
  answerAccepted(exchange, statusUrl, document, event.requestId);
  return true;
}

/** The call of the key that is queued or running already, else one more. */
async function queuedCall(
  gateway: Gateway,
  allowed: AllowedCall,
  claim: KeyedCall,
): Promise<QueuedCallRecord | undefined> {
  const { claims, sealedRequests, queue } = gateway;
  const known = await queue.calls.findOpen(claim.scope);
  if (known !== undefined && isOfLife(known, await claims.find(claim.scope, gateway.now()))) return known;
  const { call } = allowed;
  const { requestId } = call.caller.request.event;
  const terms = termsOf(gateway, allowed, claim);
  // First, for what a queued call needs must be there; what comes to nothing is removed, or swept.
  const { tenant, id: sealedRequest } = await storeCall(gateway, call, { requestId, terms });
  let queued: QueuedCallRecord | undefined;
  try {
    const { tenant: caller } = call.caller;
    const newCall = { requestId, expiresAt: terms.expiresAt, sealedRequest, tenant: caller };
    queued = await reserveAndEnqueue(gateway, claim, newCall);
    return queued;
  } finally {
    if (queued?.sealedRequest === sealedRequest) queue.wake();
    else await sealedRequests.remove(tenant, sealedRequest);
  }
}

function termsOf(gateway: Gateway, { call }: AllowedCall, { ttlMs }: KeyedCall): QueuedTerms {
  const { request, agent } = call.caller;
  return {
    keyId: agent.keyId,
    clientAddress: request.clientAddress,
    intent: call.requested.intent,
    ttlMs,
    expiresAt: gateway.now() + ttlMs,
  };
}

interface NewCall {
  readonly requestId: string;
  readonly expiresAt: number;
  readonly sealedRequest: string;
  /** As the call is judged by it. */
  readonly tenant: CompiledTenant;
}

/** Both or neither. undefined where the key's claim cannot be reserved: what that means for the call is stage 9's to say. */
function reserveAndEnqueue(
  gateway: Gateway,
  { scope, fingerprint }: KeyedCall,
  { requestId, expiresAt, sealedRequest, tenant: boundedTenant }: NewCall,
): Promise<QueuedCallRecord | undefined> {
  const { claims, queue } = gateway;
  const { tenant, agent, integration, key: claimKey } = scope;
  const now = gateway.now();
  return queue.runInTransaction(async (context) => {
    const verdict = await claims.reserve({ ...scope, fingerprint, requestId, expiresAt }, now, context);
    // After the reservation, which of two equal calls at once lets one go first.
    const other = await queue.calls.findOpen(scope, context);
    const found = verdict.isDone ? verdict.claim : verdict.found;
    // Of another fingerprint it would be another call's.
    if (other !== undefined && isOfLife(other, found) && found.fingerprint === fingerprint) return other;
    if (!verdict.isDone) return undefined;
    const call = { tenant, agent, integration, sealedRequest, claimKey, requestId };
    const queued = await queue.calls.enqueue(call, now, context);
    if (queued === undefined) throw queueFull();
    await requireQueueRoom(gateway, boundedTenant, context);
    return queued;
  });
}

function queueFull(): Rejection {
  return new Rejection('overloaded', 'As many calls wait in the queue as may.', {
    details: { retryAfterSeconds: FULL_RETRY_SECONDS },
  });
}

async function reachable<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    const refusal = noRoom(error, 'queue');
    if (refusal !== undefined) throw refusal;
    throw new Rejection('audit_unavailable', 'The call could not be queued, so it will not be sent.', { cause: error });
  }
}
