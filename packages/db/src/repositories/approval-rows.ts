import type { Kysely } from 'kysely';
import { type ApprovalStateRow, approvalStatusOf } from '../approval-state.ts';
import { requireCount, requireOneOf, requireText } from '../check.ts';
import { fromJsonColumn, guardParser, toJsonColumn } from '../json-column.ts';
import type {
  ApprovalRecord,
  ApprovalRisk,
  ApprovalSummary,
  ApprovalTerms,
  ApprovalVote,
  NewApproval,
} from '../ports/approvals.ts';
import { DbError } from '../ports/db-error.ts';
import { GRANT_KINDS } from '../ports/grants.ts';
import type { ApprovalRow, Tables } from '../tables.ts';

/** An approval with what says how it reads; lists leave the descriptor out. */
export type JoinedApprovalRow = ApprovalRow & ApprovalStateRow;
export type ApprovalSummaryRow = Omit<JoinedApprovalRow, 'descriptor'>;

const SUMMARY_COLUMNS = [
  'p.tenant',
  'p.id',
  'p.agent',
  'p.environment',
  'p.integration',
  'p.action',
  'p.method',
  'p.url',
  'p.fingerprint',
  'p.request_id',
  'p.summary',
  'p.intent',
  'p.risk',
  'p.rule',
  'p.reason',
  'p.policy_version',
  'p.terms',
  'p.status',
  'p.votes',
  'p.created_at',
  'p.expires_at',
  'p.approved_at',
  'p.execute_until',
  'p.decided_by',
  'p.decided_at',
  'p.decision_reason',
  'p.denied_until',
  'p.claim_key',
  'p.sealed_request',
  'p.executed_by',
  'p.lease',
  'l.lease_until',
] as const;

export function selectSummaries(kysely: Kysely<Tables>) {
  return kysely.selectFrom('approvals as p').leftJoin('node_leases as l', 'l.lease', 'p.lease').select(SUMMARY_COLUMNS);
}

export function selectApprovals(kysely: Kysely<Tables>) {
  return selectSummaries(kysely).select('p.descriptor');
}

export async function readApproval(
  kysely: Kysely<Tables>,
  tenant: string,
  id: string,
): Promise<JoinedApprovalRow | undefined> {
  return selectApprovals(kysely).where('p.tenant', '=', tenant).where('p.id', '=', id).executeTakeFirst();
}

export async function requireApproval(kysely: Kysely<Tables>, tenant: string, id: string): Promise<JoinedApprovalRow> {
  const row = await readApproval(kysely, tenant, id);
  if (row === undefined) throw new DbError('not_found', 'no such approval in that tenant');
  return row;
}

export function toApprovalRecord(row: JoinedApprovalRow, nowMs: number): ApprovalRecord {
  return { ...toApprovalSummary(row, nowMs), descriptor: row.descriptor };
}

export function toApprovalSummary(row: ApprovalSummaryRow, nowMs: number): ApprovalSummary {
  return {
    tenant: row.tenant,
    id: row.id,
    agent: row.agent,
    environment: row.environment ?? undefined,
    integration: row.integration,
    action: row.action ?? undefined,
    method: row.method,
    url: row.url,
    fingerprint: row.fingerprint,
    requestId: row.request_id,
    summary: row.summary,
    intent: row.intent ?? undefined,
    risk: row.risk === null ? undefined : fromJsonColumn('approvals.risk', row.risk, riskParser),
    rule: row.rule ?? undefined,
    reason: row.reason ?? undefined,
    policyVersion: row.policy_version ?? undefined,
    status: approvalStatusOf(row, nowMs),
    terms: fromJsonColumn('approvals.terms', row.terms, termsParser),
    votes: fromJsonColumn('approvals.votes', row.votes, votesParser),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    ...decisionPart(row),
    ...(row.claim_key === null ? {} : { claimKey: row.claim_key }),
    ...(row.sealed_request === null ? {} : { sealedRequest: row.sealed_request }),
    ...(row.executed_by === null ? {} : { executedBy: row.executed_by }),
  };
}

