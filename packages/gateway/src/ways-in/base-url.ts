import { NAME_PATTERN, Rejection } from '@postern/schemas';
import { StreamedAnswer } from '../answers/streamed-answer.ts';
import { bodyOf, type RequestedCall } from '../stages/resolve.ts';
import { readIntent } from './intent-field.ts';
import type { CallWayIn } from './way-in.ts';

const PREFIX_LENGTH = '/to/'.length;

/** `ANY /to/{integration}/{path}?{query}`: the caller's request, forwarded as it is. */
export const baseUrl: CallWayIn = {
  kind: 'call',

  read(_gateway, request): RequestedCall {
    const { requestTarget, rawHeaders } = request;
    const end = endOfName(requestTarget);
    const integration = requestTarget.slice(PREFIX_LENGTH, end);
    if (!NAME_PATTERN.test(integration))
      throw new Rejection('unknown_integration', 'There is no integration of that name.');
    const pathAndQuery = requestTarget.slice(end);
    return {
      integration,
      method: request.method,
      rawHeaders,
      intent: readIntent(rawHeaders),
      target: (found) => found.canonicaliser.fromPath(pathAndQuery),
      body: bodyOf(request.exchange),
    };
  },

  answerFor(request): StreamedAnswer {
    const extra = ['postern-request-id', request.event.requestId];
    // Claims do not exist yet, and whoever sends a key must not believe that they do.
    if (request.exchange.request.headers['idempotency-key'] !== undefined) extra.push('postern-idempotency', 'none');
    return new StreamedAnswer(request.exchange, extra);
  },
};

function endOfName(requestTarget: string): number {
  for (let index = PREFIX_LENGTH; index < requestTarget.length; index += 1) {
    const code = requestTarget.charCodeAt(index);
    if (code === 0x2f || code === 0x3f) return index;
  }
  return requestTarget.length;
}
