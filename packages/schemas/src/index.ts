export {
  type Agent,
  agentSchema,
  KEY_SCOPES,
  type KeyScope,
  TRUST_LEVELS,
  type TrustLevel,
  trustNumber,
} from './agent.ts';
export {
  ENTRY_TYPES,
  type Entry,
  type EntryDraft,
  type EntryPolicyVersion,
  type EntryType,
  OUTCOME_RESULTS,
  type OutcomeResult,
} from './audit-entry.ts';
export type { CallKind, Outcome } from './call.ts';
export {
  type ConfigDocument,
  configDocumentSchema,
  configJsonSchema,
  secretEntrySchema,
  UNSUPPORTED_FIELDS,
  type ValueSource,
  valueSourceSchema,
} from './config-document.ts';
export {
  type Credential,
  credentialSchema,
  JWT_ALGORITHMS,
  type JwtAlgorithm,
  secretNamesOf,
} from './credential.ts';
export type { RejectionDetails, RejectionOptions, ValidationIssue } from './errors.ts';
export { ERROR_CODES, ERROR_KINDS, type ErrorCode, type ErrorKind, Rejection } from './errors.ts';
export { type ExecuteRequest, executeRequestSchema } from './execute.ts';
export {
  type Action,
  actionSchema,
  type Integration,
  type IntegrationInput,
  integrationSchema,
  RISK_TIERS,
} from './integration.ts';
export { formatListenAddress, type ListenAddress, listenAddressSchema, parseListenAddress } from './listen-address.ts';
export {
  base64Schema,
  cidrSchema,
  environmentSchema,
  hostSchema,
  idSchema,
  methodSchema,
  NAME_PATTERN,
  nameSchema,
  uniqueList,
} from './names.ts';
export {
  NOTIFICATION_ENDPOINTS_MAX,
  NOTIFICATION_EVENTS,
  type NotificationEndpoint,
  type NotificationEvent,
  notificationEndpointSchema,
} from './notification.ts';
export {
  type PolicyTest,
  type PolicyTestDocument,
  policyTestDocumentSchema,
  policyTestSchema,
} from './policy-test.ts';
export { PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_BASE, type Problem, toProblem } from './problem.ts';
export { DEFAULT_RISK, type Risk, riskSchema } from './risk.ts';
export { type RiskScorer, riskScorerSchema } from './risk-scorer.ts';
export { type Rule, ruleSchema } from './rule.ts';
export {
  LIMIT_WAIT_FORMS,
  type LimitSignal,
  limitSignalSchema,
  type Template,
  type TemplateInput,
  templateSchema,
} from './template.ts';
export { templateReferenceSchema } from './template-reference.ts';
export {
  TENANT_LIMIT_KINDS,
  TENANT_LIMITS,
  type TenantLimit,
  type TenantLimits,
  tenantLimitsSchema,
} from './tenant-limits.ts';
export { UNSEEN_CHARACTERS } from './unseen-characters.ts';
