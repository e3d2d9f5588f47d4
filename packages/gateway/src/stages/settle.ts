import { performance } from 'node:perf_hooks';
import type { OutcomeDraft } from '@postern/db/ports';
import type { UpstreamFailure } from '@postern/proxy-runtime';
import { type ErrorCode, type OutcomeResult, Rejection } from '@postern/schemas';
import { type FinalProblem, settlementOf } from '../claims/call-hold.ts';
import type { Gateway } from '../gateway.ts';
import type { WideEvent } from '../wide-event.ts';
import { giveQuotaBack } from './spend-quotas.ts';

/** How a call whose intent is recorded has ended. `code` is an error code, or `client_gone`. */
export interface Ending {
  readonly result: OutcomeResult;
  readonly status?: number | undefined;
  readonly code?: ErrorCode | 'client_gone' | undefined;
  /** The upstream answered, and its answer may not be passed on. */
  readonly isWithheld?: boolean | undefined;
}

/** Stage 12: the entry that closes the intent. It rides with the next commit and delays nobody. */
export function settle(gateway: Gateway, event: WideEvent, ending: Ending): void {
  event.status = ending.status ?? event.status;
  event.code = ending.code;
  event.isSettled = true;
  if (ending.result === 'not_sent' && event.quota !== undefined) giveQuotaBack(gateway, event.quota);
  const outcome: OutcomeDraft = {
    tenant: event.tenant as string,
    requestId: event.requestId,
    at: gateway.now(),
    result: ending.result,
    status: ending.status,
    code: ending.code,
    latencyMs: Math.round(performance.now() - event.startedMs),
    attempt: event.attempt,
    argsHash: event.argsHash,
  };
  const { hold } = event;
  if (hold === undefined) gateway.journal.recordOutcome(outcome);
  else gateway.journal.recordOutcome(outcome, settlementOf(gateway, hold, outcome, finalProblem(ending)));
}

function finalProblem({ isWithheld, code }: Ending): FinalProblem | undefined {
  return isWithheld === true && code !== undefined && code !== 'client_gone' ? { code } : undefined;
}

const UPSTREAM_DETAILS: Record<UpstreamFailure['code'], string> = {
  upstream_unavailable: 'No connection to the upstream could be made.',
  upstream_reset: 'The upstream broke the connection off, or its answer was not HTTP.',
  response_too_large: 'The upstream answered with more bytes than the integration allows.',
  redirect_refused: "The upstream redirects outside the integration's base URL.",
  circuit_open: 'The upstream has failed too often; calls to it are suspended for a while.',
  upstream_saturated: 'As many calls as the integration allows are running already.',
  upstream_timeout: 'The upstream did not answer within the time the integration allows.',
};

/** A forward that failed before anything was passed to the caller, with what is known of its effect. */
export class ForwardRejection extends Rejection {
  readonly result: OutcomeResult;
  /** An answer came, and it may not be passed on. */
  readonly isWithheld: boolean;

  constructor(failure: UpstreamFailure, isWithheld = isRefusedAnswer(failure)) {
    const own = callersFault(failure);
    super(own?.code ?? failure.code, own?.message ?? UPSTREAM_DETAILS[failure.code], {
      cause: own === undefined ? failure : undefined,
      details: retryHint(failure),
    });
    this.result = resultOf(failure);
    this.isWithheld = isWithheld;
  }
}

/** The upstream answered, and its answer is one that nobody is given. */
export function isRefusedAnswer({ code, sentBytes }: UpstreamFailure): boolean {
  return sentBytes !== 'none' && (code === 'response_too_large' || code === 'redirect_refused');
}

/** The code of a failure, as callers and entries are told it. */
export function codeOf(failure: UpstreamFailure): ErrorCode {
  return callersFault(failure)?.code ?? failure.code;
}

/** A body that passes as it comes may turn out to be at fault itself, such as too long: then the upstream is not to blame. */
function callersFault({ cause }: UpstreamFailure): Rejection | undefined {
  return cause instanceof Rejection ? cause : undefined;
}

function retryHint(failure: UpstreamFailure): { retryAfterSeconds?: number } {
  if (failure.code === 'upstream_saturated') return { retryAfterSeconds: 1 };
  return failure.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: failure.retryAfterSeconds };
}

/**
 * `not_sent` is said only when it is certain of every attempt; an answer that came and may not be passed on is `failed`; the rest
 * nobody knows.
 */
export function resultOf(failure: UpstreamFailure): OutcomeResult {
  if (failure.sentBytes === 'none') return 'not_sent';
  switch (failure.code) {
    case 'response_too_large':
    case 'redirect_refused':
      return 'failed';
    case 'upstream_unavailable':
    case 'upstream_reset':
    case 'upstream_timeout':
    case 'circuit_open':
    case 'upstream_saturated':
      return failure.headPassed ? 'failed' : 'unknown';
  }
}
