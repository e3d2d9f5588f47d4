import { DbError, type IntentDraft } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import type { Gateway } from '../gateway.ts';
import type { GuardedCall } from './guard-target.ts';

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
  try {
    await gateway.journal.commitIntent(intentOf(gateway, guarded));
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('audit_unavailable', 'The call could not be recorded, so it was not sent.', { cause: error });
  }
  event.intentRecorded = true;
  return { guarded } as Intent;
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
    credential: event.credential,
    addresses: [guarded.target.address],
  };
}
