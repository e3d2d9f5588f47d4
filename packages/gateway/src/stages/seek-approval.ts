import { performance } from 'node:perf_hooks';
import { fingerprint as fingerprintOf } from '@postern/canonicalizer';
import { type ApprovalRecord, DbError } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { answerAccepted } from '../answers/documents.ts';
import { approvalDetails, approvalProblem } from '../approvals/approval-problems.ts';
import { type FoundGrant, findGrant } from '../approvals/find-grant.ts';
import { type Binding, openApproval } from '../approvals/open-approval.ts';
import { keepWithAnswer, openRequest } from '../approvals/stored-request.ts';
import { approvalKey } from '../claims/keyed-call.ts';
import type { Gateway } from '../gateway.ts';
import type { DecidedCall } from './decide.ts';
import { descriptorOf } from './descriptor-of.ts';
import { judgeAgain } from './judge-again.ts';
import { keyedCall } from './look-up-claim.ts';

declare const allowed: unique symbol;

/** A call that policy allows, or that a person has allowed. Only `seekApproval` makes one. */
export interface AllowedCall extends DecidedCall {
  readonly [allowed]: true;
}

/**
 * Stage 6. No promise for a call that needs nobody's approval. undefined when the caller would not wait, and has been told where to ask.
 */
export function seekApproval(gateway: Gateway, decided: DecidedCall): AllowedCall | Promise<AllowedCall | undefined> {
  // Whoever executes an approval uses it up, also when the call would pass without it by now.
  if (decided.decision.outcome === 'allow' && decided.call.requested.approval === undefined)
    return decided as AllowedCall;
  return seek(gateway, decided);
}

async function seek(gateway: Gateway, decided: DecidedCall): Promise<AllowedCall | undefined> {
  try {
    return await grantedOrHeld(gateway, decided);
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('approval_unavailable', 'Nobody can be asked for approval at present, so nothing was sent.', {
      cause: error,
    });
  }
}

async function grantedOrHeld(gateway: Gateway, decided: DecidedCall): Promise<AllowedCall | undefined> {
  const { call } = decided;
  if (call.body.kind === 'stream') {
    // Nobody can approve what nobody has seen.
    throw new Rejection('target_invalid', 'The action passes its body on as it comes; no such call can be approved.', {
      details: { decision: 'require_approval' },
    });
  }
  const binding = call.claim ?? bindingOf(decided);
  const found = await findGrant(gateway, decided, binding.descriptor);
  if (found !== undefined) return await permitted(gateway, decided, binding, found);
  const { approval: asked } = call.requested;
  if (asked !== undefined) throw await notExecutable(gateway, asked);
  const approval = await openApproval(gateway, decided, binding);
  const { event } = call.caller.request;
  event.approval = approval.id;
  if (call.requested.respondsAsync === true) return accepted(gateway, decided, approval);
  const decision = await waitForDecision(gateway, decided, approval);
  const problem = approvalProblem(gateway, decision);
  if (problem !== undefined) throw problem;
  // What held when it was asked need not hold now: key, configuration and policy are looked at again.
  const again = await judgeAgain(gateway, decided);
  return again.decision.outcome === 'allow' ? (again as AllowedCall) : await grantedOrHeld(gateway, again);
}

function accepted(gateway: Gateway, { call }: DecidedCall, approval: ApprovalRecord): undefined {
  const { exchange, event } = call.caller.request;
  event.status = 202;
  event.code = 'approval_required';
  const details = approvalDetails(gateway, approval);
  const document = { requestId: event.requestId, approval: details };
  answerAccepted(exchange, details.statusUrl, document, event.requestId);
  return undefined;
}

function bindingOf({ call }: DecidedCall): Binding {
  const descriptor = descriptorOf(call);
  return { descriptor, fingerprint: fingerprintOf(descriptor) };
}

/** What goes out is what was approved: the stored request's fields, volatile ones too. Of the body both have the digest in common. */
async function permitted(
  gateway: Gateway,
  decided: DecidedCall,
  binding: Binding,
  { grant, approval }: FoundGrant,
): Promise<AllowedCall> {
  const { call } = decided;
  const { event } = call.caller.request;
  event.approval = approval.id;
  event.grant = grant.id;
  // The first execution has a claim of its own where the caller gave no key.
  const isItsOwn = approval.fingerprint === binding.fingerprint;
  if (approval.status === 'approved' && isItsOwn) {
    call.claim ??= keyedCall(call, approvalKey(approval.id));
    keepWithAnswer(gateway, approval, call.claim.ttlMs);
  }
  if (grant.kind !== 'rule' && call.requested.approval === undefined) {
    const { headers, body } = await openRequest(gateway, approval);
    await body[Symbol.asyncIterator]().return?.();
    call.rawHeaders = headers.flat();
  }
  const { fingerprint } = binding;
  return { ...decided, grant: { id: grant.id, approvalId: approval.id, fingerprint } } as AllowedCall;
}

/** Why the approval that is to be executed lets nothing pass. */
async function notExecutable(gateway: Gateway, { tenant, id }: ApprovalRecord): Promise<Rejection> {
  const now = await gateway.approvals.getById(tenant, id, gateway.now());
  const problem = now === undefined ? undefined : approvalProblem(gateway, now);
  // Approved, and yet no grant fits: the call as it would be sent now is another one, or the grant was revoked.
  return problem ?? new Rejection('approval_expired', 'The approval no longer holds for the call as it would be sent.');
}

/** The approval as it is when a person has decided, when the caller has waited long enough, or when it has left. */
async function waitForDecision(
  gateway: Gateway,
  { call }: DecidedCall,
  opened: ApprovalRecord,
): Promise<ApprovalRecord> {
  const { waitSeconds = 0 } = call.requested;
  const { response } = call.caller.request.exchange;
  if (waitSeconds === 0) return opened;
  // Of the monotonic clock: nobody waits longer because the other one was set back.
  const untilMs = call.caller.request.event.startedMs + waitSeconds * 1_000;
  const gone = new AbortController();
  const { signal } = gone;
  const onClose = () => gone.abort();
  response.on('close', onClose);
  // It may have left while the approval was opened.
  if (response.destroyed) gone.abort();
  try {
    let approval = opened;
    for (;;) {
      const since = gateway.approvalWatch.news;
      approval = (await gateway.approvals.getById(approval.tenant, approval.id, gateway.now())) ?? approval;
      const leftMs = untilMs - performance.now();
      if (approval.status !== 'pending' || leftMs <= 0 || signal.aborted || gateway.isStopping()) return approval;
      await gateway.approvalWatch.next(approval.id, leftMs, { signal, since });
    }
  } finally {
    response.off('close', onClose);
  }
}
