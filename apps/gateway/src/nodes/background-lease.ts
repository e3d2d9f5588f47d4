import type { BackgroundLeasesPort, LeaseOwner } from '@postern/db/ports';

/** Work that one node does for all. */
export interface BackgroundLease {
  /** Asked before each step: true while this node is the one. Fails as the store does: then it is not. */
  hold(): Promise<boolean>;
  /** Lets another node begin at once. Nothing when this one is not the holder. */
  release(): Promise<void>;
}

export function createBackgroundLease(
  leases: BackgroundLeasesPort,
  name: string,
  { node, boot, leaseMs }: LeaseOwner & { readonly leaseMs: number },
): BackgroundLease {
  let mayHold = false;
  return {
    async hold() {
      mayHold = true;
      return leases.hold(name, { node, boot }, leaseMs);
    },
    async release() {
      if (mayHold) await leases.release(name, { node, boot });
    },
  };
}
