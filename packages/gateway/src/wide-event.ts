import type { DecisionError, RiskScore, ShadowStep } from '@postern/policy';
import type { CallKind, EntryDraft, Outcome } from '@postern/schemas';
import type { CallTrace } from './call-trace.ts';
import type { CallHold } from './claims/call-hold.ts';
import type { SpentQuota } from './stages/spend-quotas.ts';
import type { TenantLoad } from './tenants/tenant-bounds.ts';

/**
 * What is known of one call, filled by the stages as they learn it and read once at its end: by the log line, the metrics and,
 * for a refusal, the audit entry. Never holds a secret, a query string or a body.
 */
export class WideEvent {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  /** Milliseconds of the monotonic clock. */
  readonly startedMs: number;
  method: string | undefined = undefined;
  clientAddress: string | undefined = undefined;
  /** The client's own `X-Request-Id`: a correlation attribute and nothing more. */
  correlation: string | undefined = undefined;
  tenant: string | undefined = undefined;
  agent: string | undefined = undefined;
  environment: string | undefined = undefined;
  integration: string | undefined = undefined;
  action: string | undefined = undefined;
  kind: CallKind = 'http';
  /** Canonical, without its query. */
  url: string | undefined = undefined;
  intent: string | undefined = undefined;
  decision: Outcome | undefined = undefined;
  rule: string | undefined = undefined;
  reason: string | undefined = undefined;
  policyVersion: string | undefined = undefined;
  /** Where it was looked at. */
  risk: RiskScore | undefined = undefined;
  /** Rules that could not be evaluated; undefined for none. */
  policyErrors: readonly DecisionError[] | undefined = undefined;
  /** Rules in shadow that would have counted, or failed; undefined for none. */
  shadow: readonly ShadowStep[] | undefined = undefined;
  /** The rate limits that matched; undefined for none. */
  quota: SpentQuota | undefined = undefined;
  /** What counts the call among those of its tenant; undefined for a tenant without bounds. */
  place: TenantLoad | undefined = undefined;
  /** The approval that the call is held for, or was let through by; and the grant it used. */
  approval: string | undefined = undefined;
  grant: string | undefined = undefined;
  /** What the commit of the intent took for this call alone; undefined for a call without key and grant. */
  hold: CallHold | undefined = undefined;
  /** The id of the call that was queued, or came out of the queue. */
  queuedCall: string | undefined = undefined;
  credential: string | undefined = undefined;
  address: string | undefined = undefined;
  /** An intent stands in the log: from here on an outcome entry must close it. */
  intentRecorded = false;
  /** That entry was handed over. */
  isSettled = false;
  /** How many attempts at the upstream were begun, when it was more than one. */
  attempt: number | undefined = undefined;
  /** Digest of a body that passed as it came, once all of it has. */
  argsHash: string | undefined = undefined;
  status: number | undefined = undefined;
  code: string | undefined = undefined;
  /** undefined while nobody asks for traces. */
  trace: CallTrace | undefined = undefined;

  constructor(requestId: string, receivedAt: number, startedMs: number) {
    this.requestId = requestId;
    this.receivedAt = receivedAt;
    this.startedMs = startedMs;
  }
}

/** What entries tell of a call and how it was judged. Not on the path of a call that is sent: its intent lists them itself. */
export function judgedCall(event: WideEvent): Partial<EntryDraft> {
  return {
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
    approval: event.approval,
  };
}

/** As entries tell it: without what the score is made of. */
export function riskOf({ risk }: WideEvent): EntryDraft['risk'] {
  return risk === undefined ? undefined : { score: risk.score, labels: risk.labels };
}
