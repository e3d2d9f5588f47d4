import type { ApprovalTerms, ApprovalVote, GrantKind, GrantTerms, StandingScope } from '@postern/db/ports';
import { GRANT_KINDS } from '@postern/policy';
import { GrantRequestError } from './grant-request-error.ts';

/** What an approver asks to give (specification, section 7). `times` goes with `times`, `until` (milliseconds since the epoch) with `until`. */
export type GrantRequest = NonNullable<ApprovalVote['grant']>;

/** The widest that a tenant lets its approvers give. */
export interface GrantCaps {
  readonly timesMax: number;
  /** From the approval to the end of an `until` grant. */
  readonly untilSecondsMax: number;
  /** How long a standing grant (`rule`) lasts. */
  readonly ruleSeconds: number;
}

/** 100 calls, 7 days, 30 days. */
export const DEFAULT_GRANT_CAPS: GrantCaps = { timesMax: 100, untilSecondsMax: 604_800, ruleSeconds: 2_592_000 };

/** What limits the request. */
export interface GrantContext {
  readonly terms: Pick<ApprovalTerms, 'grant' | 'executeSeconds'>;
  readonly caps: GrantCaps;
  /** Of the call (`standingScope`); undefined when it has none. */
  readonly scope: StandingScope | undefined;
  /** When the approval is given, milliseconds since the epoch. */
  readonly now: number;
}

/** What an approval writes: the grant, and until when the stored request may be sent. */
export interface GivenGrant {
  readonly grant: GrantTerms;
  readonly executeUntil: number;
}

/**
 * What would be stored of the grant that an approver asks for; nothing asked means `once`. `once` and `times` last for the rule's
 * `executeSeconds`, `until` to its time, `rule` for the tenant's `ruleSeconds` (its own stored request for `executeSeconds`).
 *
 * @throws GrantRequestError for more than the rule or the tenant allows: it is never cut down to what would be allowed
 */
export function readGrantRequest(request: GrantRequest | undefined, context: GrantContext): GivenGrant {
  const { terms, now } = context;
  const { kind, times, until } = request ?? { kind: 'once' };
  checkKind(kind, terms.grant);
  if (times !== undefined && kind !== 'times') throw invalid('grant.times', 'goes with the kind "times" alone');
  if (until !== undefined && kind !== 'until') throw invalid('grant.until', 'goes with the kind "until" alone');
  const executeUntil = now + terms.executeSeconds * 1_000;
  switch (kind) {
    case 'once':
      return { grant: { kind, expiresAt: executeUntil }, executeUntil };
    case 'times':
      return { grant: { kind, times: readTimes(times, context), expiresAt: executeUntil }, executeUntil };
    case 'until': {
      const expiresAt = readUntil(until, context);
      return { grant: { kind, expiresAt }, executeUntil: expiresAt };
    }
    case 'rule': {
      const { scope, caps } = context;
      if (scope === undefined) {
        throw new GrantRequestError('no_scope', 'grant.kind', 'only HTTP calls can have a standing grant');
      }
      return { grant: { kind, scope, expiresAt: now + caps.ruleSeconds * 1_000 }, executeUntil };
    }
  }
}

/** The kinds that the rule's terms allow for this call, the narrowest first. */
export function grantKindsAllowed({ terms, scope }: Pick<GrantContext, 'terms' | 'scope'>): readonly GrantKind[] {
  const widest = GRANT_KINDS.indexOf(terms.grant);
  return GRANT_KINDS.filter((kind, width) => width <= widest && (kind !== 'rule' || scope !== undefined));
}

/** What several approvers agree on: the narrowest of what each asked; who asked for nothing meant `once`. */
export function narrowestGrant(requests: readonly (GrantRequest | undefined)[]): GrantRequest {
  const [first, ...others] = requests.map((request): GrantRequest => request ?? { kind: 'once' });
  return others.reduce((left, right) => {
    const difference = GRANT_KINDS.indexOf(left.kind) - GRANT_KINDS.indexOf(right.kind);
    if (difference !== 0) return difference < 0 ? left : right;
    return (right.times ?? 0) < (left.times ?? 0) || (right.until ?? 0) < (left.until ?? 0) ? right : left;
  }, first ?? { kind: 'once' });
}

function checkKind(kind: GrantKind, widest: GrantKind): void {
  const width = GRANT_KINDS.indexOf(kind);
  if (width === -1) throw invalid('grant.kind', `must be ${GRANT_KINDS.join(', ')}`);
  if (width > GRANT_KINDS.indexOf(widest)) {
    throw new GrantRequestError('wider_than_rule', 'grant.kind', `the rule allows at most "${widest}"`);
  }
}

function readTimes(times: number | undefined, { caps }: GrantContext): number {
  if (times === undefined || !Number.isSafeInteger(times) || times < 1) {
    throw invalid('grant.times', 'must be a whole number from 1');
  }
  if (!(times <= caps.timesMax)) {
    throw new GrantRequestError('over_cap', 'grant.times', `the tenant allows at most ${caps.timesMax}`);
  }
  return times;
}

function readUntil(until: number | undefined, { caps, now }: GrantContext): number {
  if (until === undefined || !Number.isSafeInteger(until) || !(until > now)) {
    throw invalid('grant.until', 'must be a time to come');
  }
  if (!(until <= now + caps.untilSecondsMax * 1_000)) {
    throw new GrantRequestError('over_cap', 'grant.until', `the tenant allows at most ${caps.untilSecondsMax} seconds`);
  }
  return until;
}

function invalid(field: string, message: string): GrantRequestError {
  return new GrantRequestError('invalid', field, message);
}
