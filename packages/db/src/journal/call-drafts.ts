import type { EntryDraft } from '@postern/schemas';
import type { OutcomeDraft } from '../ports/call-journal.ts';

/** What an intent has in common with its outcome. */
export type IntentPart = Pick<
  EntryDraft,
  | 'tenant'
  | 'agent'
  | 'environment'
  | 'integration'
  | 'action'
  | 'kind'
  | 'method'
  | 'url'
  | 'decision'
  | 'policyVersion'
  | 'approval'
  | 'grant'
>;

const RECOVERY_REASON = 'closed by recovery: the node that began the call did not record how it ended';
const LATE_REASON = 'an outcome came for an intent that is not open';
const UNSTORABLE_REASON = 'the record was handed over in a form that cannot be stored';

/** The entry that closes an intent. */
export function closingDraft(intent: IntentPart, outcome: OutcomeDraft, node: string): EntryDraft {
  return {
    at: outcome.at,
    tenant: outcome.tenant,
    type: 'outcome',
    requestId: outcome.requestId,
    agent: intent.agent,
    environment: intent.environment,
    integration: intent.integration,
    action: intent.action,
    kind: intent.kind,
    method: intent.method,
    url: intent.url,
    decision: intent.decision,
    policyVersion: intent.policyVersion,
    approval: intent.approval,
    grant: intent.grant,
    node,
    attempt: outcome.attempt,
    result: outcome.result,
    status: outcome.status,
    code: outcome.code,
    latencyMs: outcome.latencyMs,
    argsHash: outcome.argsHash,
  };
}

/** As `closingDraft`, for a call of which nobody knows how it ended. */
export function recoveryDraft(intent: IntentPart & { requestId: string }, at: number, node: string): EntryDraft {
  const { tenant, requestId } = intent;
  return { ...closingDraft(intent, { tenant, requestId, at, result: 'unknown' }, node), reason: RECOVERY_REASON };
}

/** An outcome whose intent is closed already is kept, but not as an outcome: an intent has one. */
export function lateDraft(outcome: OutcomeDraft, node: string): EntryDraft {
  return { ...outcome, type: 'violation', node, reason: LATE_REASON };
}

/** In place of an outcome that cannot be stored as it is, so that its intent does not stay open for ever. */
export function unstorableOutcome(intent: IntentPart & { requestId: string }, at: number, node: string): EntryDraft {
  return { ...recoveryDraft(intent, at, node), reason: UNSTORABLE_REASON };
}

/** In place of any other record that cannot be stored as it is: that there was one stays known. */
export function unstorableRecord(tenant: string, at: number, node: string): EntryDraft {
  return { at, tenant, type: 'violation', node, reason: UNSTORABLE_REASON };
}
