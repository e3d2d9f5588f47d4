import { type Decision, decide as decideByPolicy } from '@postern/policy';
import { Rejection } from '@postern/schemas';
import type { Gateway } from '../gateway.ts';
import { policyFacts } from './call-facts.ts';
import type { ResolvedCall } from './resolve.ts';

declare const allowed: unique symbol;

/** A call that policy allows. Only `decide` makes one. */
export interface AllowedCall {
  readonly [allowed]: true;
  readonly call: ResolvedCall;
  readonly decision: Decision;
}

const WITHOUT_TRACE = { trace: false };

/** Stage 5. Default deny; a rule that asks for approval refuses too, since nobody can be asked yet. */
export function decide(gateway: Gateway, call: ResolvedCall): AllowedCall {
  const { policy, reads } = call.caller.tenant;
  const decision = decideByPolicy(policy, policyFacts(gateway, call, reads), WITHOUT_TRACE);
  const { event } = call.caller.request;
  event.decision = decision.outcome;
  event.rule = decision.rule ?? undefined;
  event.reason = decision.reason;
  event.policyVersion = decision.policyVersion;
  if (decision.errors.length > 0) event.policyErrors = decision.errors;
  if (decision.shadow.length > 0) event.shadow = decision.shadow;
  switch (decision.outcome) {
    case 'allow':
      return { call, decision } as AllowedCall;
    case 'deny':
      throw new Rejection('denied', 'Policy does not allow this call.', { details: { decision: 'deny' } });
    case 'require_approval':
      // Nobody can approve what nobody has seen.
      if (call.action?.body === 'stream')
        throw new Rejection(
          'target_invalid',
          'The action passes its body on as it comes; no such call can be approved.',
          {
            details: { decision: 'require_approval' },
          },
        );
      throw new Rejection('denied', 'Policy asks for the approval of a person, and this gateway cannot ask one yet.', {
        details: { decision: 'require_approval' },
      });
  }
}
