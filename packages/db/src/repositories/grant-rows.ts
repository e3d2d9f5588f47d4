import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { requireCount, requireOneOf, requireText } from '../check.ts';
import type { TransactionScope } from '../client.ts';
import { grantStateOf } from '../grant-state.ts';
import { DbError } from '../ports/db-error.ts';
import { GRANT_KINDS, type GrantRecord, type GrantTerms } from '../ports/grants.ts';
import type { ApprovalRow, GrantRow, Tables } from '../tables.ts';
import { approvalEntry } from './approval-entries.ts';

interface NewGrant {
  readonly approval: ApprovalRow;
  readonly id: string;
  readonly terms: GrantTerms;
  readonly by: string;
  readonly at: number;
}

export async function insertGrant(kysely: Kysely<Tables>, { approval, id, terms, by, at }: NewGrant): Promise<void> {
  requireOneOf('grants.kind', terms.kind, GRANT_KINDS);
  requireCount('grants.expires_at', terms.expiresAt);
  if (terms.expiresAt <= at) throw new DbError('invalid', 'grants.expires_at must lie after the decision');
  const row: GrantRow = {
    tenant: approval.tenant,
    id,
    approval_id: approval.id,
    agent: approval.agent,
    kind: terms.kind,
    uses_left: usesOf(terms),
    expires_at: terms.expiresAt,
    created_at: at,
    granted_by: by,
    revoked_at: null,
    revoked_by: null,
    ...bindingOf(terms, approval),
  };
  await kysely.insertInto('grants').values(row).execute();
}

function usesOf(terms: GrantTerms): number | null {
  switch (terms.kind) {
    case 'once':
      return 1;
    case 'times':
      requireCount('grants.uses_left', terms.times);
      if (terms.times === 0) throw new DbError('invalid', 'grants.uses_left must be at least 1');
      return terms.times;
    case 'until':
    case 'rule':
      return null;
  }
}

type Binding = Pick<GrantRow, 'fingerprint' | 'integration' | 'action' | 'method' | 'path'>;

function bindingOf(terms: GrantTerms, { integration, action, method, fingerprint }: ApprovalRow): Binding {
  if (terms.kind !== 'rule') return { integration, action, method, fingerprint, path: null };
  const { scope } = terms;
  requireText('grants.integration', scope.integration);
  requireText('grants.method', scope.method);
  requireText('grants.path', scope.path);
  const { action: named = null } = scope;
  return { integration: scope.integration, action: named, method: scope.method, path: scope.path, fingerprint: null };
}

/** Of one approval, all that are not revoked yet; each with its entry. */
export async function revokeGrantsOf(
  { kysely, appendEntry }: TransactionScope,
  approval: ApprovalRow,
  { by, at, reason }: { readonly by: string; readonly at: number; readonly reason: string },
): Promise<void> {
  const revoked = await kysely(approval.tenant)
    .updateTable('grants')
    .set({ revoked_at: at, revoked_by: by })
    .where('tenant', '=', approval.tenant)
    .where('approval_id', '=', approval.id)
    .where('revoked_at', 'is', null)
    .returning('id')
    .execute();
  for (const { id } of revoked) {
    await appendEntry(approvalEntry(approval, { at, type: 'grant.revoked', grant: id, actor: by, reason }));
  }
}

export function toGrantRecord(row: GrantRow, nowMs: number): GrantRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    approvalId: row.approval_id,
    agent: row.agent,
    kind: row.kind,
    ...(row.fingerprint === null ? {} : { fingerprint: row.fingerprint }),
    ...(row.path === null ? {} : { scope: scopeOf(row, row.path) }),
    ...(row.uses_left === null ? {} : { usesLeft: row.uses_left }),
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    grantedBy: row.granted_by,
    ...(row.revoked_at === null ? {} : { revokedAt: row.revoked_at }),
    ...(row.revoked_by === null ? {} : { revokedBy: row.revoked_by }),
    state: grantStateOf(row, nowMs),
  };
}

function scopeOf({ integration, action, method }: GrantRow, path: string): GrantRecord['scope'] {
  return { integration, ...(action === null ? {} : { action }), method, path };
}

/** The same judgement as `grantStateOf`. */
export function usableAt(nowMs: number) {
  return sql<boolean>`(revoked_at is null and coalesce(uses_left, 1) > 0 and expires_at > ${nowMs})`;
}
