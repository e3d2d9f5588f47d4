import type { Answer } from '../answers/answer.ts';
import { headersDocument, textWithBody } from '../answers/answer-document.ts';
import { CollectedAnswer, type CollectedResponse } from '../answers/collected-answer.ts';
import { answerJsonText } from '../answers/documents.ts';
import { sayNothingIsKept } from '../answers/say-nothing-is-kept.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { DecidedCall } from '../stages/decide.ts';
import { hasOwnKey } from '../stages/look-up-claim.ts';
import type { AllowedCall } from '../stages/seek-approval.ts';
import { announceQuota } from '../stages/spend-quotas.ts';
import type { WideEvent } from '../wide-event.ts';
import { readCallDocument } from './call-document.ts';
import type { CallWayIn } from './way-in.ts';

/** `POST /v1/execute`: the call described in JSON, the upstream's answer in JSON. */
export const execute: CallWayIn = {
  kind: 'call',

  read: (gateway, request, caller) => readCallDocument(request, gateway, caller),

  answerFor: (request) => new CollectedAnswer(request.exchange),

  finish: finishExecute,
  replay: replayExecute,
};

export function finishExecute({ exchange, event }: AdmittedRequest, answer: Answer, allowed: AllowedCall): void {
  const collected = answer instanceof CollectedAnswer ? answer.collected : undefined;
  if (collected === undefined || exchange.response.destroyed) return;
  if (event.quota !== undefined) announceQuota(exchange, event.quota);
  // A 429 frees the key.
  const isKept = hasOwnKey(allowed) && collected.status !== 429;
  if (!isKept) sayNothingIsKept(exchange.response);
  const idempotency = isKept ? 'stored' : 'none';
  answerJsonText(exchange, 200, executeText(event, collected, allowed, idempotency), event.requestId);
}

export function replayExecute(
  { exchange, event }: AdmittedRequest,
  stored: CollectedResponse,
  decided: DecidedCall,
): void {
  exchange.response.setHeader('postern-idempotency', 'replayed');
  answerJsonText(exchange, 200, executeText(event, stored, decided, 'replayed'), event.requestId);
}

type Idempotency = 'none' | 'stored' | 'replayed';

function executeText(
  event: WideEvent,
  collected: CollectedResponse,
  { decision: { outcome, rule, reason } }: DecidedCall,
  idempotency: Idempotency,
): string {
  const members = {
    requestId: event.requestId,
    status: collected.status,
    headers: headersDocument(collected.headers),
    idempotency,
    decision: { outcome, rule, reason },
  };
  return textWithBody(members, collected);
}
