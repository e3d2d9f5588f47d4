import type { DbClient } from '../client.ts';
import type { DbRepositories } from '../ports/repositories.ts';
import { createAdminAuth } from './admin-auth.ts';
import { createAdmins } from './admins.ts';
import { createAgents } from './agents.ts';
import { createApprovals } from './approvals.ts';
import { createAudit } from './audit.ts';
import { createAuditSalts } from './audit-salts.ts';
import { createBackgroundLeases } from './background-leases.ts';
import { createBundles } from './bundles.ts';
import { createClaims } from './claims.ts';
import { createCommands } from './commands.ts';
import { createCryptoVerification } from './crypto-verification.ts';
import { createDirectory } from './directory.ts';
import { createEdgeRecords } from './edge-records.ts';
import { createEnrollmentTokens } from './enrollment-tokens.ts';
import { createGrants } from './grants.ts';
import { createInstanceMarks } from './instance-marks.ts';
import { createIntegrations } from './integrations.ts';
import { createManifestKeys } from './manifest-keys.ts';
import { createNodes } from './nodes.ts';
import { createNotificationEndpoints } from './notification-endpoints.ts';
import { createOutbox } from './outbox.ts';
import { createPolicyRules } from './policy-rules.ts';
import { createPolicySettings } from './policy-settings.ts';
import { createPolicyVersions } from './policy-versions.ts';
import { createQueuedCalls } from './queued-calls.ts';
import { createRedactionProfiles } from './redaction-profiles.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { createSealedRequests } from './sealed-requests.ts';
import { createSecrets } from './secrets.ts';
import { createSessions } from './sessions.ts';
import { createTemplateInvalidations } from './template-invalidations.ts';
import { createTemplates } from './templates.ts';
import { createTenantLimits } from './tenant-limits.ts';
import { createTenants } from './tenants.ts';
import { createUsers } from './users.ts';

/** All repositories over one client. They hold nothing but copies of what they have read: any number may be made of one client. */
export function createDbRepositories(dbClient: DbClient, options: RepositoryOptions): DbRepositories {
  return {
    tenants: createTenants(dbClient, options),
    tenantLimits: createTenantLimits(dbClient, options),
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
    nodes: createNodes(dbClient),
    backgroundLeases: createBackgroundLeases(dbClient),
    instanceMarks: createInstanceMarks(dbClient),
    adminAuth: createAdminAuth(dbClient, options),
    users: createUsers(dbClient, options),
    enrollmentTokens: createEnrollmentTokens(dbClient, options),
    sessions: createSessions(dbClient),
    manifestKeys: createManifestKeys(dbClient, options),
    cryptoVerification: createCryptoVerification(dbClient, options),
    templateInvalidations: createTemplateInvalidations(dbClient),
    redactionProfiles: createRedactionProfiles(dbClient, options),
    auditSalts: createAuditSalts(dbClient, options),
    edgeRecords: createEdgeRecords(dbClient),
    commands: createCommands(dbClient, options),
    bundles: createBundles(dbClient),
  };
}
