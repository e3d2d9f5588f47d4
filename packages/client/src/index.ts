export { type AdminClient, createAdminClient } from './admin-client.ts';
export type {
  ApiAdmin,
  ApiAdminRole,
  ApiAgent,
  ApiAgentKey,
  ApiChange,
  ApiIntegration,
  ApiPage,
  ApiReadiness,
  ApiRule,
  ApiSecret,
  ApiSecretVersion,
  ApiStats,
  ApiTenant,
  ApplyAnswer,
  EventQuery,
  IssuedKey,
  NewAdmin,
  SecretValue,
} from './api-objects.ts';
export { ApiProblem, ApiUnreachable } from './api-problem.ts';
export type { AdminClientOptions } from './send.ts';
