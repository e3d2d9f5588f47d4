import type { Answer } from '../answers/answer.ts';
import type { CollectedResponse } from '../answers/collected-answer.ts';
import type { Gateway } from '../gateway.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { Caller } from '../stages/authenticate.ts';
import type { DecidedCall } from '../stages/decide.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import type { AllowedCall } from '../stages/seek-approval.ts';

/** A way to ask for a call: how the request is read, and in what shape the upstream's answer goes back. */
export interface CallWayIn {
  readonly kind: 'call';
  /** The caller is authenticated by now. @throws Rejection for a request that is no call. */
  read(gateway: Gateway, request: AdmittedRequest, caller: Caller): RequestedCall | Promise<RequestedCall>;
  answerFor(request: AdmittedRequest): Answer;
  /** After `forward`, where the answer is not streamed. */
  finish?(request: AdmittedRequest, answer: Answer, allowed: AllowedCall): void;
  /** Gives an answer that was given before, once more. */
  replay(request: AdmittedRequest, stored: CollectedResponse, decided: DecidedCall): void;
}

/** A question to the gateway itself; nothing is forwarded. */
export interface ApiWayIn {
  readonly kind: 'api';
  answer(gateway: Gateway, request: AdmittedRequest): Promise<void>;
}

export type WayIn = CallWayIn | ApiWayIn;
