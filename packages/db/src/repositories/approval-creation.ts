import type { Kysely } from 'kysely';
import { approvalStatusOf } from '../approval-state.ts';
import { withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import {
  type ApprovalCaps,
  type ApprovalRecord,
  type ApprovalsPort,
  DEFAULT_APPROVAL_CAPS,
  type NewApproval,
  type OpenedApproval,
} from '../ports/approvals.ts';
import type { LostCondition } from '../ports/call-journal.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction } from '../transaction.ts';
import { approvalEntry } from './approval-entries.ts';
import { type ApprovalScope, announcing } from './approval-messages.ts';
import {
  type JoinedApprovalRow,
  requireApproval,
  selectApprovals,
  toApprovalRecord,
  toApprovalRow,
} from './approval-rows.ts';
import { storeExpired } from './approval-transitions.ts';
import { type ClaimMove, moveClaim, moveObstacle, readClaimRow } from './claim-moves.ts';
import { toClaimRecord } from './claim-rows.ts';
import { requireScope } from './claims.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { extendSealedRequest } from './sealed-requests.ts';

const CAP_WINDOW_MS = 60_000;

const NO_CAPS: ApprovalCaps = { pendingMax: Number.POSITIVE_INFINITY, newPerMinuteMax: Number.POSITIVE_INFINITY };

type CreationPort = Pick<ApprovalsPort, 'create' | 'createFromCanonicalDescriptor' | 'bindClaim'>;

export function createApprovalCreation(dbClient: DbClient, options: RepositoryOptions): CreationPort {
  const { newId } = options;
  return {
    async create(approval, nowMs, context) {
      return inOneTransaction(dbClient, context, async (scope) => {
        const opened = await open(announcing(scope, options), { approval, id: newId(), nowMs, caps: NO_CAPS });
        if (opened.kind === 'created') return opened.approval;
        throw new DbError('conflict', `approvals: ${opened.kind}`);
      });
    },

    async createFromCanonicalDescriptor(approval, { nowMs, caps = DEFAULT_APPROVAL_CAPS }, context) {
      return inOneTransaction(dbClient, context, (scope) =>
        open(announcing(scope, options), { approval, id: newId(), nowMs, caps }),
      );
    },

    async bindClaim({ tenant, id }, claim, nowMs, context) {
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const row = await requireApproval(kysely, tenant, id);
        const status = approvalStatusOf(row, nowMs);
        if (status !== 'pending' && status !== 'approved') throw new DbError('stale', `approvals.status is ${status}`);
        const move = { ...claim, tenant, fingerprint: row.fingerprint, approvalId: id };
        const lost = await bind(kysely, move, nowMs);
        const found = await readClaimRow(kysely, move);
        const record = found && toClaimRecord(found, nowMs);
        if (lost !== undefined || record === undefined) return { isDone: false, found: record };
        return { isDone: true, claim: record };
      });
    },
  };
}

interface Opening {
  readonly approval: NewApproval;
  readonly id: string;
  readonly nowMs: number;
  readonly caps: ApprovalCaps;
}

/** Looks before it writes: whatever stands in the way, nothing of the new approval or its claim is stored. */
async function open(scope: ApprovalScope, opening: Opening): Promise<OpenedApproval> {
  const { approval, id, nowMs } = opening;
  const kysely = scope.kysely(approval.tenant);
  const row = toApprovalRow(approval, id, nowMs);
  const lost = await lookAtClaim(kysely, approval, nowMs);
  if (lost !== undefined) return { kind: 'claim_lost', found: lost.found };
  const pending = await readPending(scope, approval, nowMs);
  if (pending !== undefined) {
    await bindTo(kysely, approval, { approvalId: pending.id, nowMs });
    return { kind: 'joined', approval: toApprovalRecord(pending, nowMs) };
  }
  const denied = await readDenied(kysely, approval, nowMs);
  if (denied !== undefined) return { kind: 'denied', approval: denied };
  const limit = await checkCaps(kysely, opening);
  if (limit !== undefined) return limit;
  await kysely.insertInto('approvals').values(row).execute();
  await bindTo(kysely, approval, { approvalId: id, nowMs });
  await keepRequest(kysely, approval, row.expires_at);
  await scope.appendEntry(approvalEntry(row, { at: nowMs, type: 'approval.created', decision: 'require_approval' }));
  const created = toApprovalRecord({ ...row, lease_until: null }, nowMs);
  await scope.announce(created, 'approval.created', nowMs);
  return { kind: 'created', approval: created };
}

