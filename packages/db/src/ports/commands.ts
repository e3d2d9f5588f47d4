import type { DbContext, Page, PageRequest } from './context.ts';

/**
 *   queued → sent → received → running → succeeded | failed | rejected
 *   queued → cancelled | expired;   sent, received, running → succeeded | failed | rejected | unknown;   unknown → succeeded | failed | rejected
 *
 * One that is `queued` at `expiresAt` reads `expired`: it was never sent. One that was sent and of which nothing more came by then reads
 * `unknown`, and a result that comes late still counts. Steps may be left out: a result tells that it was received.
 */
export const COMMAND_STATES = [
  'queued',
  'sent',
  'received',
  'running',
  'succeeded',
  'failed',
  'rejected',
  'cancelled',
  'expired',
  'unknown',
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

export const COMMAND_RESULTS = ['succeeded', 'failed', 'rejected'] as const;
export type CommandResult = (typeof COMMAND_RESULTS)[number];

export const COMMAND_PRIORITY = { first: 1, default: 3, last: 5 } as const;
export const COMMAND_LIFE_MS = 3_600_000;
/** Of payload, progress and result, as JSON text. */
export const COMMAND_BYTES_MAX = 65_536;

/** An instruction to one edge. `payload`, `progress` and `result` are JSON values. */
export interface CommandRecord {
  readonly tenant: string;
  readonly id: string;
  readonly edge: string;
  readonly kind: string;
  readonly payload: unknown;
  /** 1 (first) to 5. */
  readonly priority: number;
  readonly state: CommandState;
  readonly createdBy: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** How often it was taken to be sent. */
  readonly attempts: number;
  /** While it is on its way: the end of the lease, after which it is sent again. */
  readonly leaseUntil?: number;
  readonly receivedAt?: number;
  readonly progress?: unknown;
  readonly finishedAt?: number;
  readonly result?: unknown;
}

export interface NewCommand {
  readonly tenant: string;
  /** Its effects happen once for each id; absent: a new one. */
  readonly id?: string;
  readonly edge: string;
  readonly kind: string;
  readonly payload: unknown;
  /** Default 3. */
  readonly priority?: number;
  readonly createdBy: string;
  /** Default: an hour from `nowMs`. */
  readonly expiresAt?: number;
}

export interface CommandRef {
  readonly tenant: string;
  /** The edge that speaks. What belongs to another is not found. */
  readonly edge: string;
  readonly id: string;
}

export interface CommandChange {
  /** False: it was in no state that this leads from (a result that came twice), and nothing changed. */
  readonly isDone: boolean;
  readonly command: CommandRecord;
}

/** Commands on the hub. Every change is a conditional update on the old state. All methods judge time by what they are given. */
export interface CommandsPort {
  /** A given id that is known: the same command is answered with `isNew` false, another fails `conflict`. */
  create(
    command: NewCommand,
    nowMs: number,
    context?: DbContext,
  ): Promise<{ readonly command: CommandRecord; readonly isNew: boolean }>;
  getById(tenant: string, id: string, nowMs: number, context?: DbContext): Promise<CommandRecord | undefined>;
  /** Newest first. `state` as it reads at `nowMs`. */
  list(
    tenant: string,
    filter: { readonly edge?: string; readonly state?: CommandState },
    page: PageRequest & { readonly nowMs: number },
    context?: DbContext,
  ): Promise<Page<CommandRecord>>;
  /**
   * Those of one edge that are to be sent now, by priority, then oldest first, each for one taker until its lease is over. One whose lease
   * ran out without a result is taken again; the edge knows it by its id.
   */
  take(
    edge: { readonly tenant: string; readonly edge: string },
    nowMs: number,
    terms: { readonly leaseMs: number; readonly limit: number },
  ): Promise<readonly CommandRecord[]>;
  /** The edge has it durably. From `sent`; keeps the lease until `leaseUntil`. Fails `not_found`. */
  markReceived(
    ref: CommandRef,
    at: { readonly at: number; readonly leaseUntil: number },
    context?: DbContext,
  ): Promise<CommandChange>;
  /** From `sent`, `received` or `running`. Fails `not_found`. */
  noteProgress(
    ref: CommandRef,
    progress: { readonly at: number; readonly leaseUntil: number; readonly progress: unknown },
    context?: DbContext,
  ): Promise<CommandChange>;
  /** Once: the first result stays. From `sent`, `received`, `running` or `unknown`. Fails `not_found`. */
  finish(
    ref: CommandRef,
    outcome: { readonly to: CommandResult; readonly at: number; readonly result?: unknown },
    context?: DbContext,
  ): Promise<CommandChange>;
  /** From `queued`: what was sent may have happened. Fails `not_found`. */
  cancel(tenant: string, id: string, at: number, context?: DbContext): Promise<CommandChange>;
  /** Tidies: stores `expired` and `unknown` for what reads so; returns how many. No answer of any other method depends on it. */
  sweep(nowMs: number, limit: number): Promise<number>;
  /** Removes what was finished before `finishedBefore`; returns how many. */
  removeFinished(finishedBefore: number, limit: number): Promise<number>;
}
