import { createHeldSecrets } from './held-secrets.ts';
import { deletePair, type PairMap, putPair } from './pair-map.ts';
import { Secret } from './secret.ts';

/**
 * Decrypted secrets, each in memory for at most `ttlMs`.
 *
 * A name is absent, opening, or held. `get` on an absent name opens it; all who ask meanwhile share that one opening. Its success makes the
 * name held, its failure absent again (failures are not kept). A held name becomes absent, its bytes overwritten, after `ttlMs` (by a timer,
 * asked for or not), by `drop` or `clear`, or when it is the eldest of too many. `drop` while opening makes the opening worthless: what it
 * brings is overwritten unseen, and those who wait get a fresh opening.
 */
export interface SecretCache {
  /** The secret at once when it is held, else a promise. It rejects with the error of `open`. */
  get(reference: CachedSecretReference): Secret | Promise<Secret>;
  /** Forgets one secret, or all of a tenant: its value was rotated, revoked or switched. */
  drop(tenant: string, name?: string): void;
  /** Forgets everything. */
  clear(): void;
}

/** A secret by name; its active version is the business of `open`. */
export interface CachedSecretReference {
  readonly tenant: string;
  readonly name: string;
}

export interface SecretCacheOptions {
  /** Reads and opens the active version. The array becomes the cache's. */
  readonly open: (reference: CachedSecretReference) => Promise<Uint8Array> | Uint8Array;
  /** Default and upper limit: 60,000. */
  readonly ttlMs?: number;
  /** How many secrets are held at once. Default 10,000. */
  readonly secretsMax?: number;
  /** Milliseconds that never go back. Default: the process's monotonic clock. */
  readonly clock?: () => number;
  /** Runs `task` once after `delayMs`; answers how to call it off. Default: a timer that does not keep the process alive. */
  readonly setTimer?: (task: () => void, delayMs: number) => () => void;
}

export const SECRET_TTL_MS_MAX = 60_000;

export function createSecretCache(options: SecretCacheOptions): SecretCache {
  const {
    open,
    ttlMs = SECRET_TTL_MS_MAX,
    secretsMax = 10_000,
    clock = () => performance.now(),
    setTimer = setSystemTimer,
  } = options;
  if (!(ttlMs > 0 && ttlMs <= SECRET_TTL_MS_MAX))
    throw new RangeError(`ttlMs must be above 0 and at most ${SECRET_TTL_MS_MAX}.`);
  if (!(secretsMax >= 1)) throw new RangeError('secretsMax must be at least 1.');
  const held = createHeldSecrets({ ttlMs, secretsMax, clock, setTimer });
  const opening: PairMap<Promise<Secret>> = new Map();

  function get({ tenant, name }: CachedSecretReference): Secret | Promise<Secret> {
    return held.find(tenant, name) ?? opening.get(tenant)?.get(name) ?? startOpening(tenant, name);
  }

  function startOpening(tenant: string, name: string): Promise<Secret> {
    const flight: Promise<Secret> = openNow(tenant, name, () => {
      // False when it had been dropped meanwhile, and perhaps another begun.
      const isCurrent = opening.get(tenant)?.get(name) === flight;
      if (isCurrent) deletePair(opening, tenant, name);
      return isCurrent;
    });
    putPair(opening, tenant, name, flight);
    return flight;
  }

  async function openNow(tenant: string, name: string, land: () => boolean): Promise<Secret> {
    // Not before `startOpening` has noted this promise.
    await undefined;
    let bytes: Uint8Array;
    try {
      bytes = await open({ tenant, name });
    } catch (error) {
      land();
      throw error;
    }
    if (!land()) {
      bytes.fill(0);
      return get({ tenant, name });
    }
    const secret = new Secret(bytes);
    held.hold(tenant, name, secret);
    return secret;
  }

  return {
    get,
    drop(tenant, name) {
      held.drop(tenant, name);
      if (name === undefined) opening.delete(tenant);
      else deletePair(opening, tenant, name);
    },
    clear() {
      held.clear();
      opening.clear();
    },
  };
}

function setSystemTimer(task: () => void, delayMs: number): () => void {
  const timer = setTimeout(task, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