type Lost = Extract<LostCondition, { lost: 'claim_lost' }>;

async function lookAtClaim(kysely: Kysely<Tables>, approval: NewApproval, nowMs: number): Promise<Lost | undefined> {
  const move = moveOf(approval, 'to be made');
  if (move === undefined) return undefined;
  requireScope(move);
  return moveObstacle(await readClaimRow(kysely, move), move, nowMs) as Lost | undefined;
}

async function bindTo(
  kysely: Kysely<Tables>,
  approval: NewApproval,
  { approvalId, nowMs }: { approvalId: string; nowMs: number },
): Promise<void> {
  const move = moveOf(approval, approvalId);
  if (move !== undefined) await bind(kysely, move, nowMs);
}

function moveOf(approval: NewApproval, approvalId: string): ClaimMove | undefined {
  const { tenant, agent, integration, fingerprint, requestId, claim } = approval;
  return claim && { ...claim, tenant, agent, integration, fingerprint, requestId, approvalId };
}

async function bind(kysely: Kysely<Tables>, move: ClaimMove, nowMs: number): Promise<LostCondition | undefined> {
  requireScope(move);
  const row = await readClaimRow(kysely, move);
  const lost = moveObstacle(row, move, nowMs);
  if (lost === undefined) await moveClaim(kysely, move, { row, nowMs });
  return lost;
}

/** The pending one of the binding. One whose time is over makes room first. */
async function readPending(
  scope: ApprovalScope,
  approval: NewApproval,
  nowMs: number,
): Promise<JoinedApprovalRow | undefined> {
  const row = await selectBinding(scope.kysely(approval.tenant), approval)
    .where('p.status', '=', 'pending')
    .executeTakeFirst();
  if (row === undefined || approvalStatusOf(row, nowMs) === 'pending') return row;
  await storeExpired(scope, row, nowMs);
  return undefined;
}

async function readDenied(
  kysely: Kysely<Tables>,
  approval: NewApproval,
  nowMs: number,
): Promise<ApprovalRecord | undefined> {
  const row = await selectBinding(kysely, approval)
    .where('p.status', '=', 'denied')
    .where('p.denied_until', '>', nowMs)
    .orderBy('p.denied_until', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && toApprovalRecord(row, nowMs);
}

function selectBinding(kysely: Kysely<Tables>, { tenant, agent, fingerprint }: NewApproval) {
  return selectApprovals(kysely)
    .where('p.tenant', '=', tenant)
    .where('p.agent', '=', agent)
    .where('p.fingerprint', '=', fingerprint);
}

/** Times in the future (the clock went back) count as within the window. */
async function checkCaps(
  kysely: Kysely<Tables>,
  { approval, nowMs, caps }: Opening,
): Promise<OpenedApproval | undefined> {
  const ofAgent = kysely
    .selectFrom('approvals')
    .where('tenant', '=', approval.tenant)
    .where('agent', '=', approval.agent);
  const recent = await ofAgent
    .select((expression) => [expression.fn.countAll<number>().as('count'), expression.fn.min('created_at').as('first')])
    .where('created_at', '>', nowMs - CAP_WINDOW_MS)
    .executeTakeFirst();
  if (Number(recent?.count ?? 0) >= caps.newPerMinuteMax) {
    return limitOf('newPerMinuteMax', Number(recent?.first ?? nowMs) + CAP_WINDOW_MS - nowMs);
  }
  const pending = await ofAgent
    .select((expression) => [expression.fn.countAll<number>().as('count'), expression.fn.min('expires_at').as('first')])
    .where('status', '=', 'pending')
    .where('expires_at', '>', nowMs)
    .executeTakeFirst();
  if (Number(pending?.count ?? 0) < caps.pendingMax) return undefined;
  return limitOf('pendingMax', Number(pending?.first ?? nowMs) - nowMs);
}

function limitOf(cap: keyof ApprovalCaps, waitMs: number): OpenedApproval {
  return { kind: 'limit', cap, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) };
}

async function keepRequest(kysely: Kysely<Tables>, approval: NewApproval, expiresAt: number): Promise<void> {
  const { tenant, sealedRequest, terms } = approval;
  if (sealedRequest === undefined) return;
  const keeping = extendSealedRequest(kysely, {
    tenant,
    id: sealedRequest,
    keepUntil: expiresAt + terms.executeSeconds * 1_000,
  });
  const isThere = await withReference('approvals.sealed_request', keeping);
  if (!isThere) throw new DbError('not_found', 'approvals.sealed_request names something that is not there');
}
