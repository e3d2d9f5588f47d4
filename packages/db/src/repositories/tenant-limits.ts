import { TENANT_LIMITS, type TenantLimit, type TenantLimits } from '@postern/schemas';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import { DbError } from '../ports/db-error.ts';
import {
  STORED_LIMITS,
  type StoredLimit,
  TenantLimitReached,
  type TenantLimitsPort,
  type TenantLimitsRecord,
  type TenantUsage,
} from '../ports/tenant-limits.ts';
import type { Tables, TenantLimitsRow } from '../tables.ts';
import { pointsOf, requireScope } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

type LimitColumn = Exclude<keyof TenantLimitsRow, 'tenant' | 'version' | 'updated_at'>;

const COLUMNS: Readonly<Record<TenantLimit, LimitColumn>> = {
  callsPerSecond: 'calls_per_second',
  concurrentCalls: 'concurrent_calls',
  bodyMemoryBytes: 'body_memory_bytes',
  agents: 'agents',
  integrations: 'integrations',
  rules: 'rules',
  secrets: 'secrets',
  templates: 'templates',
  queuedCalls: 'queued_calls',
  runningQueuedCalls: 'running_queued_calls',
  queuedBytes: 'queued_bytes',
  pendingApprovals: 'pending_approvals',
  sealedBytes: 'sealed_bytes',
  auditSpool: 'audit_spool',
};

export function createTenantLimits(dbClient: DbClient, { now }: RepositoryOptions): TenantLimitsPort {
  return {
    async get(tenant, context) {
      const row = await selectLimits(pointsOf(dbClient, context, tenant), tenant).executeTakeFirst();
      return row === undefined ? { tenant, limits: {}, version: 0 } : toRecord(row);
    },

    async set(tenant, limits, { ifVersion }, context) {
      requireText('tenant_limits.tenant', tenant);
      const kysely = requireScope(dbClient, context, 'setting limits').kysely(tenant);
      const current = (await selectLimits(kysely, tenant).executeTakeFirst())?.version ?? 0;
      if (ifVersion !== undefined && ifVersion !== current) {
        throw new DbError('stale', 'tenant_limits.version has changed');
      }
      const row: TenantLimitsRow = { tenant, ...toColumns(limits), version: current + 1, updated_at: now() };
      const writing = kysely
        .insertInto('tenant_limits')
        .values(row)
        .onConflict((conflict) => conflict.column('tenant').doUpdateSet(row))
        .execute();
      await withReference('tenant_limits.tenant', writing);
      return toRecord(row);
    },

    usage: (tenant, nowMs, { kinds = STORED_LIMITS, context } = {}) =>
      count(pointsOf(dbClient, context, tenant), tenant, { nowMs, kinds }),

    async requireRoom(tenant, kinds, nowMs, context) {
      const kysely = requireScope(dbClient, context, 'a bound of a tenant').kysely(tenant);
      await checkRoom(kysely, tenant, { kinds, nowMs });
    },
  };
}

export function selectLimits(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('tenant_limits').selectAll().where('tenant', '=', tenant);
}

interface Counting {
  readonly nowMs: number;
  readonly kinds: readonly StoredLimit[];
}

/** As the port's `requireRoom` says, in the transaction of `kysely`. */
export async function checkRoom(kysely: Kysely<Tables>, tenant: string, { kinds, nowMs }: Counting): Promise<void> {
  const row = await selectLimits(kysely, tenant).executeTakeFirst();
  if (row === undefined) return;
  const bounded = kinds.filter((kind) => row[COLUMNS[kind]] !== null);
  if (bounded.length === 0) return;
  const usage = await count(kysely, tenant, { nowMs, kinds: bounded });
  for (const kind of bounded) {
    const max = row[COLUMNS[kind]] as number;
    if (usage[kind] > max) throw new TenantLimitReached(tenant, kind, max);
  }
}

/** One statement. What is not among `kinds` is not looked at, and reads 0. */
async function count(kysely: Kysely<Tables>, tenant: string, { nowMs, kinds }: Counting): Promise<TenantUsage> {
  const counts = kinds.map((kind) => sql`(${COUNTS[kind](tenant, nowMs)}) as ${sql.id(kind)}`);
  const { rows } = await sql<TenantUsage>`select ${sql.join(counts)}`.execute(kysely);
  const [row] = rows;
  // An engine may give what it has counted as text.
  const usage = STORED_LIMITS.map((kind) => [kind, Number(row?.[kind] ?? 0)]);
  return Object.fromEntries(usage) as Record<StoredLimit, number>;
}

type Count = (tenant: string, nowMs: number) => RawBuilder<unknown>;

const COUNTS: Readonly<Record<StoredLimit, Count>> = {
  agents: (tenant) => sql`select count(*) from agents where tenant = ${tenant}`,
  integrations: (tenant) => sql`select count(*) from integrations where tenant = ${tenant}`,
  rules: (tenant) => sql`select count(*) from policy_rules where tenant = ${tenant} and disabled_at is null`,
  secrets: (tenant) => sql`select count(*) from secrets where tenant = ${tenant}`,
  templates: (tenant) => sql`select count(*) from template_versions where tenant = ${tenant} and active = 1`,
  queuedCalls: (tenant) => sql`select count(*) from queued_calls where tenant = ${tenant} and due_at is not null`,
  runningQueuedCalls: (tenant, nowMs) =>
    sql`select count(*) from queued_calls where tenant = ${tenant} and state = 'running' and due_at > ${nowMs}`,
  queuedBytes: (tenant) =>
    sql`select coalesce(sum(bytes), 0) from queued_calls where tenant = ${tenant} and due_at is not null`,
  pendingApprovals: (tenant, nowMs) =>
    sql`select count(*) from approvals where tenant = ${tenant} and status = 'pending' and expires_at > ${nowMs}`,
  sealedBytes: (tenant) => sql`select coalesce(sum(bytes), 0) from sealed_requests where tenant = ${tenant}`,
};

function toColumns(limits: TenantLimits): Record<LimitColumn, number | null> {
  const columns = TENANT_LIMITS.map((name) => {
    const max = limits[name] ?? null;
    if (max !== null && !(Number.isSafeInteger(max) && max >= 1)) {
      throw new DbError('invalid', `tenant_limits.${COLUMNS[name]} must be an integer from 1`);
    }
    return [COLUMNS[name], max];
  });
  return Object.fromEntries(columns) as Record<LimitColumn, number | null>;
}

/** Those that are there. */
export function toTenantLimits(row: Readonly<Record<LimitColumn, number | null>>): TenantLimits {
  const limits = TENANT_LIMITS.map((name) => [name, row[COLUMNS[name]]] as const).filter(([, max]) => max !== null);
  return Object.fromEntries(limits) as TenantLimits;
}

function toRecord(row: TenantLimitsRow): TenantLimitsRecord {
  const { tenant, version, updated_at: updatedAt } = row;
  return { tenant, limits: toTenantLimits(row), version, updatedAt };
}
