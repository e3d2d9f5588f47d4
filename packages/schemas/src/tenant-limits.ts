import { z } from 'zod';

interface LimitKind {
  /** Default 1. */
  readonly min?: number;
  /** The largest that can be set: what the instance itself holds of a tenant's, or what it can count. */
  readonly max: number;
  readonly words: string;
}

const BYTES_MAX = 1_099_511_627_776;
const COUNT_MAX = 1_000_000;

/**
 * What an instance owner can bound of a tenant, each with what it says of itself. Absent: no bound beyond those that every tenant has
 * (10,000 queued calls, 256 audit records that wait to be written).
 */
export const TENANT_LIMIT_KINDS = {
  callsPerSecond: { max: 1_000_000, words: 'Calls sent in any second, over all nodes' },
  concurrentCalls: { max: 100_000, words: 'Calls in progress at once, on each node' },
  bodyMemoryBytes: { min: 1_048_576, max: BYTES_MAX, words: 'Memory that bodies of calls take, on each node' },
  agents: { max: COUNT_MAX, words: 'Agents' },
  integrations: { max: COUNT_MAX, words: 'Integrations' },
  rules: { max: COUNT_MAX, words: 'Rules that are not disabled' },
  secrets: { max: COUNT_MAX, words: 'Secrets' },
  templates: { max: COUNT_MAX, words: 'Versions of own templates in use' },
  queuedCalls: { max: 10_000, words: 'Calls that are queued or run from the queue' },
  runningQueuedCalls: { max: 10_000, words: 'Calls that run from the queue at once, over all nodes' },
  queuedBytes: { max: BYTES_MAX, words: 'Bytes of the calls that are queued or run from the queue' },
  pendingApprovals: { max: COUNT_MAX, words: 'Approvals that wait for people' },
  sealedBytes: { max: BYTES_MAX, words: 'Bytes of all stored requests: of held calls and of queued ones' },
  auditSpool: { max: 4_096, words: 'Audit records that wait to be written before calls are refused, on each node' },
} as const satisfies Record<string, LimitKind>;

export type TenantLimit = keyof typeof TENANT_LIMIT_KINDS;

export const TENANT_LIMITS = Object.keys(TENANT_LIMIT_KINDS) as TenantLimit[];

export type TenantLimits = Readonly<Partial<Record<TenantLimit, number>>>;

function limitSchema({ min = 1, max, words }: LimitKind) {
  return z.number().int().min(min).max(max).optional().describe(words);
}

/** Integers from 1; a member that is absent bounds nothing. */
export const tenantLimitsSchema = z.strictObject(
  Object.fromEntries(TENANT_LIMITS.map((name) => [name, limitSchema(TENANT_LIMIT_KINDS[name])])) as Record<
    TenantLimit,
    ReturnType<typeof limitSchema>
  >,
);
