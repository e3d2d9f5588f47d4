import type { OutboxOutcome } from '@postern/db/ports';
import { nextAttempt } from './next-attempt.ts';

/** What the receiver answered. Its body and other headers are of no account. */
export interface DeliveryAnswer {
  readonly status: number;
  /** What `Retry-After` asks for, if it came and could be read. */
  readonly retryAfterMs?: number | undefined;
}

/** How one try ended. `error` is a status or a code of ours, never a receiver's text. */
export type DeliveryVerdict =
  | { readonly verdict: 'delivered' }
  /** 410: this endpoint wants nothing more. */
  | { readonly verdict: 'disable'; readonly error: string }
  | { readonly verdict: 'retry'; readonly error: string; readonly retryAfterMs?: number };

/** Standard Webhooks 1.0.0, "Delivery success and failure": 2xx or nothing. A redirect is no success and is not followed. */
export function judgeDelivery({ status, retryAfterMs }: DeliveryAnswer): DeliveryVerdict {
  if (status >= 200 && status <= 299) return { verdict: 'delivered' };
  if (status === 410) return { verdict: 'disable', error: 'status_410' };
  const error = `status_${status}`;
  const isAsked = (status === 429 || status === 503) && retryAfterMs !== undefined && retryAfterMs > 0;
  return isAsked ? { verdict: 'retry', error, retryAfterMs } : { verdict: 'retry', error };
}

/** When the try ended, the how-manieth it was, and chance. */
export interface DeliveryTry {
  /** This one counted. */
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly random: () => number;
}

/** What the outbox writes of a message after a try. A `disable` makes this message `dead`; its endpoint is disabled beside. */
export function outboxOutcome(verdict: DeliveryVerdict, { attempts, now, random }: DeliveryTry): OutboxOutcome {
  switch (verdict.verdict) {
    case 'delivered':
      return { to: 'delivered', at: now };
    case 'disable':
      return { to: 'dead', at: now, error: verdict.error };
    case 'retry': {
      const { error } = verdict;
      const nextAttemptAt = nextAttempt(attempts, now, random, verdict.retryAfterMs);
      return nextAttemptAt === undefined ? { to: 'dead', at: now, error } : { to: 'retry', nextAttemptAt, error };
    }
  }
}
