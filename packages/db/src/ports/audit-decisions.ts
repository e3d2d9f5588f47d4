import type { Entry, Outcome } from '@postern/schemas';
import type { DbContext } from './context.ts';

interface DecisionEvent {
  readonly tenant: string;
  /** Given by whoever decided, the same however often it is told. */
  readonly eventId: string;
  readonly at: number;
  readonly requestId?: string;
  readonly agent?: string;
  readonly integration?: string;
  /** An error or reason code. */
  readonly code?: string;
}

/** What policy said of a call. */
export interface PolicyDecisionEvent extends DecisionEvent {
  readonly decision: Outcome;
  readonly action?: string;
  readonly method?: string;
  /** The canonical URL without its query. */
  readonly url?: string;
  readonly rule?: string;
  readonly reason?: string;
  readonly policyVersion?: string;
  readonly fingerprint?: string;
  readonly risk?: { readonly score: number; readonly labels: readonly string[] };
}

/** What the guard said of a target. */
export interface SsrfGuardDecisionEvent extends DecisionEvent {
  readonly decision: 'allow' | 'deny';
  readonly host: string;
  readonly port: number;
  /** All addresses that were judged. */
  readonly addresses: readonly string[];
}

export type DecisionRecord =
  | { readonly kind: 'policy'; readonly event: PolicyDecisionEvent }
  | { readonly kind: 'ssrf_guard'; readonly event: SsrfGuardDecisionEvent };

export interface AppendedDecision {
  /** False: that event was told before, with the same content. */
  readonly isNew: boolean;
  /** The entry in the tenant's log, of a refusal that is new. */
  readonly entry?: Entry;
}

/**
 * Part of `AuditPort`. A decision is kept once for each event id, beside the log; a refusal is appended to the log (`denied`, `ssrf.denied`) in
 * the same transaction. What lets a call through needs no entry of its own: the call's intent is one.
 */
export interface AuditDecisionsPort {
  /** Fails `conflict` when that event id was told with another content or of another kind. */
  appendPolicyDecision(event: PolicyDecisionEvent, context?: DbContext): Promise<AppendedDecision>;
  /** Likewise. */
  appendSsrfGuardDecision(event: SsrfGuardDecisionEvent, context?: DbContext): Promise<AppendedDecision>;
  getDecision(tenant: string, eventId: string, context?: DbContext): Promise<DecisionRecord | undefined>;
  /** Removes decisions made before `before`, never their entries; returns how many. */
  sweepDecisions(before: number, limit: number): Promise<number>;
}
