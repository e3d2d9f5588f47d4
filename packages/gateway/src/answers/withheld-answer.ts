import { type UpstreamErrorCode, UpstreamFailure } from '@postern/proxy-runtime';
import type { Gateway } from '../gateway.ts';
import type { SearchFault } from '../scrub/encoded-search.ts';
import { ForwardRejection } from '../stages/settle.ts';
import type { WideEvent } from '../wide-event.ts';

/** Why an answer that came is not passed on. `coding`: the upstream chose one that cannot be searched. */
export type WithheldReason = SearchFault | 'coding';

interface Withheld {
  readonly code: UpstreamErrorCode;
  /** In the metrics. */
  readonly errorClass: string;
  /** For the caller. */
  readonly detail: string;
}

const WITHHELD: Readonly<Record<WithheldReason, Withheld>> = {
  echo: {
    code: 'upstream_reset',
    errorClass: 'secret_in_answer',
    detail: "The upstream's answer held the injected credential in an encoded body; it is not passed on.",
  },
  unreadable: {
    code: 'upstream_reset',
    errorClass: 'answer_unsearchable',
    detail: "The upstream's body is not what its Content-Encoding says, so it cannot be searched; it is not passed on.",
  },
  coding: {
    code: 'upstream_reset',
    errorClass: 'answer_unsearchable',
    detail:
      "The upstream's body has a coding that cannot be searched (gzip, br, deflate and zstd can); it is not passed on.",
  },
  too_large: {
    code: 'response_too_large',
    errorClass: 'response_too_large',
    detail: "The upstream's encoded body unfolds to more bytes than are searched; it is not passed on.",
  },
};

/**
 * The upstream answered, and the answer must not be passed on: the call has `failed`. An echo in an encoded body is a violation and
 * is recorded as one.
 */
export function withhold(gateway: Gateway, event: WideEvent, reason: WithheldReason): ForwardRejection {
  const { code, errorClass, detail } = WITHHELD[reason];
  gateway.metrics.countUpstreamError(errorClass);
  if (reason === 'echo') recordViolation(gateway, event, code);
  // The head counts as passed: what came of the call is known, only its answer is not given.
  const failure = new UpstreamFailure({ code, detail: errorClass, sentBytes: 'some', headPassed: true });
  return new WithheldAnswer(failure, detail);
}

class WithheldAnswer extends ForwardRejection {
  constructor(failure: UpstreamFailure, detail: string) {
    super(failure, true);
    this.message = detail;
  }
}

function recordViolation(gateway: Gateway, event: WideEvent, code: UpstreamErrorCode): void {
  gateway.journal.recordRefusal({
    at: gateway.now(),
    tenant: event.tenant as string,
    type: 'violation',
    requestId: event.requestId,
    agent: event.agent,
    environment: event.environment,
    integration: event.integration,
    action: event.action,
    kind: event.kind,
    method: event.method,
    url: event.url,
    intent: event.intent,
    credential: event.credential,
    code,
    reason: 'an encoded answer held the injected credential',
    addresses: event.address === undefined ? undefined : [event.address],
  });
}
