import { summariseCall } from '@postern/approvals';
import { canonicalJson } from '@postern/canonicalizer';
import { type ApprovalRecord, DbError, type NewApproval, type OpenedApproval } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { bodyBytes } from '../body/request-body.ts';
import type { KeyedCall } from '../claims/keyed-call.ts';
import type { Gateway } from '../gateway.ts';
import type { DecidedCall } from '../stages/decide.ts';
import { inFlight, keyMismatch } from '../stages/look-up-claim.ts';
import { createBoundedApproval, noRoom } from '../tenants/stored-bounds.ts';
import { riskOf } from '../wide-event.ts';
import { approvalProblem } from './approval-problems.ts';
import { storeRequest } from './stored-request.ts';

/** What is asked for: the call as it was described. */
export type Binding = Pick<KeyedCall, 'descriptor' | 'fingerprint'>;

/**
 * Opens an approval of the call, or joins the pending one of its binding. The complete request is stored, sealed, before anybody is
 * asked.
 *
 * @throws Rejection `approval_denied`, `approval_limit`, `in_flight`, `idempotency_key_mismatch`; DbError
 */
export async function openApproval(gateway: Gateway, decided: DecidedCall, binding: Binding): Promise<ApprovalRecord> {
  const { caller } = decided.call;
  const open = await gateway.approvals.findOpenByFingerprint(
    { tenant: caller.tenant.name, agent: caller.agent.name, fingerprint: binding.fingerprint },
    gateway.now(),
  );
  // Whoever joins need not store the same bytes once more.
  if (open?.status === 'pending' && (await join(gateway, decided, open))) return open;
  const at = gateway.now();
  const { pendingSeconds, executeSeconds } = termsOf(decided);
  const keepUntil = at + (pendingSeconds + executeSeconds) * 1_000;
  const { tenant, id } = await within(
    storeRequest(gateway, decided.call, { fingerprint: binding.fingerprint, keepUntil }),
  );
  const opened = await within(create(gateway, decided, binding, id), () => gateway.sealedRequests.remove(tenant, id));
  if (opened.kind !== 'created') await gateway.sealedRequests.remove(tenant, id);
  else gateway.onApproval(opened.approval, 'approval.created');
  return settled(gateway, opened);
}

/** Refuses where the tenant has no room for it, after `undo`. Of any other failure nobody knows what is stored, so nothing is undone. */
async function within<T>(storing: Promise<T>, undo?: () => Promise<void>): Promise<T> {
  try {
    return await storing;
  } catch (error) {
    const refusal = noRoom(error, 'approval');
    if (refusal === undefined) throw error;
    await undo?.();
    throw refusal;
  }
}

function create(
  gateway: Gateway,
  decided: DecidedCall,
  { descriptor, fingerprint }: Binding,
  sealedRequest: string | undefined,
): Promise<OpenedApproval> {
  const { call, decision } = decided;
  const { caller, claim } = call;
  const { event } = caller.request;
  const now = gateway.now();
  const approval: NewApproval = {
    tenant: caller.tenant.name,
    agent: caller.agent.name,
    environment: event.environment,
    integration: call.integration.name,
    action: call.action?.name,
    method: call.method,
    url: call.target.url,
    fingerprint,
    requestId: event.requestId,
    summary: summariseCall({
      method: call.method,
      url: call.target.url,
      integration: call.integration.name,
      action: call.action?.name ?? null,
      bodyBytes: call.body.kind === 'none' ? null : bodyBytes(call.body),
    }),
    intent: event.intent,
    risk: riskOf(event),
    rule: decision.rule ?? undefined,
    reason: decision.reason,
    policyVersion: decision.policyVersion,
    descriptor: canonicalJson(descriptor),
    terms: termsOf(decided),
    sealedRequest,
    claim:
      claim === undefined
        ? undefined
        : { key: claim.scope.key, expiresAt: now + claim.ttlMs, mayRepeat: claim.mayRepeat },
  };
  return createBoundedApproval(gateway, caller.tenant, approval, now);
}

function termsOf({ decision }: DecidedCall): NewApproval['terms'] {
  if (decision.approval === undefined) throw new TypeError('the decision asks for no approval');
  return decision.approval;
}

function settled(gateway: Gateway, opened: OpenedApproval): ApprovalRecord {
  switch (opened.kind) {
    case 'created':
    case 'joined':
      return opened.approval;
    case 'denied': {
      const problem = approvalProblem(gateway, opened.approval);
      throw problem ?? new Rejection('approval_denied', 'A person has denied this call.');
    }
    case 'limit':
      throw new Rejection('approval_limit', 'The agent has as many approvals open, or opened in a minute, as it may.', {
        details: { decision: 'require_approval', retryAfterSeconds: Math.max(1, opened.retryAfterSeconds) },
      });
    case 'claim_lost':
      if (opened.found === 'fingerprint_mismatch') throw keyMismatch();
      throw inFlight();
  }
}

/** Binds the call's key, if it has one. False when the approval has ended in between. */
async function join(gateway: Gateway, { call }: DecidedCall, { tenant, id }: ApprovalRecord): Promise<boolean> {
  const { claim, caller } = call;
  if (claim === undefined) return true;
  const { agent, integration, key } = claim.scope;
  const now = gateway.now();
  try {
    const bound = await gateway.approvals.bindClaim(
      { tenant, id },
      {
        agent,
        integration,
        key,
        requestId: caller.request.event.requestId,
        expiresAt: now + claim.ttlMs,
        mayRepeat: claim.mayRepeat,
      },
      now,
    );
    if (bound.isDone) return true;
    if (bound.found !== undefined && bound.found.fingerprint !== claim.fingerprint) throw keyMismatch();
    throw inFlight();
  } catch (error) {
    if (error instanceof DbError && (error.code === 'stale' || error.code === 'not_found')) return false;
    throw error;
  }
}
