import { sendReplay } from '../answers/send-replay.ts';
import { StreamedAnswer } from '../answers/streamed-answer.ts';
import type { Arrival } from '../arrival-hosts.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import { ForwardedRequest } from './forwarded-request.ts';
import type { CallWayIn } from './way-in.ts';

/** `ANY /{path}?{query}` on the host or the own address of an integration: the whole path belongs to the upstream. */
export const wholeHost: CallWayIn = {
  kind: 'call',

  read(_gateway, request): RequestedCall {
    const { arrival, requestTarget } = request;
    return new ForwardedRequest(request, integrationOf(arrival), requestTarget);
  },

  answerFor(request: AdmittedRequest): StreamedAnswer {
    return new StreamedAnswer(request.exchange, ['postern-request-id', request.event.requestId]);
  },

  replay: sendReplay,
};

function integrationOf(arrival: Arrival): string {
  return arrival.kind === 'gateway' ? '' : arrival.integration;
}
