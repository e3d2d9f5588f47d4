import { type ClaimRecord, DbError, type QueuedCallRecord } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { readStoredAnswer } from '../answers/stored-answer.ts';
import type { Gateway } from '../gateway.ts';
import { outcomeUnknown, repeatedProblem, replayUnavailable } from '../stages/look-up-claim.ts';
import { isOfLife, scopeOf } from './claim-of-call.ts';
import { type RunEnd, refused } from './run-end.ts';

/** While another call of the key is being sent. */
const IN_FLIGHT_MS = 1_000;

/**
 * What the claim of a call's key says before the call is run: it knows of every dispatch, by an earlier run that was cut short or by the
 * agent itself, who did not wait. That counts whatever policy says by now. undefined: nothing was sent. Fails with `DbError`.
 */
export async function endByClaim(gateway: Gateway, call: QueuedCallRecord): Promise<RunEnd | undefined> {
  const claim = await gateway.claims.find(scopeOf(call), gateway.now());
  if (!isOfLife(call, claim)) return undefined;
  switch (claim.state) {
    case 'reserved':
    case 'awaiting_approval':
      return undefined;
    case 'failed_not_sent':
      return claim.requestId === call.requestId ? refused(endUntold()) : undefined;
    case 'dispatching':
      return { kind: 'put_back', afterMs: IN_FLIGHT_MS };
    case 'unknown':
      // Also where a re-send would be let through: the gateway makes none of its own accord.
      return refused(outcomeUnknown());
    case 'failed_final':
      return refused(repeatedProblem(claim));
    case 'succeeded':
      return await answerOf(gateway, claim);
  }
}

async function answerOf(gateway: Gateway, claim: ClaimRecord): Promise<RunEnd> {
  const stored = await readStoredAnswer(gateway, claim).catch((error: unknown) => {
    if (error instanceof DbError) throw error;
    gateway.log.error(error, 'replay_unavailable', claim.requestId);
  });
  if (stored === undefined) return refused(replayUnavailable());
  return { kind: 'answered', answer: { ...stored, headers: stored.headers.flat() } };
}

/** It was run, nothing took effect, and the gateway was stopped, or held up for too long, before it could tell why. */
function endUntold(): Rejection {
  return new Rejection(
    'internal_error',
    'The call ended without effect, and it could not be stored why. The key may be used again.',
  );
}
