import {
  DEFAULT_GRANT_CAPS,
  deniedUntil,
  type GivenGrant,
  type GrantContext,
  type GrantRequest,
  GrantRequestError,
  narrowestGrant,
  readGrantRequest,
  standingScope,
} from '@postern/approvals';
import type { Descriptor } from '@postern/canonicalizer';
import type { ApprovalChange, ApprovalRecord, ApprovalVote, DbContext } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import type { Actor } from '../actor.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { invalid } from '../validator.ts';
import { isoTime } from '../views.ts';
import { approvalEvent } from './approval-event.ts';
import { alreadyDecided } from './decided.ts';
import { checkVoter, createElectorates, readDecider, verdictOf } from './electorate.ts';
import { openSealedCopy } from './sealed-copy.ts';

/** Who decides on what. */
export interface Decision {
  readonly actor: Actor;
  /** Of the approval. */
  readonly id: string;
}

export interface Approving {
  readonly grant: GrantRequest | undefined;
  readonly note: string | undefined;
}

export interface Denying {
  readonly reason: string;
  /** Milliseconds since the epoch: until then the same call asks nobody. */
  readonly expiresAt: number | undefined;
}

/**
 * One person's yes; with the last one that is asked for it makes the grant, in the same transaction. Nothing is approved that could not
 * be shown: the sealed request must open and be what the approval is bound to.
 *
 * @throws Rejection `unknown_approval`, `approval_decided`, `forbidden`, `conflict`, `validation_failed`; DbError
 */
export async function approve(
  dependencies: AdminDependencies,
  { actor, id }: Decision,
  { grant, note }: Approving,
): Promise<ApprovalRecord> {
  const { repositories, runInTransaction, now } = dependencies;
  const { approvals } = repositories;
  const asked = await findApproval(dependencies, actor.tenant, id);
  if (asked.status !== 'pending') throw alreadyDecided(asked, dependencies.publicUrl);
  const copy = await openSealedCopy(dependencies, asked);

  const change = await runInTransaction(async (context) => {
    const at = now();
    const approval = await findApproval(dependencies, actor.tenant, id, { context, at });
    if (approval.status !== 'pending') throw alreadyDecided(approval, dependencies.publicUrl);
    const voter = await readDecider(repositories, actor, context);
    const electorate = await createElectorates(repositories, context)(approval);
    checkVoter(approval, voter, electorate);
    if (!electorate.hasAgent) throw new Rejection('conflict', 'The agent of this call is gone: it can only be denied.');
    if (!copy.isApprovable) throw new Rejection('conflict', `${copy.words} There is nothing to approve.`);
    const terms = { ...grantContext(dependencies, approval), now: at };
    readGrant(grant, terms);
    const vote: ApprovalVote = { by: voter.name, groups: voter.groups, at, ...present({ note, grant }) };
    const voted = await approvals.addVote(approval.tenant, id, vote, context);
    if (!voted.isDone) throw new Rejection('conflict', 'The approval has changed meanwhile; read it again.');
    const verdict = verdictOf(approval, { ...electorate, votes: [...electorate.votes, vote] });
    if (verdict.outcome !== 'approved') return { ...voted, isDecided: false };
    const given = readAgreed([...electorate.votes, vote], terms);
    const decided = await approvals.transition(
      approval.tenant,
      id,
      { to: 'approved', by: voter.name, at, ...given, ...present({ note }) },
      context,
    );
    return { ...requireDone(decided, dependencies), isDecided: true };
  });
  announce(dependencies, change.approval, change.isDecided ? 'approval.decided' : 'approval.voted');
  return change.approval;
}

/**
 * A no, which ends it whoever gives it.
 *
 * @throws Rejection `unknown_approval`, `approval_decided`, `validation_failed`; DbError
 */
export async function deny(
  dependencies: AdminDependencies,
  { actor, id }: Decision,
  { reason, expiresAt }: Denying,
): Promise<ApprovalRecord> {
  const { repositories, runInTransaction, now } = dependencies;
  const { approval } = await runInTransaction(async (context) => {
    const at = now();
    if (expiresAt !== undefined && expiresAt <= at) {
      throw invalid([{ field: 'rule.expiresAt', message: 'must be in the future' }]);
    }
    const found = await findApproval(dependencies, actor.tenant, id, { context, at });
    const { name } = await readDecider(repositories, actor, context);
    const change = await repositories.approvals.transition(
      found.tenant,
      id,
      {
        to: 'denied',
        by: name,
        at,
        reason,
        deniedUntil: deniedUntil(at, expiresAt === undefined ? undefined : { expiresAt }),
      },
      context,
    );
    return requireDone(change, dependencies);
  });
  announce(dependencies, approval, 'approval.decided');
  return approval;
}

/** @throws Rejection `unknown_approval`, also for another tenant's */
export async function findApproval(
  { repositories, now }: Pick<AdminDependencies, 'repositories' | 'now'>,
  tenant: string,
  id: string,
  { context = {}, at = now() }: { readonly context?: DbContext; readonly at?: number } = {},
): Promise<ApprovalRecord> {
  const approval = await repositories.approvals.getById(tenant, id, at, context);
  if (approval === undefined) throw new Rejection('unknown_approval', 'There is no approval of that id.');
  return approval;
}

/** What limits the grants of an approval, but for the time. */
export function grantContext(
  { grantCaps = DEFAULT_GRANT_CAPS }: Pick<AdminDependencies, 'grantCaps'>,
  { terms, descriptor }: Pick<ApprovalRecord, 'terms' | 'descriptor'>,
): Omit<GrantContext, 'now'> {
  return { terms, caps: grantCaps, scope: standingScope(JSON.parse(descriptor) as Descriptor) };
}

function readGrant(grant: GrantRequest | undefined, context: GrantContext): GivenGrant {
  try {
    return readGrantRequest(grant, context);
  } catch (error) {
    if (!(error instanceof GrantRequestError)) throw error;
    throw invalid([{ field: error.field, message: error.message }]);
  }
}

/** What all who approved agree on. What was asked for some time ago may be over by now. */
function readAgreed(votes: readonly ApprovalVote[], context: GrantContext): GivenGrant {
  const agreed = narrowestGrant(votes.map(({ grant }) => grant));
  if (agreed.until !== undefined && agreed.until <= context.now) {
    throw new Rejection(
      'conflict',
      `Somebody approved this until ${isoTime(agreed.until)}, which is over: it can only be denied.`,
    );
  }
  return readGrant(agreed, context);
}

function requireDone(change: ApprovalChange, { publicUrl }: AdminDependencies): ApprovalChange {
  if (!change.isDone) throw alreadyDecided(change.approval, publicUrl);
  return change;
}

/** Wakes calls that wait, and tells those who watch. After the commit. */
function announce(
  { events, onApprovalDecided, now }: AdminDependencies,
  approval: ApprovalRecord,
  type: 'approval.decided' | 'approval.voted',
): void {
  if (type === 'approval.decided') onApprovalDecided?.(approval.tenant, approval, type);
  events.publish(approvalEvent(type, approval, now()));
}

/** Without members that are undefined, which stores tell apart from absent ones. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
