import type { RateLimitsPort } from '../ports/rate-limits.ts';
import type { InvalidationBusPort } from '../ports/volatile/invalidation-bus.ts';
import type { VolatileStores } from '../ports/volatile/volatile-stores.ts';
import { createAgentsBySanUri } from './agents-by-san-uri.ts';
import { createApprovalOnce } from './approval-once.ts';
import { createApprovalStatus } from './approval-status.ts';
import { createAuditQueryCache } from './audit-query-cache.ts';
import { createDnsAnswers } from './dns-answers.ts';
import { createDpopReplay } from './dpop-replay.ts';
import { createEnrolmentTokens } from './enrolment-tokens.ts';
import { createExecutionLocks } from './execution-locks.ts';
import { createIdempotencyHints } from './idempotency-hints.ts';
import { requireKeyPrefix } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { createRebindingHistory } from './rebinding-history.ts';
import { createRotationLock } from './rotation-lock.ts';
import { createSessionCache } from './sessions.ts';
import { createTemplateCache } from './template-cache.ts';

export interface StoreParts {
  readonly prefix: string;
  /** Where the keys of an area lie. `mayEvict`: for want of room old ones may go; otherwise new ones are refused. */
  readonly keysOf: (area: { readonly mayEvict: boolean }) => KeyStore;
  readonly rateLimits: RateLimitsPort;
  readonly invalidations: InvalidationBusPort;
  readonly now: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** All volatile stores; those that are keys and values are the same code on every engine. */
export function createStores({ prefix, keysOf, rateLimits, invalidations, now, random }: StoreParts): VolatileStores {
  requireKeyPrefix(prefix);
  const cache = () => keysOf({ mayEvict: true });
  const lock = () => keysOf({ mayEvict: false });
  return {
    rateLimits,
    invalidations,
    sessions: createSessionCache(cache(), prefix),
    enrolmentTokens: createEnrolmentTokens(lock(), prefix),
    dpopReplay: createDpopReplay(lock(), prefix),
    agentsBySanUri: createAgentsBySanUri(cache(), prefix),
    rotationLock: createRotationLock(lock(), prefix),
    executionLocks: createExecutionLocks(lock(), prefix),
    idempotencyHints: createIdempotencyHints(cache(), prefix),
    templates: createTemplateCache(cache(), prefix),
    approvalOnce: createApprovalOnce(cache(), prefix, now),
    approvalStatus: createApprovalStatus(cache(), prefix, now),
    auditQueries: createAuditQueryCache(cache(), prefix, random),
    dnsAnswers: createDnsAnswers(cache(), prefix),
    rebindingHistory: createRebindingHistory(cache(), prefix, now),
  };
}
