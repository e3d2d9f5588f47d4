import type { RateLimitsPort } from '../rate-limits.ts';
import type { AgentsBySanUriPort } from './agents-by-san-uri.ts';
import type { ApprovalOncePort } from './approval-once.ts';
import type { ApprovalStatusPort } from './approval-status.ts';
import type { AuditQueryCachePort } from './audit-query-cache.ts';
import type { DnsAnswersPort } from './dns-answers.ts';
import type { DpopReplayPort } from './dpop-replay.ts';
import type { EnrolmentTokensPort } from './enrolment-tokens.ts';
import type { ExecutionLocksPort } from './execution-locks.ts';
import type { IdempotencyHintsPort } from './idempotency-hints.ts';
import type { InvalidationBusPort } from './invalidation-bus.ts';
import type { RebindingHistoryPort } from './rebinding-history.ts';
import type { RotationLockPort } from './rotation-lock.ts';
import type { SessionCachePort } from './sessions.ts';
import type { TemplateCachePort } from './template-cache.ts';

export type { CountedLimit, LimitVerdict, RateLimitsPort } from '../rate-limits.ts';
export type { AgentsBySanUriPort } from './agents-by-san-uri.ts';
export type { ApprovalOncePort, OnceKey } from './approval-once.ts';
export type { ApprovalStatusPort, KnownApprovalStatus } from './approval-status.ts';
export type { AuditQueryCachePort, CachedQuery } from './audit-query-cache.ts';
export { type CachedRead, VERIFIED_MS_MAX } from './cached-read.ts';
export type { DnsAnswerRecord, DnsAnswersPort } from './dns-answers.ts';
export type { DpopProof, DpopReplayPort } from './dpop-replay.ts';
export type { EnrolmentLock, EnrolmentTokensPort } from './enrolment-tokens.ts';
export type { ExecutionLocksPort, ExecutionScope } from './execution-locks.ts';
export type { IdempotencyHint, IdempotencyHintsPort } from './idempotency-hints.ts';
export type { Invalidation, InvalidationBusPort, InvalidationListener, InvalidationTopic } from './invalidation-bus.ts';
export type { PutOutcome } from './put-outcome.ts';
export type { RebindingHistoryPort, RebindingRecord } from './rebinding-history.ts';
export type { RotationLockPort } from './rotation-lock.ts';
export type { SessionCachePort } from './sessions.ts';
export type { TemplateCachePort, TemplateKey } from './template-cache.ts';

/** All that may be lost at any time. Any key of them may be deleted at any time: that costs speed and history, and changes no answer. */
export interface VolatileStores {
  readonly rateLimits: RateLimitsPort;
  readonly sessions: SessionCachePort;
  readonly enrolmentTokens: EnrolmentTokensPort;
  readonly dpopReplay: DpopReplayPort;
  readonly agentsBySanUri: AgentsBySanUriPort;
  readonly invalidations: InvalidationBusPort;
  readonly rotationLock: RotationLockPort;
  readonly executionLocks: ExecutionLocksPort;
  readonly idempotencyHints: IdempotencyHintsPort;
  readonly templates: TemplateCachePort;
  readonly approvalOnce: ApprovalOncePort;
  readonly approvalStatus: ApprovalStatusPort;
  readonly auditQueries: AuditQueryCachePort;
  readonly dnsAnswers: DnsAnswersPort;
  readonly rebindingHistory: RebindingHistoryPort;
}
