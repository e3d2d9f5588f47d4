import type { DbClient } from '../client.ts';
import type { DbRepositories } from '../ports/repositories.ts';
import { createAdmins } from './admins.ts';
import { createAgents } from './agents.ts';
import { createApprovals } from './approvals.ts';
import { createAudit } from './audit.ts';
import { createClaims } from './claims.ts';
import { createDirectory } from './directory.ts';
import { createGrants } from './grants.ts';
import { createIntegrations } from './integrations.ts';
import { createNotificationEndpoints } from './notification-endpoints.ts';
import { createOutbox } from './outbox.ts';
import { createPolicyRules } from './policy-rules.ts';
import { createPolicySettings } from './policy-settings.ts';
import { createPolicyVersions } from './policy-versions.ts';
import { createQueuedCalls } from './queued-calls.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { createSealedRequests } from './sealed-requests.ts';
import { createSecrets } from './secrets.ts';
import { createTemplates } from './templates.ts';
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
    policySettings: createPolicySettings(dbClient, options),
    policyVersions: createPolicyVersions(dbClient, options),
    templates: createTemplates(dbClient, options),
    directory: createDirectory(dbClient),
    audit: createAudit(dbClient),
    claims: createClaims(dbClient),
    approvals: createApprovals(dbClient, options),
    grants: createGrants(dbClient, options),
    sealedRequests: createSealedRequests(dbClient, options),
    queuedCalls: createQueuedCalls(dbClient, options),
    outbox: createOutbox(dbClient, options),
    notificationEndpoints: createNotificationEndpoints(dbClient, options),
  };
}
