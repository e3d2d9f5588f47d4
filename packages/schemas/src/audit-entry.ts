import type { CallKind, Outcome } from './call.ts';

export const ENTRY_TYPES = [
  'intent',
  'outcome',
  'denied',
  'replayed',
  'approval.created',
  'approval.decided',
  'approval.expired',
  'approval.cancelled',
  'approval.executed',
  'grant.revoked',
  'claim.resolved',
  'violation',
  'ssrf.denied',
  'secret.written',
  'secret.activated',
  'secret.rewrapped',
  'policy.activated',
  'access.refused',
  'export',
  'admin.created',
  'admin.updated',
  'admin.removed',
  'admin.applied',
  'admin.login',
] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

export const OUTCOME_RESULTS = ['done', 'failed', 'not_sent', 'unknown'] as const;
export type OutcomeResult = (typeof OUTCOME_RESULTS)[number];

/**
 * One audit record before the log gives it `id` and `seq`. Members are absent when without meaning. Times are integer
 * milliseconds since the epoch. `url` is the canonical URL without its query: values stay out until redaction exists.
 */
export interface EntryDraft {
  readonly at: number;
  readonly tenant: string;
  readonly type: EntryType;
  readonly requestId?: string;
  readonly agent?: string;
  readonly environment?: string;
  readonly integration?: string;
  readonly action?: string;
  readonly kind?: CallKind;
  readonly method?: string;
  readonly url?: string;
  /** The agent's stated purpose, at most 500 characters. */
  readonly intent?: string;
  readonly decision?: Outcome;
  readonly rule?: string;
  readonly reason?: string;
  readonly policyVersion?: string;
  /** Of the call, where a rule looked at it or it could raise the outcome. `score` 0 to 1; `labels` names what was found, never where. */
  readonly risk?: { readonly score: number; readonly labels: readonly string[] };
  /** In `policy.activated`: the version of the policy that was active, if any, and the one that is. */
  readonly versions?: { readonly from?: EntryPolicyVersion; readonly to: EntryPolicyVersion };
  /** Of the descriptor, where it was computed: lower-case hex SHA-256. */
  readonly fingerprint?: string;
  /** The secret's name, never its value. */
  readonly credential?: string;
  /** Id of the approval that a call was held for or let through by, or that the entry is about. */
  readonly approval?: string;
  /** Id of the grant that was used, made or revoked. */
  readonly grant?: string;
  /** Who did it on the control plane: the administrator's name. */
  readonly actor?: string;
  /** What an administrative entry is about: `agent:coder`. */
  readonly subject?: string;
  readonly node?: string;
  readonly attempt?: number;
  readonly result?: OutcomeResult;
  readonly status?: number;
  readonly code?: string;
  readonly latencyMs?: number;
  /** In the outcome of an action with `body: stream`: `sha-256:` and hex of the body's bytes, when all of them have passed. */
  readonly argsHash?: string;
  /** The judged addresses of the target. */
  readonly addresses?: readonly string[];
  /** How many like it this entry stands for (unauthenticated refusals, once a minute per address). */
  readonly count?: number;
}

export interface EntryPolicyVersion {
  readonly number: number;
  /** SHA-256 of the version's document, hex. */
  readonly contentHash: string;
}

/** The record as stored: the RFC 8785 form of this object is the Merkle leaf. */
export interface Entry extends EntryDraft {
  readonly v: 1;
  readonly id: string;
  /** Position in the tenant's log, from 0. */
  readonly seq: number;
}
