import type { EntryDraft, OutcomeResult } from '@postern/schemas';

/** The intent of one call; `requestId` is made by the gateway and unique over all nodes and times. */
export type IntentDraft = Omit<
  EntryDraft,
  'type' | 'result' | 'status' | 'latencyMs' | 'code' | 'node' | 'argsHash'
> & {
  readonly requestId: string;
};

/** What closes an intent. The journal adds what it knows of the intent (agent, integration, action, method, url). */
export interface OutcomeDraft {
  readonly tenant: string;
  readonly requestId: string;
  readonly at: number;
  readonly result: OutcomeResult;
  readonly status?: number;
  readonly code?: string;
  readonly latencyMs?: number;
  /** How many attempts at the upstream were begun, when it was more than one. */
  readonly attempt?: number | undefined;
  /** Of a body that passed as it came: `sha-256:` and hex. */
  readonly argsHash?: string | undefined;
}

/**
 * The write path of the data plane, made for group commit: nothing here costs the event loop more than handing an object over.
 * Entries are encoded, numbered and stored off the event loop, with `synchronous=FULL`, many calls to one commit.
 *
 * Obligations on implementers:
 * - `commitIntent` resolves only when the entry is durable and recovery would find it open; it rejects with `DbError`
 *   `unavailable` when that is not so, and then nothing of it is stored or ever will be.
 * - `recordOutcome` and `recordRefusal` never block and never throw. What cannot be written is kept and tried again, in order.
 *   While more than `spoolMax` (256) of a tenant wait after a failed write, `commitIntent` of that tenant rejects.
 * - Every intent is closed by exactly one outcome, also over crashes: `recover`.
 */
export interface CallJournal {
  commitIntent(draft: IntentDraft): Promise<void>;
  recordOutcome(draft: OutcomeDraft): void;
  recordRefusal(draft: EntryDraft): void;
  /** Resolves when all that was handed over before is durable; rejects when it cannot be made so. */
  flush(): Promise<void>;
  /** Entries handed over and not yet durable, and the age of the oldest in milliseconds (0: none). */
  lag(): { entries: number; oldestMs: number };
  /**
   * Closes with `unknown` each open intent of this node's earlier boots and of any boot whose lease ran out. Returns how many.
   * Called at start and then every few seconds. A boot has a lease (15 s, renewed by the journal itself) while it has open calls.
   */
  recover(): Promise<number>;
  /** Flushes, releases the lease, closes. */
  close(): Promise<void>;
}
