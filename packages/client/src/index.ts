export { type AdminClient, createAdminClient } from './admin-client.ts';
export type {
  AdminEdit,
  ApiAdmin,
  ApiAdminRole,
  ApiAgent,
  ApiAgentKey,
  ApiChange,
  ApiIntegration,
  ApiNode,
  ApiNodes,
  ApiPage,
  ApiReadiness,
  ApiRule,
  ApiSecret,
  ApiSecretVersion,
  ApiStats,
  ApiTemplate,
  ApplyAnswer,
  EventQuery,
  IssuedKey,
  NewAdmin,
  SecretValue,
} from './api-objects.ts';
export { ApiProblem, ApiUnreachable } from './api-problem.ts';
export type {
  ApiApproval,
  ApiApprovalDetail,
  ApiApprovalStatus,
  ApiGrant,
  ApiGrantKind,
  ApprovalQuery,
  GrantAsked,
  GrantQuery,
} from './approvals.ts';
export type { ApiClaim, ApiClaimOutcome, ApiClaimState, ClaimQuery } from './claims.ts';
export type { ApiEvent, WatchOptions } from './events.ts';
export type { ApiMessage, ApiMessageState, ApiNotification, MessageQuery } from './notifications.ts';
export type {
  ApiPolicyTestReport,
  ApiSimulation,
  PolicyDraft,
  PolicyOutcome,
  SimulatedCall,
  SimulationQuery,
} from './policy-trials.ts';
export type {
  ActivationOptions,
  ApiPolicyDiff,
  ApiPolicyVersion,
  ApiPolicyVersionSummary,
  NewPolicyVersion,
} from './policy-versions.ts';
export type { AdminClientOptions } from './send.ts';
export type { ApiTenant, ApiTenantLimits } from './tenants.ts';
