import { type Decision, decide as decideByPolicy } from '@postern/policy';
import { Rejection } from '@postern/schemas';
import type { Gateway } from '../gateway.ts';
import { policyFacts } from './call-facts.ts';
import type { ClaimedCall } from './look-up-claim.ts';

declare const decided: unique symbol;

/** A call that policy does not deny. Only `decide` makes one. */
export interface DecidedCall {
  readonly [decided]: true;
  readonly call: ClaimedCall;
  /** Its outcome is `allow` or `require_approval`. */
  readonly decision: Decision;
  readonly grant: undefined | GrantUse;
}

/** What a call uses up in the commit of its intent. */
export interface GrantUse {
  readonly id: string;
  readonly approvalId: string;
  readonly fingerprint: string;
}

const WITHOUT_TRACE = { trace: false };

/**
 * Stage 5. Default deny. A promise only where the tenant has a risk scorer and policy does not deny the call already.
 */
export function decide(gateway: Gateway, call: ClaimedCall): DecidedCall | Promise<DecidedCall> {
  const { policy, reads, scorer } = call.caller.tenant;
  const facts = policyFacts(gateway, call, reads);
  const decision = decideByPolicy(policy, facts, WITHOUT_TRACE);
  if (scorer === undefined || decision.outcome === 'deny') return abideBy(decision, call);
  // Few tenants have one: what asks it is loaded when it is first needed.
  return import('../risk/raise-by-scorer.ts')
    .then(({ raiseByScorer }) => raiseByScorer(gateway, scorer, { call, facts, decision }))
    .then((raised) => abideBy(raised, call));
}

function abideBy(decision: Decision, call: ClaimedCall): DecidedCall {
  const { event } = call.caller.request;
  event.decision = decision.outcome;
  event.rule = decision.rule ?? undefined;
  event.reason = decision.reason;
  event.policyVersion = decision.policyVersion;
  event.risk = decision.risk;
  if (decision.errors.length > 0) event.policyErrors = decision.errors;
  if (decision.shadow.length > 0) event.shadow = decision.shadow;
  if (decision.outcome === 'deny')
    throw new Rejection('denied', 'Policy does not allow this call.', { details: { decision: 'deny' } });
  return { call, decision, grant: undefined } as DecidedCall;
}
