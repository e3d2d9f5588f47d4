import type { AdminAuthPort } from './admin-auth.ts';
import type { AdminsPort } from './admins.ts';
import type { AgentsPort } from './agents.ts';
import type { ApprovalsPort } from './approvals.ts';
import type { AuditPort } from './audit.ts';
import type { AuditSaltsPort } from './audit-salts.ts';
import type { BackgroundLeasesPort } from './background-leases.ts';
import type { BundlesPort } from './bundles.ts';
import type { QueuedCallsPort } from './calls.ts';
import type { ClaimsPort } from './claims.ts';
import type { CommandsPort } from './commands.ts';
import type { DbContext } from './context.ts';
import type { CryptoVerificationPort } from './crypto-verification.ts';
import type { DirectoryPort } from './directory.ts';
import type { EdgeRecordsPort } from './edge-records.ts';
import type { EnrollmentTokensPort } from './enrollment-tokens.ts';
import type { GrantsPort } from './grants.ts';
import type { InstanceMarksPort } from './instance-marks.ts';
import type { IntegrationsPort } from './integrations.ts';
import type { ManifestKeysPort } from './manifest-keys.ts';
import type { NodesPort } from './nodes.ts';
import type { NotificationEndpointsPort } from './notification-endpoints.ts';
import type { OutboxPort } from './outbox.ts';
import type { PolicyRulesPort } from './policy-rules.ts';
import type { PolicySettingsPort } from './policy-settings.ts';
import type { PolicyVersionsPort } from './policy-versions.ts';
import type { RedactionProfilesPort } from './redaction-profiles.ts';
import type { SealedRequestsPort } from './sealed-requests.ts';
import type { SecretsPort } from './secrets.ts';
import type { SessionsPort } from './sessions.ts';
import type { TemplateInvalidationsPort } from './template-invalidations.ts';
import type { TemplatesPort } from './templates.ts';
import type { TenantLimitsPort } from './tenant-limits.ts';
import type { TenantsPort } from './tenants.ts';
import type { UsersPort } from './users.ts';

/** All repositories over one database client. */
export interface DbRepositories {
  readonly tenants: TenantsPort;
  readonly tenantLimits: TenantLimitsPort;
  readonly admins: AdminsPort;
  readonly agents: AgentsPort;
  readonly integrations: IntegrationsPort;
  readonly secrets: SecretsPort;
  readonly policyRules: PolicyRulesPort;
  readonly policySettings: PolicySettingsPort;
  readonly policyVersions: PolicyVersionsPort;
  readonly templates: TemplatesPort;
  readonly directory: DirectoryPort;
  readonly audit: AuditPort;
  readonly claims: ClaimsPort;
  readonly approvals: ApprovalsPort;
  readonly grants: GrantsPort;
  readonly sealedRequests: SealedRequestsPort;
  readonly queuedCalls: QueuedCallsPort;
  readonly outbox: OutboxPort;
  readonly notificationEndpoints: NotificationEndpointsPort;
  readonly nodes: NodesPort;
  readonly backgroundLeases: BackgroundLeasesPort;
  readonly instanceMarks: InstanceMarksPort;
  readonly adminAuth: AdminAuthPort;
  readonly users: UsersPort;
  readonly enrollmentTokens: EnrollmentTokensPort;
  readonly sessions: SessionsPort;
  readonly manifestKeys: ManifestKeysPort;
  readonly cryptoVerification: CryptoVerificationPort;
  readonly templateInvalidations: TemplateInvalidationsPort;
  readonly redactionProfiles: RedactionProfilesPort;
  readonly auditSalts: AuditSaltsPort;
  readonly edgeRecords: EdgeRecordsPort;
  readonly commands: CommandsPort;
  readonly bundles: BundlesPort;
}

/**
 * Runs `operation` in one write transaction: all or none. A transaction given in `context` is reused, never nested. The
 * operation must not wait for anything but the database; it is rolled back after 5 s.
 */
export type RunInTransaction = <T>(operation: (context: DbContext) => Promise<T>, context?: DbContext) => Promise<T>;
