import type { JournalRows } from '../../journal/journal-rows.ts';
import type { Statement } from '../statement-batch.ts';
import { ClaimList } from './claim-list.ts';
import { EntryList } from './entry-list.ts';
import { GrantList } from './grant-list.ts';
import { LeaseList, OpenIntentList } from './lease-list.ts';

/**
 * The rows of one transaction in memory: read and locked before the records are looked at, changed there, and written in one go after it.
 * So a transaction takes two round trips, however many records there are.
 */
export class LoadedRows implements JournalRows {
  readonly entries = new EntryList();
  readonly leases = new LeaseList();
  readonly openIntents = new OpenIntentList();
  readonly claims = new ClaimList(this.leases);
  readonly grants = new GrantList(this.leases);

  /** At the start of a transaction: nothing is read yet. Where logs end stays known. */
  begin(): void {
    this.entries.begin();
    this.openIntents.clear();
    this.claims.clear();
    this.grants.clear();
  }

  /** What was done since then is not done. Entries, and the lease, are not part of it. */
  mark(): () => void {
    const undoing = [this.openIntents.mark(), this.claims.mark(), this.grants.mark()];
    return () => {
      for (const undo of undoing) undo();
    };
  }

  /** The lease is first: all entries of the transaction lie behind the place up to which it has been read. */
  changes(): readonly Statement[] {
    return [
      ...this.leases.changes(),
      ...this.openIntents.changes(),
      ...this.entries.changes(),
      ...this.claims.changes(),
      ...this.grants.changes(),
    ];
  }

  /** There is nothing to be written but entries. */
  get hasOnlyEntries(): boolean {
    const others = [this.leases, this.openIntents, this.claims, this.grants];
    return others.every((rows) => rows.changes().length === 0);
  }

  /** `changes` were made. */
  stored(): void {
    this.entries.stored();
    this.leases.stored();
    this.openIntents.clear();
    this.claims.stored();
    this.grants.stored();
  }
}
