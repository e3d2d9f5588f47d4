import type { Gateway } from '../gateway.ts';
import { authenticate } from './authenticate.ts';
import { type DecidedCall, decide } from './decide.ts';
import { lookUpClaim } from './look-up-claim.ts';
import { resolveAgain } from './resolve.ts';

/** A call that has waited, from stage 2 on, by what holds now; its body is the one that was received. */
export async function judgeAgain(gateway: Gateway, { call }: DecidedCall): Promise<DecidedCall> {
  const caller = await authenticate(gateway, call.caller.request, 'call');
  const resolved = resolveAgain(caller, call);
  return await decide(gateway, await lookUpClaim(gateway, resolved));
}
