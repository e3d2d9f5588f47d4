import { INTENT, type JournalBatch, OUTCOME } from '../../journal/batch.ts';
import type { CallBook } from '../../journal/call-book.ts';
import type { CallSettlement, IntentConditions, IntentDraft, OutcomeDraft } from '../../ports/call-journal.ts';
import type { ClaimScope } from '../../ports/claims.ts';

/** What a transaction is about: the rows that it must read before the records can be looked at. */
export interface Names {
  readonly tenants: ReadonlySet<string>;
  /** Keys that intents would take. */
  readonly scopes: readonly ClaimScope[];
  /** Claims that outcomes would settle. */
  readonly places: readonly number[];
  readonly grants: readonly GrantName[];
  /** Answers that are to be stored at most. */
  readonly answers: number;
}

export interface GrantName {
  readonly tenant: string;
  readonly id: string;
}

const NONE: readonly never[] = [];

export function namesOf({ kinds, drafts, effects }: JournalBatch, book: CallBook): Names {
  const tenants = new Set<string>();
  let last: string | undefined;
  for (const { tenant } of drafts) {
    if (tenant !== last) tenants.add(tenant);
    last = tenant;
  }
  const scopes: ClaimScope[] = [];
  const grants: GrantName[] = [];
  const places: number[] = [];
  let answers = 0;
  for (const [index, effect] of effects) {
    const draft = drafts[index] as IntentDraft | OutcomeDraft;
    if (kinds[index] === INTENT) addConditions(draft as IntentDraft, effect as IntentConditions, { scopes, grants });
    else if (hasAnswer(effect as CallSettlement)) answers += 1;
  }
  for (const [index, draft] of drafts.entries()) {
    const hold = kinds[index] === OUTCOME ? book.holdOf(draft as OutcomeDraft) : undefined;
    if (hold?.claim !== undefined) places.push(hold.claim.place);
    if (hold?.grant !== undefined) grants.push({ tenant: draft.tenant, id: hold.grant.id });
  }
  return { tenants, scopes, places, grants, answers };
}

/** Of calls that recovery closes: what they hold is found by their request ids. */
export function namesOfTenants(tenants: Iterable<string>): Names {
  return { tenants: new Set(tenants), scopes: NONE, places: NONE, grants: NONE, answers: 0 };
}

/** Nothing but logs and the lease. */
export function isPlain({ scopes, places, grants }: Names): boolean {
  return scopes.length === 0 && places.length === 0 && grants.length === 0;
}

function addConditions(
  { tenant }: IntentDraft,
  { claim, grant }: IntentConditions,
  { scopes, grants }: { scopes: ClaimScope[]; grants: GrantName[] },
): void {
  if (claim !== undefined) {
    const { agent, integration, key } = claim;
    scopes.push({ tenant, agent, integration, key });
  }
  if (grant !== undefined) grants.push({ tenant, id: grant.id });
}

function hasAnswer({ claim }: CallSettlement): boolean {
  return claim?.to === 'succeeded' && claim.sealed !== undefined;
}
