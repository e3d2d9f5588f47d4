import { NAME_PATTERN, Rejection } from '@postern/schemas';
import { sendReplay } from '../answers/send-replay.ts';
import { StreamedAnswer } from '../answers/streamed-answer.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import { ForwardedRequest } from './forwarded-request.ts';
import type { CallWayIn } from './way-in.ts';

const PREFIX_LENGTH = '/to/'.length;

/** `ANY /to/{integration}/{path}?{query}`: the caller's request, forwarded as it is. */
export const baseUrl: CallWayIn = {
  kind: 'call',

  read(_gateway, request): RequestedCall {
    const { requestTarget } = request;
    const end = endOfName(requestTarget);
    const integration = requestTarget.slice(PREFIX_LENGTH, end);
    if (!NAME_PATTERN.test(integration))
      throw new Rejection('unknown_integration', 'There is no integration of that name.');
    return new ForwardedRequest(request, integration, requestTarget.slice(end));
  },

  answerFor(request): StreamedAnswer {
    return new StreamedAnswer(request.exchange, ['postern-request-id', request.event.requestId]);
  },

  replay: sendReplay,
};

function endOfName(requestTarget: string): number {
  for (let index = PREFIX_LENGTH; index < requestTarget.length; index += 1) {
    const code = requestTarget.charCodeAt(index);
    if (code === 0x2f || code === 0x3f) return index;
  }
  return requestTarget.length;
}
