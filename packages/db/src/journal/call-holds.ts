import type { EntryDraft } from '@postern/schemas';
import type {
  CallSettlement,
  ClaimSettlement,
  IntentConditions,
  IntentDraft,
  LostCondition,
  OutcomeDraft,
} from '../ports/call-journal.ts';
import { CallClaims, type OpenClaim } from './call-claims.ts';
import { CallGrants, type OpenGrant } from './call-grants.ts';
import type { HeldClaim, JournalRows } from './journal-rows.ts';

/** What an open call holds besides its intent. */
export interface CallHold {
  readonly claim: HeldClaim | undefined;
  readonly grant: OpenGrant | undefined;
}

/** What a call may take: it was looked at in this transaction, and nothing of it is taken yet. */
export interface OpenHold {
  readonly claim: OpenClaim | undefined;
  readonly grant: OpenGrant | undefined;
}

/** Claims, grants and approvals of calls, in the transactions of the journal. */
export class CallHolds {
  readonly #claims: CallClaims;
  readonly #grants: CallGrants;

  constructor({ claims, grants }: JournalRows) {
    this.#claims = new CallClaims(claims);
    this.#grants = new CallGrants(grants);
  }

  look(draft: IntentDraft, conditions: IntentConditions, now: number): OpenHold | LostCondition {
    const claim = conditions.claim && this.#claims.look(draft.tenant, conditions.claim, now);
    if (claim !== undefined && 'lost' in claim) return claim;
    const grant = conditions.grant && this.#grants.look(draft, conditions.grant.id, now);
    if (grant !== undefined && 'lost' in grant) return grant;
    return { claim, grant };
  }

  /** After `look`, in the same transaction. */
  take({ claim, grant }: OpenHold, call: { tenant: string; requestId: string; lease: number; now: number }): CallHold {
    if (grant !== undefined) this.#grants.use(grant, call);
    const approvalId = grant?.approvalId ?? null;
    return { claim: claim && this.#claims.take(claim, { ...call, approvalId }), grant };
  }

  /** Settles what is still the call's. Returns true when the approval's first execution has ended with it. */
  settle(hold: CallHold, outcome: OutcomeDraft, settlement: CallSettlement): boolean {
    const { tenant, requestId } = outcome;
    if (hold.claim !== undefined) {
      this.#claims.settle(hold.claim, settlement.claim ?? claimAfter(outcome), outcome);
    }
    if (hold.grant === undefined) return false;
    const usual = afterResult(outcome);
    if ((settlement.grant ?? usual.grant) === 'given_back') this.#grants.giveBack(tenant, hold.grant);
    if (!hold.grant.isFirst) return false;
    const to = settlement.approval ?? usual.approval;
    const execution = { tenant, approvalId: hold.grant.approvalId, requestId };
    return this.#grants.endExecution(execution, to) && to !== 'approved';
  }

  /** For a call that recovery closes. Returns true when that was the first execution of an approval. */
  abandon(requestId: string): boolean {
    this.#claims.abandon(requestId);
    return this.#grants.abandon(requestId);
  }
}

/** What a claim becomes when the outcome does not say. */
function claimAfter({ result, status }: OutcomeDraft): ClaimSettlement {
  switch (result) {
    case 'done':
      return { to: status === TOO_MANY_REQUESTS ? 'failed_not_sent' : 'succeeded' };
    case 'not_sent':
      return { to: 'failed_not_sent' };
    case 'failed':
    case 'unknown':
      return { to: 'unknown' };
  }
}

const TOO_MANY_REQUESTS = 429;

function afterResult({ result }: OutcomeDraft): Required<Pick<CallSettlement, 'approval' | 'grant'>> {
  switch (result) {
    case 'done':
      return { approval: 'executed', grant: 'spent' };
    case 'not_sent':
      return { approval: 'approved', grant: 'given_back' };
    case 'failed':
    case 'unknown':
      return { approval: 'unknown', grant: 'spent' };
  }
}

/** The entry of an approval whose first execution has ended; `closing` closes the call. */
export function executedDraft(closing: EntryDraft): EntryDraft {
  return { ...closing, type: 'approval.executed', latencyMs: undefined, argsHash: undefined, attempt: undefined };
}
