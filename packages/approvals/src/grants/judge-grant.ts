import type { GrantRecord, GrantSearch } from '@postern/db/ports';
import { fitsScope } from './standing-scope.ts';

/** What of a stored grant decides whether it lets a call pass. */
export type JudgedGrant = Pick<
  GrantRecord,
  'tenant' | 'agent' | 'kind' | 'fingerprint' | 'scope' | 'usesLeft' | 'expiresAt' | 'revokedAt'
>;

/** Why a grant does not let a call pass. */
export type GrantFault = 'other_call' | 'revoked' | 'expired' | 'spent';

/**
 * Why `grant` does not let `call` pass at `now` (milliseconds), or undefined when it does. At `expiresAt` itself it is over; a revoked
 * one stays revoked whatever the clock says. Where a member that it needs is missing, it lets nothing pass.
 */
export function judgeGrant(grant: JudgedGrant, call: GrantSearch, now: number): GrantFault | undefined {
  if (!fitsCall(grant, call)) return 'other_call';
  if (grant.revokedAt !== undefined) return 'revoked';
  if (!(now < grant.expiresAt)) return 'expired';
  return isSpent(grant) ? 'spent' : undefined;
}

function fitsCall(grant: JudgedGrant, call: GrantSearch): boolean {
  if (grant.tenant !== call.tenant || grant.agent !== call.agent) return false;
  switch (grant.kind) {
    case 'once':
    case 'times':
    case 'until':
      return grant.fingerprint !== undefined && grant.fingerprint === call.fingerprint;
    case 'rule':
      return grant.scope !== undefined && fitsScope(grant.scope, call);
  }
}

function isSpent({ kind, usesLeft }: JudgedGrant): boolean {
  switch (kind) {
    case 'once':
    case 'times':
      return !(usesLeft !== undefined && usesLeft > 0);
    case 'until':
    case 'rule':
      return false;
  }
}
