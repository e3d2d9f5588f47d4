import { NAME_PATTERN, Rejection } from '@postern/schemas';
import { StreamedAnswer } from '../answers/streamed-answer.ts';
import { bodyOf, type RequestedCall } from '../stages/resolve.ts';
import { readIntent } from './intent-field.ts';
import { withoutOwnPreferences } from './own-preferences.ts';
import type { CallWayIn } from './way-in.ts';

const PREFIX_LENGTH = '/to/'.length;

/** `ANY /to/{integration}/{path}?{query}`: the caller's request, forwarded as it is. */
export const baseUrl: CallWayIn = {
  kind: 'call',

  read(_gateway, request): RequestedCall {
    const { requestTarget, exchange } = request;
    const isPreferring = exchange.request.headers['prefer'] !== undefined;
    const rawHeaders = isPreferring ? withoutOwnPreferences(request.rawHeaders) : request.rawHeaders;
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
      body: bodyOf(exchange),
    };
  },

  answerFor(request): StreamedAnswer {
    return new StreamedAnswer(request.exchange, ['postern-request-id', request.event.requestId]);
  },
};

function endOfName(requestTarget: string): number {
  for (let index = PREFIX_LENGTH; index < requestTarget.length; index += 1) {
    const code = requestTarget.charCodeAt(index);
    if (code === 0x2f || code === 0x3f) return index;
  }
  return requestTarget.length;
}
