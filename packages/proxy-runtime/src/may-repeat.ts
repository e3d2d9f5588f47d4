import type { ExchangeCall } from './exchange.ts';
import type { UpstreamFailure } from './upstream-failure.ts';

/**
 * The law of what may be sent twice (specification section 2, attempt). A second attempt is made only
 *
 * - when no byte of the first was written to a connected socket, whatever the method; or
 * - when the method is safe, or the upstream is declared to honour keys and the call carries one, and the first attempt broke
 *   off before its head, waited in vain for it, or was answered 502, 503, 504, or with a limit that tells when to come again: 429
 *   with a `Retry-After`, or an answer by which this provider says the same;
 *
 * and never when the body cannot be read a second time, the head of an answer has been passed on, or the fault is the
 * request's own.
 */
export function mayRepeatAfterFailure(call: ExchangeCall, failure: UpstreamFailure): boolean {
  if (failure.headPassed || failure.fault === 'caller' || !isBodyRepeatable(call)) return false;
  return isPassing(failure) && (failure.sentBytes === 'none' || isRepeatable(call));
}

/** As `mayRepeatAfterFailure`, for an attempt that was answered. `isLimit`: by a limit that tells when to come again. */
export function mayRepeatAfterAnswer(call: ExchangeCall, status: number, isLimit: boolean): boolean {
  return isRefusal(status, isLimit) && isRepeatable(call) && isBodyRepeatable(call);
}

function isRefusal(status: number, isLimit: boolean): boolean {
  return isLimit || status === 502 || status === 503 || status === 504;
}

/** Whether the next attempt may fare better. */
function isPassing({ code, budget }: UpstreamFailure): boolean {
  switch (code) {
    case 'upstream_unavailable':
    case 'upstream_reset':
      return true;
    case 'upstream_timeout':
      // Any other budget is that of the whole call, or of an answer that has begun.
      return budget === undefined || budget === 'connectMs' || budget === 'firstByteMs';
    case 'response_too_large':
    case 'redirect_refused':
    case 'circuit_open':
    case 'upstream_saturated':
      return false;
  }
}

/** RFC 9110 section 9.2.1, less TRACE, which nobody may send through here. */
function isRepeatable({ request, honoursKeys }: ExchangeCall): boolean {
  const { method } = request;
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || honoursKeys === true;
}

/** A stream is read once. */
function isBodyRepeatable({ request: { body } }: ExchangeCall): boolean {
  return body === undefined || body instanceof Uint8Array || typeof body === 'function';
}
