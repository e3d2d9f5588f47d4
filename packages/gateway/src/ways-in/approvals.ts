import { type ApprovalRecord, type ClaimRecord, DbError } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { answerEmpty, answerJson } from '../answers/documents.ts';
import { readStoredAnswer } from '../answers/stored-answer.ts';
import { approvalDetails } from '../approvals/approval-problems.ts';
import { approvalKey } from '../claims/keyed-call.ts';
import type { Gateway } from '../gateway.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import { authenticate, type Caller } from '../stages/authenticate.ts';
import type { ApiWayIn } from './way-in.ts';

export const APPROVALS_PREFIX = '/v1/approvals/';

/** `GET` and `DELETE /v1/approvals/{id}`: how an approval of the agent's own stands; cancels it while it is pending. */
export const approval: ApiWayIn = {
  kind: 'api',
  async answer(gateway, request) {
    const caller = await authenticate(gateway, request, 'call');
    const found = await ownApproval(gateway, caller, idOf(request));
    if (request.method === 'DELETE') await cancel(gateway, found);
    else return answerJson(request.exchange, 200, await documentOf(gateway, found), request.event.requestId);
    answerEmpty(request.exchange, request.event.requestId);
  },
};

function idOf({ requestTarget }: AdmittedRequest): string {
  return requestTarget.slice(APPROVALS_PREFIX.length).split(/[/?]/, 1)[0] ?? '';
}

/** @throws Rejection `unknown_approval`, also for another agent's; `approval_unavailable` */
export async function ownApproval(gateway: Gateway, { tenant, agent }: Caller, id: string): Promise<ApprovalRecord> {
  const read = () => reachable(gateway.approvals.getById(tenant.name, id, gateway.now()));
  let found = await read();
  // One that this process has just executed reads so as soon as that is stored.
  const { executedBy, status } = found ?? {};
  const settling =
    status === 'executing' && executedBy !== undefined ? gateway.journal.settling(executedBy) : undefined;
  if (settling !== undefined) {
    await reachable(settling);
    found = await read();
  }
  if (found === undefined || found.agent !== agent.name)
    throw new Rejection('unknown_approval', 'There is no approval of that id, or it is not yours.');
  return found;
}

/**
 * The claim of an approval's first execution, whatever key that came under. Once its call was made again, at an operator's word: that
 * under the key that was held, or under the approval's own.
 */
export async function claimOf({ claims, now }: Gateway, approval: ApprovalRecord): Promise<ClaimRecord | undefined> {
  const { tenant, agent, integration, id, claimKey: key = approvalKey(id), executedBy } = approval;
  if (executedBy === undefined) return undefined;
  const used = await reachable(claims.findByApproval(tenant, id, executedBy, now()));
  return used ?? (await reachable(claims.find({ tenant, agent, integration, key }, now())));
}

async function cancel(gateway: Gateway, { tenant, id, agent }: ApprovalRecord): Promise<void> {
  const { isDone, approval: now } = await reachable(
    gateway.approvals.transition(tenant, id, { to: 'cancelled', by: agent, at: gateway.now() }),
  );
  if (isDone) return gateway.onApproval(now, 'approval.cancelled');
  throw new Rejection('approval_decided', `The approval is ${now.status} and cannot be cancelled.`, {
    details: { approval: approvalDetails(gateway, now) },
  });
}

async function documentOf(gateway: Gateway, approval: ApprovalRecord): Promise<Record<string, unknown>> {
  const { id, status, createdAt, expiresAt, summary } = approval;
  return {
    id,
    status,
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(status === 'approved' ? (approval.executeUntil ?? expiresAt) : expiresAt).toISOString(),
    summary,
    ...(status === 'approved' ? { executeUrl: `${gateway.publicUrl()}${APPROVALS_PREFIX}${id}/execute` } : {}),
    ...(await resultOf(gateway, approval)),
  };
}

/** What came of the first execution, once there was one. */
async function resultOf(gateway: Gateway, approval: ApprovalRecord): Promise<{ result?: object }> {
  const { status, executedBy: requestId } = approval;
  if (status !== 'executed' && status !== 'failed' && status !== 'unknown') return {};
  const claim = await claimOf(gateway, approval);
  const stored = claim?.answer === undefined ? undefined : await readStoredAnswer(gateway, claim);
  const code = claim?.problem?.code;
  return { result: { requestId, outcome: status, status: stored?.status, code } };
}

async function reachable<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('approval_unavailable', 'Approvals cannot be read at present.', { cause: error });
  }
}
