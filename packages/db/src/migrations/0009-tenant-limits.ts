import { ofTenants } from './0007-row-security.ts';
import type { Migration } from './migration.ts';

/**
 * What a tenant may hold and do, a column for each bound, null for none; and since when a tenant is disabled. The indexes are what bounds
 * on bytes and on what runs are counted by.
 */
export const tenantLimits: Migration = {
  number: 9,
  name: 'tenant-limits',
  statements: ({ integerType: int, clusteredTableEnding, rowSecurity }) => [
    `create table tenant_limits (
      tenant text not null primary key references tenants (name),
      ${LIMIT_COLUMNS.map((column) => `${column} ${int} check (${column} >= 1)`).join(',\n      ')},
      version ${int} not null check (version >= 1),
      updated_at ${int} not null
    ) ${clusteredTableEnding}`,
    `alter table tenants add column disabled_at ${int}`,
    `create index sealed_requests_of_tenant on sealed_requests (tenant, bytes)`,
    `alter table queued_calls add column bytes ${int} not null default 0 check (bytes >= 0)`,
    `update queued_calls set bytes = coalesce((select s.bytes from sealed_requests s
      where s.tenant = queued_calls.tenant and s.id = queued_calls.sealed_request), 0) where due_at is not null`,
    `create index queued_calls_bytes on queued_calls (tenant, bytes) where due_at is not null`,
    `create index queued_calls_running on queued_calls (tenant, due_at) where state = 'running'`,
    ...ofTenants({ rowSecurity }, ['tenant_limits']),
  ],
};

const LIMIT_COLUMNS = [
  'calls_per_second',
  'concurrent_calls',
  'body_memory_bytes',
  'agents',
  'integrations',
  'rules',
  'secrets',
  'templates',
  'queued_calls',
  'running_queued_calls',
  'queued_bytes',
  'pending_approvals',
  'sealed_bytes',
  'audit_spool',
];
