import type { StoredAnswerForm } from '@postern/approvals';
import type { ClaimRecord } from '@postern/db/ports';
import type { CollectedResponse } from '../answers/collected-answer.ts';
import { readStoredAnswer } from '../answers/stored-answer.ts';
import type { Gateway } from '../gateway.ts';
import type { CallWayIn } from '../ways-in/way-in.ts';
import { judgedCall, type WideEvent } from '../wide-event.ts';
import type { DecidedCall } from './decide.ts';
import { replayUnavailable } from './look-up-claim.ts';

/**
 * Gives the caller what the first call of its key was answered. Nothing is sent, no quota is spent and nobody is asked. The entry rides
 * with the next commit.
 *
 * @throws Rejection `replay_unavailable`
 */
export async function replay(
  gateway: Gateway,
  wayIn: CallWayIn,
  decided: DecidedCall,
  answered: ClaimRecord,
): Promise<void> {
  const { request } = decided.call.caller;
  const kept = gateway.answeredClaims.find(answered, gateway.now());
  const stored = kept?.answer ?? (await openStored(gateway, answered));
  const { event } = request;
  event.status = stored.status;
  event.approval = answered.approvalId;
  recordReplay(gateway, event);
  wayIn.replay(request, stored, decided);
}

async function openStored(gateway: Gateway, answered: ClaimRecord): Promise<CollectedResponse> {
  let stored: CollectedResponse | undefined;
  try {
    const opened = await readStoredAnswer(gateway, answered);
    stored = opened && collected(opened);
  } catch (error) {
    gateway.log.error(error, 'replay_unavailable', answered.requestId);
  }
  if (stored === undefined) throw replayUnavailable();
  gateway.answeredClaims.keep(answered, stored);
  return stored;
}

function collected({ status, headers, body }: StoredAnswerForm): CollectedResponse {
  return { status, headers: headers.flat(), body };
}

function recordReplay(gateway: Gateway, event: WideEvent): void {
  gateway.journal.recordRefusal({
    at: gateway.now(),
    tenant: event.tenant as string,
    type: 'replayed',
    ...judgedCall(event),
    status: event.status,
  });
}
