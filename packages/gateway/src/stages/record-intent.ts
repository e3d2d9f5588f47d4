import { DbError, type IntentConditions, type IntentDraft, IntentRefused, type LostCondition } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import type { Gateway } from '../gateway.ts';
import { riskOf } from '../wide-event.ts';
import type { GuardedCall } from './guard-target.ts';
import { hasOwnKey, inFlight, keyMismatch } from './look-up-claim.ts';

declare const recorded: unique symbol;

/** A call whose intent is durable in the log. Only `recordIntent` makes one; whoever holds it owes the log an outcome. */
export interface Intent {
  readonly [recorded]: true;
  readonly guarded: GuardedCall;
}

/** Stage 9: one durable commit before any effect. */
export async function recordIntent(gateway: Gateway, guarded: GuardedCall): Promise<Intent> {
  const { event } = guarded.allowed.call.caller.request;
  event.credential = guarded.allowed.call.integration.credential.secretName;
  const conditions = conditionsOf(gateway, guarded);
  try {
    await gateway.journal.commitIntent(intentOf(gateway, guarded), conditions);
  } catch (error) {
    if (error instanceof IntentRefused) throw lost(error.condition);
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('audit_unavailable', 'The call could not be recorded, so it was not sent.', { cause: error });
  }
  event.intentRecorded = true;
  if (conditions !== undefined) {
    const { claim, grant } = conditions;
    if (hasOwnKey(guarded.allowed)) {
      guarded.allowed.call.caller.request.exchange.response.setHeader('postern-idempotency', 'stored');
    }
    event.hold = { hasClaim: claim !== undefined, hasGrant: grant !== undefined, record: undefined };
  }
  return { guarded } as Intent;
}

/** What must still hold in the commit; undefined for a call without key and grant. */
function conditionsOf(gateway: Gateway, { allowed }: GuardedCall): IntentConditions | undefined {
  const { claim } = allowed.call;
  const { grant } = allowed;
  if (claim === undefined && grant === undefined) return undefined;
  return {
    claim: claim && {
      agent: claim.scope.agent,
      integration: claim.scope.integration,
      key: claim.scope.key,
      fingerprint: claim.fingerprint,
      expiresAt: gateway.now() + claim.ttlMs,
      mayRepeat: claim.mayRepeat,
    },
    grant: grant && { id: grant.id },
  };
}

/** Another call was first: its answer is to be had by sending this one again. */
function lost(condition: LostCondition): Rejection {
  return condition.lost === 'claim_lost' && condition.found === 'fingerprint_mismatch' ? keyMismatch() : inFlight();
}

function intentOf(gateway: Gateway, guarded: GuardedCall): IntentDraft {
  const { event } = guarded.allowed.call.caller.request;
  return {
    at: gateway.now(),
    tenant: event.tenant as string,
    requestId: event.requestId,
    agent: event.agent,
    environment: event.environment,
    integration: event.integration,
    action: event.action,
    kind: event.kind,
    method: event.method,
    url: event.url,
    intent: event.intent,
    decision: event.decision,
    rule: event.rule,
    reason: event.reason,
    policyVersion: event.policyVersion,
    risk: riskOf(event),
    fingerprint: guarded.allowed.call.claim?.fingerprint ?? guarded.allowed.grant?.fingerprint,
    credential: event.credential,
    addresses: [guarded.target.address],
  };
}
