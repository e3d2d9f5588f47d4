export { ADMIN_ROLES, type AdminRecord, type AdminRole, type AdminsPort } from './admins.ts';
export type { AgentKeyRecord, AgentRecord, AgentsPort, NewAgentKey } from './agents.ts';
export type { ApprovalNews, EncodeApprovalMessage } from './approval-messages.ts';
export {
  APPROVAL_STATUSES,
  type ApprovalCaps,
  type ApprovalChange,
  type ApprovalClaim,
  type ApprovalRecord,
  type ApprovalRisk,
  type ApprovalStatus,
  type ApprovalSubject,
  type ApprovalSummary,
  type ApprovalsPort,
  type ApprovalTerms,
  type ApprovalTransition,
  type ApprovalVote,
  DEFAULT_APPROVAL_CAPS,
  type NewApproval,
  type OpenedApproval,
} from './approvals.ts';
export type { AuditPort, AuditQuery } from './audit.ts';
export {
  type CallJournal,
  type CallSettlement,
  type ClaimSettlement,
  type ClaimTake,
  type IntentConditions,
  type IntentDraft,
  IntentRefused,
  type LostCondition,
  type OutcomeDraft,
  STORED_ANSWER_BYTES_MAX,
} from './call-journal.ts';
export {
  type NewQueuedCallResult,
  QUEUED_CALL_STATES,
  QUEUED_CALLS_PER_TENANT_MAX,
  type QueuedCallRecord,
  type QueuedCallResult,
  type QueuedCallState,
  type QueuedCallsPort,
  RUNNING_CALLS_PER_INTEGRATION_MAX,
  type TakenCall,
} from './calls.ts';
export {
  CLAIM_RESOLUTIONS,
  CLAIM_STATES,
  type ClaimProblem,
  type ClaimRecord,
  type ClaimResolution,
  type ClaimScope,
  type ClaimState,
  type ClaimsPort,
  type ClaimVerdict,
  type NewClaim,
  type StoredAnswer,
} from './claims.ts';
export type { DbContext, Origin, Page, PageRequest, Transaction } from './context.ts';
export { DbError, type DbErrorCode } from './db-error.ts';
export type { DirectoryPort, TenantDirectory } from './directory.ts';
export {
  GRANT_KINDS,
  GRANT_STATES,
  type GrantKind,
  type GrantRecord,
  type GrantSearch,
  type GrantState,
  type GrantsPort,
  type GrantTerms,
  type StandingScope,
} from './grants.ts';
export type { IntegrationRecord, IntegrationsPort } from './integrations.ts';
export type { NotificationEndpointRecord, NotificationEndpointsPort } from './notification-endpoints.ts';
export {
  type NewOutboxMessage,
  OUTBOX_STATES,
  type OutboxMessage,
  type OutboxOutcome,
  type OutboxPort,
  type OutboxState,
  type TakenMessage,
} from './outbox.ts';
export { GLOBAL_TENANT, type PolicyRuleRecord, type PolicyRulesPort } from './policy-rules.ts';
export type { PolicySettingsPort, PolicySettingsRecord } from './policy-settings.ts';
export {
  POLICY_VERSION_STATUSES,
  type PolicyVersionRecord,
  type PolicyVersionRef,
  type PolicyVersionStatus,
  type PolicyVersionSummary,
  type PolicyVersionsPort,
} from './policy-versions.ts';
export type { CountedLimit, LimitVerdict, RateLimitsPort } from './rate-limits.ts';
export type { DbRepositories, RunInTransaction } from './repositories.ts';
export {
  SEALED_CHUNK_BYTES_MAX,
  SEALED_REQUEST_BYTES_MAX,
  type SealedRequestRecord,
  type SealedRequestsPort,
} from './sealed-requests.ts';
export type { SecretEnvelopeVersion, SecretRecord, SecretsPort } from './secrets.ts';
export type { TemplatesPort, TemplateVersionCreation, TemplateVersionRecord } from './templates.ts';
export type { TenantRecord, TenantsPort } from './tenants.ts';