function decisionPart(row: ApprovalSummaryRow) {
  return {
    ...(row.approved_at === null ? {} : { approvedAt: row.approved_at }),
    ...(row.execute_until === null ? {} : { executeUntil: row.execute_until }),
    ...(row.decided_by === null ? {} : { decidedBy: row.decided_by }),
    ...(row.decided_at === null ? {} : { decidedAt: row.decided_at }),
    ...(row.decision_reason === null ? {} : { decisionReason: row.decision_reason }),
    ...(row.denied_until === null ? {} : { deniedUntil: row.denied_until }),
  };
}

/** A new row, `pending` from `nowMs` on. */
export function toApprovalRow(approval: NewApproval, id: string, nowMs: number): ApprovalRow {
  requireNewApproval(approval);
  requireCount('approvals.created_at', nowMs);
  return {
    tenant: approval.tenant,
    id,
    agent: approval.agent,
    environment: approval.environment ?? null,
    integration: approval.integration,
    action: approval.action ?? null,
    method: approval.method,
    url: approval.url,
    fingerprint: approval.fingerprint,
    request_id: approval.requestId,
    summary: approval.summary,
    intent: approval.intent ?? null,
    risk: approval.risk === undefined ? null : toJsonColumn(approval.risk),
    rule: approval.rule ?? null,
    reason: approval.reason ?? null,
    policy_version: approval.policyVersion ?? null,
    descriptor: approval.descriptor,
    terms: toJsonColumn(approval.terms),
    status: 'pending',
    votes: toJsonColumn([]),
    created_at: nowMs,
    expires_at: nowMs + approval.terms.pendingSeconds * 1_000,
    ...UNDECIDED,
    claim_key: approval.claim?.key ?? null,
    sealed_request: approval.sealedRequest ?? null,
    executed_by: null,
    lease: null,
  };
}

export const UNDECIDED = {
  approved_at: null,
  execute_until: null,
  decided_by: null,
  decided_at: null,
  decision_reason: null,
  denied_until: null,
} as const;

function requireNewApproval(approval: NewApproval): void {
  requireText('approvals.tenant', approval.tenant);
  requireText('approvals.agent', approval.agent);
  requireText('approvals.integration', approval.integration);
  requireText('approvals.method', approval.method);
  requireText('approvals.url', approval.url);
  requireText('approvals.fingerprint', approval.fingerprint);
  requireText('approvals.request_id', approval.requestId);
  requireText('approvals.descriptor', approval.descriptor);
  requireTerms(approval.terms);
}

export function requireTerms(terms: ApprovalTerms): void {
  requireCount('approvals.terms', terms.approvers);
  requireCount('approvals.terms', terms.pendingSeconds);
  requireCount('approvals.terms', terms.executeSeconds);
  requireOneOf('approvals.terms', terms.grant, GRANT_KINDS);
  for (const group of terms.groups) requireText('approvals.terms', group);
}

function isTerms(value: unknown): value is ApprovalTerms {
  if (!isObject(value)) return false;
  const { approvers, groups, pendingSeconds, executeSeconds, grant } = value;
  const areCounts = [approvers, pendingSeconds, executeSeconds].every(Number.isSafeInteger);
  return areCounts && areTexts(groups) && (GRANT_KINDS as readonly unknown[]).includes(grant);
}

function isRisk(value: unknown): value is ApprovalRisk {
  return isObject(value) && typeof value['score'] === 'number' && areTexts(value['labels']);
}

function areVotes(value: unknown): value is readonly ApprovalVote[] {
  return Array.isArray(value) && value.every(isVote);
}

function isVote(value: unknown): value is ApprovalVote {
  return (
    isObject(value) && typeof value['by'] === 'string' && areTexts(value['groups']) && Number.isSafeInteger(value['at'])
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

const termsParser = guardParser(isTerms);
const riskParser = guardParser(isRisk);
const votesParser = guardParser(areVotes);
