import { fingerprint } from '@postern/canonicalizer';
import { type ClaimRecord, DbError } from '@postern/db/ports';
import { ERROR_KINDS, type ErrorCode, Rejection } from '@postern/schemas';
import { isApprovalKey, isSafeMethod, type KeyedCall } from '../claims/keyed-call.ts';
import type { Gateway } from '../gateway.ts';
import { descriptorOf } from './descriptor-of.ts';
import type { RequestedCall, ResolvedCall } from './resolve.ts';

declare const claimed: unique symbol;

/** A call whose key, if it has one, nothing stands in the way of. Only `lookUpClaim` makes one. */
export interface ClaimedCall extends ResolvedCall {
  readonly [claimed]: true;
}

/** Stage 4. No promise without a key. */
export function lookUpClaim(gateway: Gateway, call: ResolvedCall): ClaimedCall | Promise<ClaimedCall> {
  const { claimKey } = call.requested;
  if (claimKey !== undefined) return claimOf(gateway, call, claimKey);
  const { required } = call.integration.spec.idempotency;
  if (required.length > 0 && required.includes(call.method)) {
    throw new Rejection('idempotency_key_required', `${call.method} needs an Idempotency-Key here.`);
  }
  return call as ClaimedCall;
}

function claimOf(gateway: Gateway, call: ResolvedCall, key: string): ClaimedCall | Promise<ClaimedCall> {
  const keyed = keyedCall(call, key);
  const kept = gateway.answeredClaims.find(keyed.scope, gateway.now());
  if (kept !== undefined) return claimedCall(call, keyed, kept.claim);
  return settledClaim(gateway, keyed).then((found) => claimedCall(call, keyed, found));
}

function claimedCall(call: ResolvedCall, keyed: KeyedCall, found: ClaimRecord | undefined): ClaimedCall {
  call.claim = found === undefined ? keyed : { ...keyed, answered: checkClaim(found, keyed, call.requested) };
  return call as ClaimedCall;
}

/** The claim that the call would make under `key`. */
export function keyedCall(call: ResolvedCall, key: string): KeyedCall {
  const { caller, integration, method } = call;
  const { upstreamHeader, ttlSeconds } = integration.spec.idempotency;
  const descriptor = descriptorOf(call);
  return {
    scope: { tenant: caller.tenant.name, agent: caller.agent.name, integration: integration.name, key },
    descriptor,
    fingerprint: fingerprint(descriptor),
    // What comes out of the queue is sent of the gateway's own accord, and never once more.
    mayRepeat: caller.request.queuedKeyId === undefined && (isSafeMethod(method) || upstreamHeader !== null),
    ttlMs: ttlSeconds * 1_000,
    answered: undefined,
  };
}

/** The claim as it stands; where this process has just ended its call, as that leaves it. */
async function settledClaim(gateway: Gateway, { scope }: KeyedCall): Promise<ClaimRecord | undefined> {
  try {
    const found = await gateway.claims.find(scope, gateway.now());
    if (found?.state !== 'dispatching' || found.requestId === undefined) return found;
    const settling = gateway.journal.settling(found.requestId);
    if (settling === undefined) return found;
    await settling;
    return await gateway.claims.find(scope, gateway.now());
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('audit_unavailable', 'The idempotency key could not be looked up, so the call was not sent.', {
      cause: error,
    });
  }
}

/** The claim when it holds an answer, undefined when the call may go on. @throws Rejection when it may not. */
function checkClaim(
  found: ClaimRecord,
  keyed: KeyedCall,
  { respondsAsync }: Pick<RequestedCall, 'respondsAsync'>,
): ClaimRecord | undefined {
  if (found.fingerprint !== keyed.fingerprint) {
    throw keyMismatch();
  }
  switch (found.state) {
    case 'reserved':
    case 'awaiting_approval':
    case 'failed_not_sent':
      return undefined;
    case 'dispatching':
      // Whoever would not wait is told of the call that is running, if that is a queued one; else stage 9 refuses.
      if (respondsAsync === true) return undefined;
      throw inFlight();
    case 'unknown':
      if (keyed.mayRepeat || found.isRetryAllowed) return undefined;
      throw outcomeUnknown();
    case 'succeeded':
      if (found.answer === undefined) throw replayUnavailable();
      return found;
    case 'failed_final':
      throw repeatedProblem(found);
  }
}

/** Whether the caller itself gave the key of the call. */
export function hasOwnKey({ call }: { readonly call: ResolvedCall }): boolean {
  const { claimKey } = call.requested;
  return claimKey !== undefined && !isApprovalKey(claimKey);
}

export function keyMismatch(): Rejection {
  return new Rejection('idempotency_key_mismatch', 'The idempotency key was used for another call; use a new one.');
}

export function inFlight(): Rejection {
  return new Rejection('in_flight', 'An equal call is being executed; send this one again for its answer.', {
    details: { retryAfterSeconds: 1 },
  });
}

export function outcomeUnknown(): Rejection {
  return new Rejection(
    'outcome_unknown',
    'It is not known whether the earlier call took effect; nothing is sent again until an operator says so.',
  );
}

export function replayUnavailable(): Rejection {
  return new Rejection('replay_unavailable', 'The call was made, and its answer was not kept; it is not made again.');
}

/** What the earlier call ended with. */
export function repeatedProblem({ problem }: ClaimRecord): Rejection {
  const code: ErrorCode = problem !== undefined && isErrorCode(problem.code) ? problem.code : 'outcome_unknown';
  return new Rejection(code, 'The earlier call of this idempotency key ended so; nothing was sent again.');
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_KINDS, code);
}
