import type { EngineCapabilities } from '../client.ts';
import type { Migration } from './migration.ts';

/** A second wall between tenants, on every table that holds a tenant's rows; where the engine has none it is no statement at all. */
export const rowSecurity: Migration = {
  number: 7,
  name: 'row-security',
  statements: ({ rowSecurity }) => [
    ...rowSecurity('tenants', (tenant) => `name = ${tenant}`),
    ...ofTenants({ rowSecurity }, TABLES),
    // So asked, the log is looked up once for each statement.
    ...['audit_entries', 'open_intents'].flatMap((table) =>
      rowSecurity(table, (tenant) => `log = (select l.log from audit_logs l where l.tenant = ${tenant})`),
    ),
    ...rowSecurity(
      'sealed_chunks',
      (tenant) =>
        `exists (select 1 from sealed_requests r where r.place = sealed_chunks.request and r.tenant = ${tenant})`,
    ),
  ],
};

/** For tables whose column `tenant` says whose a row is. A migration that makes such a table ends with it. */
export function ofTenants(
  { rowSecurity }: Pick<EngineCapabilities, 'rowSecurity'>,
  tables: readonly string[],
): readonly string[] {
  return tables.flatMap((table) => rowSecurity(table, (tenant) => `tenant = ${tenant}`));
}

const TABLES = [
  'admins',
  'agents',
  'agent_keys',
  'agent_hosts',
  'integrations',
  'policy_rules',
  'policy_settings',
  'policy_versions',
  'secrets',
  'secret_versions',
  'template_versions',
  'audit_logs',
  'claims',
  'stored_answers',
  'approvals',
  'grants',
  'sealed_requests',
  'outbox',
  'disabled_endpoints',
  'notification_endpoints',
  'notices',
  'queued_calls',
];
