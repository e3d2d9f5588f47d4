import { grantSearch, judgeVotes } from '@postern/approvals';
import type { Descriptor } from '@postern/canonicalizer';
import type { ApprovalRecord, GrantRecord } from '@postern/db/ports';
import type { Gateway } from '../gateway.ts';
import type { DecidedCall } from '../stages/decide.ts';

/** A permission that fits the call, and the approval that it came of. */
export interface FoundGrant {
  readonly grant: GrantRecord;
  readonly approval: ApprovalRecord;
}

/**
 * The grant that lets the call pass, if any. Policy may have come to ask for more people since it was given: then the approval goes
 * back to pending, and its grants are gone.
 */
export async function findGrant(
  gateway: Gateway,
  decided: DecidedCall,
  descriptor: Descriptor,
): Promise<FoundGrant | undefined> {
  const now = gateway.now();
  const wanted = decided.call.requested.approval?.id;
  const search = grantSearch(descriptor);
  for (const grant of await gateway.grants.findFitting(search, now)) {
    if (wanted !== undefined && grant.approvalId !== wanted) continue;
    const approval = await gateway.approvals.getById(grant.tenant, grant.approvalId, now);
    if (approval === undefined) continue;
    if (isStillEnough(decided, approval)) return { grant, approval };
    // A standing grant stays as it is when another call that it covers needs more.
    if (approval.fingerprint === search.fingerprint) await askAgain(gateway, decided, approval);
  }
  return undefined;
}

function isStillEnough({ call, decision }: DecidedCall, { votes }: ApprovalRecord): boolean {
  const { approval: terms } = decision;
  if (terms === undefined) return decision.outcome === 'allow';
  return judgeVotes(terms, votes, { owner: call.caller.agent.owner }).outcome === 'approved';
}

async function askAgain(
  gateway: Gateway,
  { decision }: DecidedCall,
  { tenant, id, status }: ApprovalRecord,
): Promise<void> {
  if (status !== 'approved' || decision.approval === undefined) return;
  const { isDone, approval } = await gateway.approvals.transition(tenant, id, {
    to: 'pending',
    at: gateway.now(),
    terms: decision.approval,
    reason: 'policy asks for more approvers',
  });
  if (isDone) gateway.onApproval(approval, 'approval.reopened');
}
