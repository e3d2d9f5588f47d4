import type { AdminsPort } from './admins.ts';
import type { AgentsPort } from './agents.ts';
import type { AuditPort } from './audit.ts';
import type { DbContext } from './context.ts';
import type { DirectoryPort } from './directory.ts';
import type { IntegrationsPort } from './integrations.ts';
import type { PolicyRulesPort } from './policy-rules.ts';
import type { SecretsPort } from './secrets.ts';
import type { TenantsPort } from './tenants.ts';

/** All repositories over one database client. */
export interface DbRepositories {
  readonly tenants: TenantsPort;
  readonly admins: AdminsPort;
  readonly agents: AgentsPort;
  readonly integrations: IntegrationsPort;
  readonly secrets: SecretsPort;
  readonly policyRules: PolicyRulesPort;
  readonly directory: DirectoryPort;
  readonly audit: AuditPort;
}

/**
 * Runs `operation` in one write transaction: all or none. A transaction given in `context` is reused, never nested. The
 * operation must not wait for anything but the database; it is rolled back after 5 s.
 */
export type RunInTransaction = <T>(operation: (context: DbContext) => Promise<T>, context?: DbContext) => Promise<T>;
