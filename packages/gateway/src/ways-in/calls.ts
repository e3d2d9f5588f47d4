import { decodeStoredAnswer, openBytes, sealedReference } from '@postern/approvals';
import { DbError, type QueuedCallRecord } from '@postern/db/ports';
import { ERROR_KINDS, type ErrorCode, Rejection, type RejectionDetails, toProblem } from '@postern/schemas';
import { headersDocument, textWithBody } from '../answers/answer-document.ts';
import type { CollectedResponse } from '../answers/collected-answer.ts';
import { answerEmpty, answerJsonText } from '../answers/documents.ts';
import { approvalDetails } from '../approvals/approval-problems.ts';
import type { Gateway } from '../gateway.ts';
import { CALLS_PREFIX } from '../queue/answer-later.ts';
import { isOfLife, releaseClaim, scopeOf } from '../queue/claim-of-call.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import { authenticate, type Caller } from '../stages/authenticate.ts';
import { replayUnavailable } from '../stages/look-up-claim.ts';
import type { ApiWayIn } from './way-in.ts';

/** A cancelled call is told of until its key is over; where that cannot be found out, as long as most keys live. */
const KEPT_MS = 86_400_000;

/** `GET` and `DELETE /v1/calls/{id}`: how a queued call of the agent's own stands, and what came of it; cancels it while it is queued. */
export const queuedCall: ApiWayIn = {
  kind: 'api',
  async answer(gateway, request) {
    const caller = await authenticate(gateway, request, 'call');
    const found = await ownCall(gateway, caller, idOf(request));
    const { exchange, event } = request;
    event.queuedCall = found.id;
    if (request.method !== 'DELETE') {
      return answerJsonText(exchange, 200, await reachable(documentOf(gateway, found)), event.requestId);
    }
    await reachable(cancel(gateway, found));
    answerEmpty(exchange, event.requestId);
  },
};

function idOf({ requestTarget }: AdmittedRequest): string {
  return requestTarget.slice(CALLS_PREFIX.length).split(/[/?]/, 1)[0] ?? '';
}

/** @throws Rejection `not_found`, also for another agent's */
async function ownCall(gateway: Gateway, { tenant, agent }: Caller, id: string): Promise<QueuedCallRecord> {
  const found = await reachable(gateway.queue.calls.getById(tenant.name, id));
  if (found?.agent === agent.name) return found;
  throw new Rejection('not_found', 'There is no call of that id, or it is not yours.');
}

async function cancel(gateway: Gateway, call: QueuedCallRecord): Promise<void> {
  const { claims, queue, sealedRequests } = gateway;
  const at = gateway.now();
  const isCancelled = await queue.runInTransaction(async (context) => {
    const claim = await claims.find(scopeOf(call), at, context);
    const keepUntil = isOfLife(call, claim) ? Math.max(claim.expiresAt, at) : at + KEPT_MS;
    if (!(await queue.calls.cancel(call.tenant, call.id, { agent: call.agent, at, keepUntil }, context))) return false;
    await releaseClaim(gateway, call, context);
    return true;
  });
  if (!isCancelled) {
    const { state } = (await queue.calls.getById(call.tenant, call.id)) ?? call;
    throw new Rejection('conflict', `The call is ${state} and cannot be cancelled.`);
  }
  await sealedRequests.remove(call.tenant, call.sealedRequest);
}

/** As text: the upstream's JSON stands in it as the upstream wrote it. */
async function documentOf(gateway: Gateway, call: QueuedCallRecord): Promise<string> {
  const { id, state: status, createdAt, startedAt, finishedAt, requestId } = call;
  const members = {
    id,
    status,
    createdAt: new Date(createdAt).toISOString(),
    startedAt: timeOf(startedAt),
    finishedAt: timeOf(finishedAt),
    requestId,
  };
  if (status !== 'done') return JSON.stringify(members);
  const answer = await answerOf(gateway, call);
  if (answer === undefined) return JSON.stringify({ ...members, problem: await problemOf(gateway, call) });
  const result = textWithBody({ status: answer.status, headers: headersDocument(answer.headers) }, answer);
  return `${JSON.stringify(members).slice(0, -1)},"result":${result}}`;
}

function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** undefined when there is none, or it cannot be opened. */
async function answerOf(
  gateway: Gateway,
  { tenant, id, requestId, result }: QueuedCallRecord,
): Promise<CollectedResponse | undefined> {
  if (result?.kind !== 'answer') return undefined;
  const sealed = await gateway.queue.calls.readResult(tenant, id);
  if (sealed === undefined) return undefined;
  try {
    const reference = sealedReference('answer', tenant, requestId);
    const { status, headers, body } = decodeStoredAnswer(openBytes(sealed, { vault: gateway.vault, reference }));
    return { status, headers: headers.flat(), body };
  } catch (error) {
    gateway.log.error(error, 'open the result of a queued call', requestId);
    return undefined;
  }
}

async function problemOf(gateway: Gateway, call: QueuedCallRecord): Promise<object> {
  const { requestId, result } = call;
  if (result?.kind !== 'problem' || !isErrorCode(result.code)) return toProblem(replayUnavailable(), requestId);
  const details = await detailsOf(gateway, call, result.code);
  return toProblem(new Rejection(result.code, result.detail, { details }), requestId);
}

async function detailsOf(gateway: Gateway, call: QueuedCallRecord, code: ErrorCode): Promise<RejectionDetails> {
  if (code === 'denied') return { decision: 'deny' };
  return code === 'approval_required' ? await approvalOf(gateway, call) : {};
}

/** The approval that the key waits for, as it stands now. */
async function approvalOf(gateway: Gateway, call: QueuedCallRecord): Promise<RejectionDetails> {
  const now = gateway.now();
  const approvalId = (await gateway.claims.find(scopeOf(call), now))?.approvalId;
  const found = approvalId === undefined ? undefined : await gateway.approvals.getById(call.tenant, approvalId, now);
  return { decision: 'require_approval', ...(found && { approval: approvalDetails(gateway, found) }) };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_KINDS, code);
}

async function reachable<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    throw new Rejection('audit_unavailable', 'Queued calls cannot be read at present.', { cause: error });
  }
}
