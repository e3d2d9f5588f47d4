import type { Agent } from '@postern/schemas';
import type { DbClient } from '../client.ts';
import type { CallJournal } from '../ports/call-journal.ts';
import type { DbRepositories } from '../ports/repositories.ts';

/** One adapter on a real, empty, migrated store of its own. */
export interface DbHarness {
  readonly client: DbClient;
  readonly repositories: DbRepositories;
  /** The clock of the repositories; tests move it. */
  readonly clock: { nowMs: number };
  /** A second client on the same store, as another process has it. The harness closes it. */
  connectAgain(): Promise<DbClient>;
  close(): Promise<void>;
}

export type MakeDbHarness = () => Promise<DbHarness>;

export interface JournalSettings {
  readonly node?: string;
  readonly boot?: string;
  readonly leaseMs?: number;
  readonly spoolMax?: number;
  readonly spoolMaxOf?: (tenant: string) => number | undefined;
}

export type CountingJournal = CallJournal & {
  stats(): { commits: number; failedCommits: number; records: number; refusedRecords: number; lostIntents: number };
};

/** As `DbHarness`, with journals on it. */
export interface JournalHarness extends DbHarness {
  /** A journal as a process of its own would have it: on a client of its own. The harness closes it. */
  openJournal(settings?: JournalSettings): Promise<CountingJournal>;
}

export type MakeJournalHarness = () => Promise<JournalHarness>;

/** As `JournalHarness`, on a store that can be made to refuse writes while it is open. */
export interface BreakableHarness extends JournalHarness {
  /** Writes fail from here on, of journals that are open too. */
  breakStore(): Promise<void>;
  mendStore(): Promise<void>;
}

export type MakeBreakableHarness = () => Promise<BreakableHarness>;

export const AGENT: Agent = { name: 'coder', roles: ['developer'], trust: 'low', disabled: false };

/** Reads a whole list, page by page, and says how large the pages were. */
export async function readPages<T>(
  read: (cursor: string | undefined) => Promise<{ items: readonly T[]; nextCursor?: string }>,
): Promise<{ items: T[]; sizes: number[] }> {
  const items: T[] = [];
  const sizes: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    items.push(...page.items);
    sizes.push(page.items.length);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return { items, sizes };
}
