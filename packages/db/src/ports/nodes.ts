import type { LeaseOwner } from './background-leases.ts';

/** What a node tells the others of itself when it starts. */
export interface NewNode extends LeaseOwner {
  readonly version: string;
  /** Ids of its master keys; it seals with the first and opens with all. */
  readonly keyIds: readonly [string, ...string[]];
  /** It was given a Redis. */
  readonly hasRedis: boolean;
}

export interface NodeRecord extends NewNode {
  readonly startedAt: number;
  /** Its last sign of life. */
  readonly seenAt: number;
  /** It counts as living until then. */
  readonly aliveUntil: number;
  /** How far its clock is ahead of the store's, as it told last. */
  readonly clockAheadMs: number;
}

/** All times of the store's own clock, in milliseconds since the epoch. */
export interface KnownNodes {
  /** The store's time. */
  readonly now: number;
  /** By name; those that are over too, for a day. */
  readonly nodes: readonly NodeRecord[];
}

export type JoinedNode =
  | { readonly kind: 'joined'; readonly now: number }
  /** Another boot lives under that name. */
  | { readonly kind: 'taken'; readonly by: NodeRecord };

export interface NodeSign {
  readonly leaseMs: number;
  readonly clockAheadMs: number;
}

/**
 * The nodes that work on one store. A name belongs to one living boot: two nodes under one name would close each other's calls.
 */
export interface NodesPort {
  /**
   * Enters the node, when its name is free: nobody's, one whose time ran out, or `formerBoot`'s, of which the caller knows that it is
   * over.
   */
  join(node: NewNode, terms: NodeSign & { readonly formerBoot: string | undefined }): Promise<JoinedNode>;
  /** A sign of life; the store's time. undefined: another boot has the name by now. */
  beat(owner: LeaseOwner, sign: NodeSign): Promise<number | undefined>;
  /** The node ends: its name is free at once. */
  leave(owner: LeaseOwner): Promise<void>;
  list(): Promise<KnownNodes>;
  /** Forgets nodes that were last seen more than `keptMs` ago. Returns how many. */
  sweep(keptMs: number): Promise<number>;
}
