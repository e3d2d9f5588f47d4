import { describeGrant } from '@postern/approvals';
import { GRANT_KINDS, GRANT_STATES, type GrantRecord, type GrantTerms } from '@postern/db/ports';
import { z } from 'zod';
import { isoTime } from '../views.ts';

const time = z.string().describe('ISO 8601, UTC');

export const grantView = z.object({
  id: z.string(),
  approvalId: z.string(),
  agent: z.string(),
  kind: z.enum(GRANT_KINDS),
  state: z.enum(GRANT_STATES).describe('As it reads now'),
  words: z.string().describe('What it lets pass'),
  fingerprint: z.string().optional().describe('Of the call it is bound to; absent for a standing grant'),
  scope: z
    .object({ integration: z.string(), action: z.string().optional(), method: z.string(), path: z.string() })
    .optional()
    .describe('What a standing grant is bound to instead'),
  usesLeft: z.int().optional(),
  expiresAt: time,
  createdAt: time,
  grantedBy: z.string(),
  revokedAt: time.optional(),
  revokedBy: z.string().optional(),
});

export function viewGrant(grant: GrantRecord): z.output<typeof grantView> {
  const { id, approvalId, agent, kind, state, fingerprint, scope, usesLeft, revokedAt, revokedBy } = grant;
  return {
    id,
    approvalId,
    agent,
    kind,
    state,
    words: describeGrant(termsOf(grant), agent),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(scope === undefined ? {} : { scope: viewScope(scope) }),
    ...(usesLeft === undefined ? {} : { usesLeft }),
    expiresAt: isoTime(grant.expiresAt),
    createdAt: isoTime(grant.createdAt),
    grantedBy: grant.grantedBy,
    ...(revokedAt === undefined ? {} : { revokedAt: isoTime(revokedAt) }),
    ...(revokedBy === undefined ? {} : { revokedBy }),
  };
}

function viewScope({ integration, action, method, path }: NonNullable<GrantRecord['scope']>) {
  return { integration, ...(action === undefined ? {} : { action }), method, path };
}

/** What is left of it. */
function termsOf({ kind, expiresAt, usesLeft = 0, scope }: GrantRecord): GrantTerms {
  switch (kind) {
    case 'once':
    case 'until':
      return { kind, expiresAt };
    case 'times':
      return { kind, times: usesLeft, expiresAt };
    case 'rule':
      if (scope === undefined) throw new TypeError('a standing grant has a scope');
      return { kind, scope, expiresAt };
  }
}
