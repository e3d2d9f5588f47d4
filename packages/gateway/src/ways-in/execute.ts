import type { Answer } from '../answers/answer.ts';
import { CollectedAnswer, type CollectedResponse } from '../answers/collected-answer.ts';
import { answerJsonText } from '../answers/documents.ts';
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

  read: (gateway, request) => readCallDocument(request, gateway),

  answerFor: (request) => new CollectedAnswer(request.exchange),

  finish: finishExecute,
  replay: replayExecute,
};

export function finishExecute({ exchange, event }: AdmittedRequest, answer: Answer, allowed: AllowedCall): void {
  const collected = answer instanceof CollectedAnswer ? answer.collected : undefined;
  if (collected === undefined || exchange.response.destroyed) return;
  if (event.quota !== undefined) announceQuota(exchange, event.quota);
  const idempotency = hasOwnKey(allowed) ? 'stored' : 'none';
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
  const members = JSON.stringify({
    requestId: event.requestId,
    status: collected.status,
    headers: headersDocument(collected.headers),
    idempotency,
    decision: { outcome, rule, reason },
  });
  const body = bodyMember(collected);
  return body === undefined ? members : `${members.slice(0, -1)},${body}}`;
}

/** Lower-case names; a repeated field becomes a list. */
function headersDocument(flat: readonly string[]): Record<string, string | string[]> {
  const headers = new Map<string, string | string[]>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = (flat[i] as string).toLowerCase();
    const value = flat[i + 1] as string;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]);
  }
  return Object.fromEntries(headers);
}

/**
 * `body` for JSON, `bodyText` for other UTF-8 text, `bodyBase64` for the rest and for encoded bodies. JSON stands there as the upstream
 * wrote it: written anew, long numbers would lose digits.
 */
function bodyMember(collected: CollectedResponse): string | undefined {
  if (collected.body.byteLength === 0) return undefined;
  const text = isEncoded(collected.headers) ? undefined : decodeUtf8(collected.body);
  if (text === undefined) return `"bodyBase64":"${Buffer.from(collected.body).toString('base64')}"`;
  const isJson = /\bjson\b/i.test(field(collected.headers, 'content-type') ?? '') && isJsonText(text);
  return isJson ? `"body":${text}` : `"bodyText":${JSON.stringify(text)}`;
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isEncoded(headers: readonly string[]): boolean {
  const encoding = field(headers, 'content-encoding');
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}

function field(flat: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < flat.length; i += 2) {
    if ((flat[i] as string).toLowerCase() === name) return flat[i + 1];
  }
  return undefined;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
