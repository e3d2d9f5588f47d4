/** One start of one node's program. */
export interface LeaseOwner {
  /** Stable name of the node. */
  readonly node: string;
  /** Unique to this start of the process. */
  readonly boot: string;
}

/**
 * Work in the background that one node does for all: whoever holds the name does it. Time is the store's own, so that nodes whose
 * clocks differ agree on who that is.
 *
 * A holder that was held up for longer than its lease learns by its next `hold` that it is not the holder any more; so it asks before
 * each step, and each step is one that could be done twice without harm.
 */
export interface BackgroundLeasesPort {
  /** Takes the lease when nobody has it or it has run out, keeps it for `leaseMs` more when it is the owner's. False: another has it. */
  hold(name: string, owner: LeaseOwner, leaseMs: number): Promise<boolean>;
  /** Gives it up; nothing when it is another's by now. */
  release(name: string, owner: LeaseOwner): Promise<void>;
}
