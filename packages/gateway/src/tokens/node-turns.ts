import type { BackgroundLeasesPort, LeaseOwner, SecretsPort } from '@postern/db/ports';
import type { SecretVersion } from '../directory/secret-version.ts';
import { TokenFailure } from './token-failure.ts';

/** Keeps the rotations of one secret apart over all nodes of a store: a refresh token can be used once, whichever node uses it. */
export interface NodeTurns {
  /**
   * Runs `task` while no other node is at this secret.
   *
   * @throws TokenFailure `store_failed` when the store does not answer, or others are at it for too long.
   */
  inTurn<T>(version: SecretVersion, task: () => Promise<T>): Promise<T>;
  /** The version to use for calls that mean `version`: of the same line by rotation, whichever node has rotated. In turn. */
  newest(version: SecretVersion): Promise<SecretVersion>;
}

export interface NodeTurnsParts {
  readonly leases: BackgroundLeasesPort;
  readonly secrets: Pick<SecretsPort, 'getByName' | 'getSecretEnvelopeVersion'>;
  readonly owner: LeaseOwner;
  /** Milliseconds that never go back. Default: the process's monotonic clock. */
  readonly clock?: () => number;
  /** A node that is gone stands in the way for so long. Default 15 s; renewed while the task runs. */
  readonly leaseMs?: number;
  /** Default 10 s. */
  readonly patienceMs?: number;
}

const LEASE_MS = 15_000;
const RENEWALS = 3;
const PATIENCE_MS = 10_000;
/** Others are at it for as long as a token endpoint takes to answer. */
const AGAIN_MS = 50;

/**
 * On lease rows of the database, with or without Redis: a node that has lost sight of Redis and one that has not must not both believe that it
 * is their turn. That a frozen node comes back after its turn does no harm beside the conditional write of the new version.
 */
export function createNodeTurns(parts: NodeTurnsParts): NodeTurns {
  const { leases, secrets, owner, clock = () => performance.now() } = parts;
  const { leaseMs = LEASE_MS, patienceMs = PATIENCE_MS } = parts;

  async function waitForTurn(name: string): Promise<void> {
    const untilMs = clock() + patienceMs;
    while (!(await leases.hold(name, owner, leaseMs).catch(storeFailed))) {
      if (clock() >= untilMs)
        throw new TokenFailure('store_failed', { detail: 'another node has been at this secret for too long' });
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  return {
    async inTurn({ tenant, name }, task) {
      const lease = `rotate ${tenant} ${name}`;
      await waitForTurn(lease);
      const renewal = setInterval(
        () => void leases.hold(lease, owner, leaseMs).catch(() => undefined),
        leaseMs / RENEWALS,
      );
      try {
        return await task();
      } finally {
        clearInterval(renewal);
        // Where that fails it runs out.
        await leases.release(lease, owner).catch(() => undefined);
      }
    },

    async newest(version) {
      const { tenant, name } = version;
      const active = (await secrets.getByName(tenant, name).catch(storeFailed))?.activeVersion;
      if (active === undefined || active === version.version) return version;
      const [own, standing] = await Promise.all([
        secrets.getSecretEnvelopeVersion(tenant, name, version.version).catch(storeFailed),
        secrets.getSecretEnvelopeVersion(tenant, name, active).catch(storeFailed),
      ]);
      const root = own?.rotatedFrom ?? version.version;
      return standing?.rotatedFrom === root ? { tenant, name, version: active } : version;
    },
  };
}

function storeFailed(cause: unknown): never {
  throw new TokenFailure('store_failed', { cause });
}
