import type { ReadSealedRequest } from '@postern/approvals';
import type { CanonicalTarget } from '@postern/canonicalizer';
import type { ApprovalRecord } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { CollectedAnswer } from '../answers/collected-answer.ts';
import { approvalProblem } from '../approvals/approval-problems.ts';
import { openRequest } from '../approvals/stored-request.ts';
import type { BodyLimits } from '../body/receive-body.ts';
import { receivePieces } from '../body/receive-pieces.ts';
import { NO_BODY, type RequestBody } from '../body/request-body.ts';
import { approvalKey } from '../claims/keyed-call.ts';
import type { CompiledIntegration } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { Caller } from '../stages/authenticate.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import { APPROVALS_PREFIX, claimOf, ownApproval } from './approvals.ts';
import { finishExecute, replayExecute } from './execute.ts';
import type { CallWayIn } from './way-in.ts';

const SUFFIX = '/execute';

/** `POST /v1/approvals/{id}/execute`: sends the stored request of an approval, answers as `/v1/execute` does. */
export const executeApproval: CallWayIn = {
  kind: 'call',
  read: readApproved,
  answerFor: (request) => new CollectedAnswer(request.exchange),
  finish: finishExecute,
  replay: replayExecute,
};

/** The approval's id in a path below `/v1/approvals/`; undefined when it does not end in `/execute`. */
export function executedId(path: string): string | undefined {
  if (!path.startsWith(APPROVALS_PREFIX) || !path.endsWith(SUFFIX)) return undefined;
  const id = path.slice(APPROVALS_PREFIX.length, -SUFFIX.length);
  return id === '' || id.includes('/') ? undefined : id;
}

async function readApproved(gateway: Gateway, request: AdmittedRequest, caller: Caller): Promise<RequestedCall> {
  const mark = request.requestTarget.indexOf('?');
  const path = mark < 0 ? request.requestTarget : request.requestTarget.slice(0, mark);
  const approval = await ownApproval(gateway, caller, executedId(path) ?? '');
  request.event.approval = approval.id;
  const problem = approvalProblem(gateway, approval);
  // What came of an execution its claim tells, as long as there is one: stage 4 asks it.
  const isOver = approval.status === 'executed' || approval.status === 'failed' || approval.status === 'unknown';
  const claim = isOver ? await claimOf(gateway, approval) : undefined;
  if (problem !== undefined && claim === undefined) throw problem;
  const claimKey = claim?.key ?? approval.claimKey ?? approvalKey(approval.id);
  return new ApprovedRequest(approval, claimKey, await openRequest(gateway, approval));
}

/** A stored request, as a call of its own; every stage judges it anew. */
class ApprovedRequest implements RequestedCall {
  readonly integration: string;
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly intent: string | undefined;
  readonly claimKey: string;
  readonly approval: ApprovalRecord;
  readonly #request: ReadSealedRequest;

  constructor(approval: ApprovalRecord, claimKey: string, request: ReadSealedRequest) {
    this.integration = approval.integration;
    this.method = request.method;
    this.rawHeaders = request.headers.flat();
    this.intent = approval.intent;
    this.claimKey = claimKey;
    this.approval = approval;
    this.#request = request;
  }

  target({ canonicaliser, hosts, spec }: CompiledIntegration): CanonicalTarget {
    return canonicaliser.fromUrl(this.#request.url, hosts, spec.network.ports);
  }

  async body(limits: BodyLimits): Promise<RequestBody> {
    const { bodyBytes, body } = this.#request;
    if (bodyBytes !== null) return await receivePieces(body, bodyBytes, limits);
    await body[Symbol.asyncIterator]().return?.();
    return NO_BODY;
  }

  streamedBody(): RequestBody {
    throw new Rejection('target_invalid', 'The action passes its body on as it comes; no such call can be approved.');
  }
}
