import type { DbClient } from '../client.ts';
import type { DbRepositories } from '../ports/repositories.ts';
import { createAdmins } from './admins.ts';
import { createAgents } from './agents.ts';
import { createAudit } from './audit.ts';
import { createDirectory } from './directory.ts';
import { createIntegrations } from './integrations.ts';
import { createPolicyRules } from './policy-rules.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { createSecrets } from './secrets.ts';
import { createTenants } from './tenants.ts';

/** All repositories over one client. They hold nothing themselves: any number may be made of one client. */
export function createDbRepositories(dbClient: DbClient, options: RepositoryOptions): DbRepositories {
  return {
    tenants: createTenants(dbClient, options),
    admins: createAdmins(dbClient, options),
    agents: createAgents(dbClient, options),
    integrations: createIntegrations(dbClient, options),
    secrets: createSecrets(dbClient, options),
    policyRules: createPolicyRules(dbClient, options),
    directory: createDirectory(dbClient),
    audit: createAudit(dbClient),
  };
}
