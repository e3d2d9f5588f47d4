import { approvalStatusOf } from '../approval-state.ts';
import { requireCount, requireOneOf, requireText } from '../check.ts';
import { APPROVAL_PROBLEM_MS, APPROVAL_PROBLEMS } from '../claim-state.ts';
import type { DbClient, TransactionScope } from '../client.ts';
import { toJsonColumn } from '../json-column.ts';
import type { ApprovalChange, ApprovalStatus, ApprovalsPort, ApprovalTransition } from '../ports/approvals.ts';
import { DbError } from '../ports/db-error.ts';
import type { ApprovalRow } from '../tables.ts';
import { inOneTransaction } from '../transaction.ts';
import { approvalEntry } from './approval-entries.ts';
import { type ApprovalScope, announcing, NEWS_OF } from './approval-messages.ts';
import {
  type JoinedApprovalRow,
  requireApproval,
  requireTerms,
  toApprovalRecord,
  toApprovalSummary,
  UNDECIDED,
} from './approval-rows.ts';
import { endClaimsOf } from './claim-moves.ts';
import { insertGrant, revokeGrantsOf } from './grant-rows.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { endSealedRequest, extendSealedRequest } from './sealed-requests.ts';

/** How long the same binding opens no other approval after a denial, unless it is said otherwise. */
const DENIAL_MS = 60_000;

/** The statuses, as they read, that each change leads from. */
const FROM: Record<ApprovalTransition['to'], readonly ApprovalStatus[]> = {
  approved: ['pending'],
  denied: ['pending'],
  cancelled: ['pending'],
  expired: ['expired'],
  pending: ['approved'],
};

export function createApprovalTransitions(
  dbClient: DbClient,
  options: RepositoryOptions,
): Pick<ApprovalsPort, 'addVote' | 'transition'> {
  return {
    async addVote(tenant, id, vote, context) {
      requireText('approvals.votes', vote.by);
      requireCount('approvals.votes', vote.at);
      return inOneTransaction(dbClient, context, async (scope) => {
        const row = await requireApproval(scope.kysely(tenant), tenant, id);
        const approval = toApprovalRecord(row, vote.at);
        const hasVoted = approval.votes.some(({ by }) => by === vote.by);
        if (approval.status !== 'pending' || hasVoted) return { isDone: false, approval };
        await change(scope, row, { votes: toJsonColumn([...approval.votes, vote]) });
        await scope.appendEntry(
          approvalEntry(row, {
            at: vote.at,
            type: 'approval.decided',
            decision: 'require_approval',
            actor: vote.by,
            reason: vote.note ?? `a yes, ${approval.votes.length + 1} so far`,
          }),
        );
        return {
          isDone: true,
          approval: toApprovalRecord(await requireApproval(scope.kysely(tenant), tenant, id), vote.at),
        };
      });
    },

    async transition(tenant, id, transition, context) {
      requireCount('approvals.decided_at', transition.at);
      requireOneOf('approvals.status', transition.to, Object.keys(FROM));
      return inOneTransaction(dbClient, context, async (transaction): Promise<ApprovalChange> => {
        const scope = announcing(transaction, options);
        const row = await requireApproval(scope.kysely(tenant), tenant, id);
        const status = approvalStatusOf(row, transition.at);
        // `expired` as it reads, and not stored so before.
        const isPossible =
          FROM[transition.to].includes(status) && (transition.to !== 'expired' || row.status !== 'expired');
        if (!isPossible) return { isDone: false, approval: toApprovalRecord(row, transition.at) };
        const grantId = await store(scope, row, transition, options.newId);
        const approval = toApprovalRecord(await requireApproval(scope.kysely(tenant), tenant, id), transition.at);
        if (transition.to !== 'expired') await scope.announce(approval, NEWS_OF[transition.to], transition.at);
        return { isDone: true, approval, ...(grantId === undefined ? {} : { grantId }) };
      });
    },
  };
}

/** Returns the id of the grant, if one was made. */
async function store(
  scope: ApprovalScope,
  row: JoinedApprovalRow,
  transition: ApprovalTransition,
  newId: () => string,
): Promise<string | undefined> {
  switch (transition.to) {
    case 'approved':
      return storeApproved(scope, row, transition, newId());
    case 'denied':
      await storeDenied(scope, row, transition);
      return undefined;
    case 'cancelled':
      await storeCancelled(scope, row, transition);
      return undefined;
    case 'expired':
      await storeExpired(scope, row, transition.at);
      return undefined;
    case 'pending':
      await storePending(scope, row, transition);
      return undefined;
  }
}

type To<Status> = Extract<ApprovalTransition, { to: Status }>;

