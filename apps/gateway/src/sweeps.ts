import type { ApprovalSummary, DbRepositories } from '@postern/db/ports';
import type { BackgroundLease } from './nodes/background-lease.ts';

export interface SweepParts {
  readonly repositories: Pick<
    DbRepositories,
    'approvals' | 'claims' | 'sealedRequests' | 'outbox' | 'queuedCalls' | 'audit' | 'templateInvalidations'
  >;
  /** Of several nodes one sweeps. undefined: there is no other. */
  readonly lease?: BackgroundLease | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onError: (error: unknown, doing: string) => void;
  /** An approval is over; calls may wait for it. Must not throw. */
  readonly onExpired: (approval: ApprovalSummary) => void;
  /** A template was published or retired: resolves when all nodes can have heard of it. */
  readonly onTemplate: (template: { readonly tenant: string; readonly name: string }) => Promise<void>;
  /** After each round, also of another node's. Must not throw. */
  readonly onRound?: () => void;
  /** From the end of a round to the begin of the next. Default 5,000. */
  readonly everyMs?: number;
}

export interface Sweeps {
  start(): void;
  /** Begins nothing more, and resolves when what is under way has ended. */
  stop(): Promise<void>;
}

interface Sweep {
  readonly doing: string;
  /** How many at a time: so that calls do not wait behind it. */
  readonly limit: number;
  /** Returns how many there were. */
  readonly run: (limit: number) => Promise<number>;
}

const EVERY_MS = 5_000;
/** Where there was more than one round takes. */
const AGAIN_MS = 250;
/** Share of the time in which the event loop works. */
const BUSY_UTILIZATION = 0.8;
/** Finished messages can be looked at and replayed for so long. */
export const OUTBOX_KEPT_MS = 7 * 86_400_000;

/**
 * Tidies what is over, in the background: one sweep after the other, each bounded, a round every few seconds. No answer depends on it but
 * that what has expired is told of. A sweep that fails is told of once, until it has succeeded again. A node that was held up finds before the next sweep that another has
 * taken over.
 */
export function createSweeps(parts: SweepParts): Sweeps {
  const { lease, onError, onRound, everyMs = EVERY_MS } = parts;
  const sweeps = sweepsOf(parts);
  const failing = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;
  let isStopped = false;

  async function runRound(): Promise<void> {
    let isMore = false;
    for (const { doing, limit, run } of sweeps) {
      if (isStopped) return;
      if (lease !== undefined && (await attempt('hold the lease of the sweeps', lease.hold)) !== true) break;
      const count = await attempt(doing, () => run(limit));
      if (count !== undefined && count >= limit) isMore = true;
    }
    onRound?.();
    schedule(isMore ? AGAIN_MS : everyMs);
  }

  async function attempt<T>(doing: string, task: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await task();
      failing.delete(doing);
      return result;
    } catch (error) {
      if (!failing.has(doing)) onError(error, doing);
      failing.add(doing);
      return undefined;
    }
  }

  function schedule(inMs: number): void {
    if (isStopped) return;
    timer = setTimeout(() => {
      round = runRound();
    }, inMs).unref();
  }

  return {
    start: () => schedule(0),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await round;
      if (lease !== undefined) await attempt('give up the lease of the sweeps', lease.release);
    },
  };
}

function sweepsOf(parts: SweepParts): readonly Sweep[] {
  const { repositories, now, onExpired } = parts;
  const { approvals, claims, sealedRequests, outbox, queuedCalls, audit, templateInvalidations } = repositories;
  const isBusy = createBusyWatch();
  return [
    {
      doing: 'sweep approvals',
      limit: 100,
      async run(limit) {
        const expired = await approvals.sweep(now(), limit);
        for (const approval of expired) onExpired(approval);
        return expired.length;
      },
    },
    { doing: 'sweep claims', limit: 500, run: (limit) => claims.sweep(now(), limit) },
    { doing: 'sweep stored requests', limit: 50, run: (limit) => sealedRequests.sweep(now(), limit) },
    { doing: 'sweep the outbox', limit: 500, run: (limit) => outbox.sweep(now() - OUTBOX_KEPT_MS, limit) },
    { doing: 'sweep queued calls', limit: 100, run: (limit) => queuedCalls.sweep(now(), limit) },
    { doing: 'tell of templates', limit: 100, run: (limit) => tellOfTemplates(parts, limit) },
    {
      doing: 'sweep what was told of templates',
      limit: 500,
      run: (limit) => templateInvalidations.sweep(Math.max(0, now() - OUTBOX_KEPT_MS), limit),
    },
    // Blocks that must be read cost some 8 µs of CPU an entry, which calls have a better use for while there are many.
    { doing: 'summarise the audit log', limit: 16, run: (limit) => audit.summarise(isBusy() ? 1 : limit) },
  ];
}

const TELLING_MS = 30_000;
const TELL_AGAIN_MS = 5_000;

/** Each is told until all nodes can have heard of it; the one who published has not waited for that. */
async function tellOfTemplates({ repositories, now, onTemplate }: SweepParts, limit: number): Promise<number> {
  const { templateInvalidations } = repositories;
  const taken = await templateInvalidations.take(now(), { leaseMs: TELLING_MS, limit });
  for (const invalidation of taken) {
    try {
      await onTemplate(invalidation);
    } catch (error) {
      const retry = { to: 'retry', nextAttemptAt: now() + TELL_AGAIN_MS, error: 'the bus was not there' } as const;
      await templateInvalidations.finish(invalidation, retry);
      throw error;
    }
    await templateInvalidations.finish(invalidation, { to: 'delivered', at: now() });
  }
  return taken.length;
}

/** Tells whether the event loop has had hardly a pause since it was asked before. */
function createBusyWatch(): () => boolean {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization > BUSY_UTILIZATION;
  };
}
