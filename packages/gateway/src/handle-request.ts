import { disposeBody } from './body/request-body.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { Gateway } from './gateway.ts';
import { answerLater } from './queue/answer-later.ts';
import { type AdmittedRequest, admit } from './stages/admit.ts';
import { authenticate } from './stages/authenticate.ts';
import { decide } from './stages/decide.ts';
import { forward } from './stages/forward.ts';
import { guardTarget } from './stages/guard-target.ts';
import { injectCredential } from './stages/inject-credential.ts';
import { lookUpClaim } from './stages/look-up-claim.ts';
import { recordIntent } from './stages/record-intent.ts';
import { replay } from './stages/replay.ts';
import { resolveCall } from './stages/resolve.ts';
import { seekApproval } from './stages/seek-approval.ts';
import { spendQuotas } from './stages/spend-quotas.ts';
import { takePlace } from './tenants/tenant-bounds.ts';
import { findWayIn } from './ways-in/find-way-in.ts';
import type { CallWayIn } from './ways-in/way-in.ts';
import type { WideEvent } from './wide-event.ts';

/**
 * The life of a call, stage by stage as the specification's section 4 numbers them. Each stage's output is the next one's
 * input, and only a stage can make what it returns: nothing can be forwarded that was not decided, guarded and recorded.
 * A stage refuses by throwing a `Rejection`; `serve.ts` is the only catch. What is known already comes without a promise, and is
 * not waited for: each turn saved here is saved for every call.
 */
export function handleRequest(gateway: Gateway, client: ClientExchange, event: WideEvent): Promise<void> {
  const request = admit(gateway, client, event); // 1
  const wayIn = findWayIn(request);
  return wayIn.kind === 'api' ? wayIn.answer(gateway, request) : handleCall(gateway, request, wayIn);
}

/** From stage 2 on: also for a call that comes out of the queue. */
export async function handleCall(gateway: Gateway, request: AdmittedRequest, wayIn: CallWayIn): Promise<void> {
  const known = authenticate(gateway, request, 'call'); // 2
  const caller = known instanceof Promise ? await known : known;
  const { bounds } = caller.tenant;
  if (bounds !== undefined) takePlace(request.event, bounds);
  const read = wayIn.read(gateway, request, caller); // 3
  const call = await resolveCall(gateway, caller, read instanceof Promise ? await read : read);
  try {
    const found = lookUpClaim(gateway, call); // 4
    const judging = decide(gateway, found instanceof Promise ? await found : found); // 5
    const decided = judging instanceof Promise ? await judging : judging;
    const answered = call.claim?.answered;
    if (answered !== undefined) return await replay(gateway, wayIn, decided, answered);
    const sought = seekApproval(gateway, decided); // 6
    const allowed = sought instanceof Promise ? await sought : sought;
    if (allowed === undefined) return;
    if (call.requested.respondsAsync === true && (await answerLater(gateway, allowed))) return;
    const spent = spendQuotas(gateway, allowed); // 7
    const passed = spent instanceof Promise ? await spent : spent;
    const judged = guardTarget(gateway, passed); // 8
    const guarded = judged instanceof Promise ? await judged : judged;
    const intent = await recordIntent(gateway, guarded); // 9
    const opened = injectCredential(gateway, intent); // 10
    const credentialed = opened instanceof Promise ? await opened : opened;
    const answer = wayIn.answerFor(request);
    await forward(gateway, credentialed, answer); // 11, 12
    wayIn.finish?.(request, answer, allowed);
  } finally {
    disposeBody(call.body);
  }
}