async function storeApproved(
  scope: TransactionScope,
  row: JoinedApprovalRow,
  { by, at, executeUntil, grant, note }: To<'approved'>,
  grantId: string,
): Promise<string> {
  requireText('approvals.decided_by', by);
  requireCount('approvals.execute_until', executeUntil);
  await change(scope, row, {
    status: 'approved',
    approved_at: at,
    execute_until: executeUntil,
    decided_by: by,
    decided_at: at,
    decision_reason: note ?? null,
  });
  await insertGrant(scope.kysely(row.tenant), { approval: row, id: grantId, terms: grant, by, at });
  if (row.sealed_request !== null) {
    const keepUntil = Math.max(executeUntil, grant.expiresAt);
    await extendSealedRequest(scope.kysely(row.tenant), { tenant: row.tenant, id: row.sealed_request, keepUntil });
  }
  const about = { at, type: 'approval.decided', decision: 'allow', actor: by, grant: grantId } as const;
  await scope.appendEntry(approvalEntry(row, note === undefined ? about : { ...about, reason: note }));
  return grantId;
}

async function storeDenied(
  scope: TransactionScope,
  row: JoinedApprovalRow,
  { by, at, reason, deniedUntil = at + DENIAL_MS }: To<'denied'>,
): Promise<void> {
  requireText('approvals.decided_by', by);
  requireCount('approvals.denied_until', deniedUntil);
  await change(scope, row, {
    status: 'denied',
    decided_by: by,
    decided_at: at,
    decision_reason: reason,
    denied_until: deniedUntil,
  });
  await endWith(scope, row, { ...APPROVAL_PROBLEMS.denied, at });
  const about = { at, type: 'approval.decided', decision: 'deny', actor: by, reason } as const;
  await scope.appendEntry(approvalEntry(row, about));
}

async function storeCancelled(
  scope: TransactionScope,
  row: JoinedApprovalRow,
  { by, at, reason }: To<'cancelled'>,
): Promise<void> {
  requireText('approvals.decided_by', by);
  await change(scope, row, { status: 'cancelled', decided_by: by, decided_at: at, decision_reason: reason ?? null });
  await endWith(scope, row, { ...APPROVAL_PROBLEMS.cancelled, at });
  const about = { at, type: 'approval.cancelled', actor: by } as const;
  await scope.appendEntry(approvalEntry(row, reason === undefined ? about : { ...about, reason }));
}

/** From `pending` or `approved`. What re-sends are told counts from the end, not from when it was noticed. */
export async function storeExpired(scope: ApprovalScope, row: JoinedApprovalRow, at: number): Promise<void> {
  await change(scope, row, { status: 'expired' });
  const endedAt = row.status === 'approved' ? row.execute_until : row.expires_at;
  await endWith(scope, row, { ...APPROVAL_PROBLEMS.expired, at: Math.min(at, endedAt ?? at) });
  await scope.appendEntry(approvalEntry(row, { at, type: 'approval.expired' }));
  await scope.announce(toApprovalSummary({ ...row, status: 'expired' }, at), 'approval.expired', at);
}

async function storePending(
  scope: TransactionScope,
  row: JoinedApprovalRow,
  { at, terms, reason }: To<'pending'>,
): Promise<void> {
  requireTerms(terms);
  const expiresAt = at + terms.pendingSeconds * 1_000;
  await revokeGrantsOf(scope, row, { by: 'policy', at, reason });
  const status = { status: 'pending', expires_at: expiresAt, terms: toJsonColumn(terms) } as const;
  await change(scope, row, { ...status, ...UNDECIDED });
  if (row.sealed_request !== null) {
    const keepUntil = expiresAt + terms.executeSeconds * 1_000;
    await extendSealedRequest(scope.kysely(row.tenant), { tenant: row.tenant, id: row.sealed_request, keepUntil });
  }
  await scope.appendEntry(approvalEntry(row, { at, type: 'approval.created', decision: 'require_approval', reason }));
}

/** The claims that awaited it say so for a while, and nobody needs the stored request any more. */
async function endWith(
  { kysely }: TransactionScope,
  row: JoinedApprovalRow,
  { code, status, at }: { code: string; status: number; at: number },
): Promise<void> {
  await endClaimsOf(kysely(row.tenant), row, { code, status, until: at + APPROVAL_PROBLEM_MS });
  if (row.sealed_request !== null) {
    await endSealedRequest(kysely(row.tenant), { tenant: row.tenant, id: row.sealed_request, keepUntil: at });
  }
}

/** Conditional on the stored status that was judged. */
async function change({ kysely }: TransactionScope, row: ApprovalRow, changed: Partial<ApprovalRow>): Promise<void> {
  const { numUpdatedRows } = await kysely(row.tenant)
    .updateTable('approvals')
    .set(changed)
    .where('tenant', '=', row.tenant)
    .where('id', '=', row.id)
    .where('status', '=', row.status)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) throw new DbError('stale', 'approvals.status has changed');
}
