import type { ApprovalTerms, NewApproval } from '../ports/approvals.ts';
import type { CallSettlement, ClaimTake, IntentConditions } from '../ports/call-journal.ts';
import type { ClaimRecord, ClaimScope } from '../ports/claims.ts';
import type { GrantTerms } from '../ports/grants.ts';
import type { CountingJournal, DbHarness } from './harness.ts';
import { intentOf, outcomeOf } from './journal-calls.ts';

export const FINGERPRINT = 'f'.repeat(64);
export const OTHER_FINGERPRINT = 'e'.repeat(64);

/** The key of a call, unlike no other of the same test. */
export function scopeOf(key = 'key-1'): ClaimScope {
  return { tenant: 'acme', agent: 'coder', integration: 'github', key };
}

export function takeOf(key = 'key-1', change: Partial<ClaimTake> = {}): ClaimTake {
  const { agent, integration } = scopeOf(key);
  return { agent, integration, key, fingerprint: FINGERPRINT, expiresAt: 90_000_000, ...change };
}

/** An intent whose descriptor was computed. */
export function heldIntent(requestId: string, fingerprint = FINGERPRINT) {
  return intentOf(requestId, { fingerprint, method: 'POST', action: 'issues.write' });
}

export function commit(journal: CountingJournal, requestId: string, conditions: IntentConditions): Promise<void> {
  return journal.commitIntent(heldIntent(requestId), conditions);
}

export async function settle(
  journal: CountingJournal,
  requestId: string,
  settlement: CallSettlement | undefined,
  outcome: Parameters<typeof outcomeOf>[1] = {},
): Promise<void> {
  journal.recordOutcome(outcomeOf(requestId, outcome), settlement);
  await journal.flush();
}

export function findClaim({ repositories, clock }: DbHarness, key = 'key-1'): Promise<ClaimRecord | undefined> {
  return repositories.claims.find(scopeOf(key), clock.nowMs);
}

export const TERMS: ApprovalTerms = {
  approvers: 1,
  groups: [],
  pendingSeconds: 900,
  executeSeconds: 600,
  grant: 'until',
};

export function approvalOf(change: Partial<NewApproval> = {}): NewApproval {
  return {
    tenant: 'acme',
    agent: 'coder',
    environment: 'dev',
    integration: 'github',
    action: 'issues.write',
    method: 'POST',
    url: 'https://api.github.com/repos/a/b/issues?draft=1',
    fingerprint: FINGERPRINT,
    requestId: 'r-asking',
    summary: 'POST /repos/a/b/issues',
    intent: 'to report a bug',
    risk: { score: 0.4, labels: ['destructive'] },
    rule: 'writes',
    reason: 'the rule writes asks a person',
    policyVersion: 'ab12',
    descriptor: '{"v":1}',
    terms: TERMS,
    ...change,
  };
}

/** Opens an approval; fails the test when it is not a new one. */
export async function openApproval({ repositories, clock }: DbHarness, change: Partial<NewApproval> = {}) {
  const opened = await repositories.approvals.createFromCanonicalDescriptor(approvalOf(change), {
    nowMs: clock.nowMs,
    caps: { pendingMax: 1_000, newPerMinuteMax: 1_000 },
  });
  if (opened.kind !== 'created') throw new Error(`the approval was not created but ${opened.kind}`);
  return opened.approval;
}

/** Opens and approves; the grant's id. */
export async function grantFor(
  harness: DbHarness,
  grant: GrantTerms,
  change: Partial<NewApproval> = {},
): Promise<{ approvalId: string; grantId: string }> {
  const approval = await openApproval(harness, change);
  const grantId = await approve(harness, approval.id, grant);
  return { approvalId: approval.id, grantId };
}

export async function approve({ repositories, clock }: DbHarness, id: string, grant: GrantTerms): Promise<string> {
  const at = clock.nowMs;
  const executeUntil = at + TERMS.executeSeconds * 1_000;
  const done = await repositories.approvals.transition('acme', id, {
    to: 'approved',
    by: 'bob',
    at,
    executeUntil,
    grant,
  });
  if (!done.isDone || done.grantId === undefined) throw new Error(`the approval is ${done.approval.status}`);
  return done.grantId;
}

/** An answer that tells which call it is of. */
export function sealedOf(requestId: string): Uint8Array {
  return new TextEncoder().encode(requestId.padEnd(3_000, '.'));
}

/** How many uses a grant has that is not to run out. */
export const GRANTED_USES = 1_000_000;
