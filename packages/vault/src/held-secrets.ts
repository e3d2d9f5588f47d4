import { deletePair, type PairMap, putPair } from './pair-map.ts';
import type { Secret } from './secret.ts';

export interface HeldSecretsOptions {
  readonly ttlMs: number;
  readonly secretsMax: number;
  readonly clock: () => number;
  readonly setTimer: (task: () => void, delayMs: number) => () => void;
}

/** Open secrets with an end. Every way out of it overwrites the secret. */
export interface HeldSecrets {
  find(tenant: string, name: string): Secret | undefined;
  /** Only for a name that is not held. */
  hold(tenant: string, name: string, secret: Secret): void;
  drop(tenant: string, name?: string): void;
  clear(): void;
}

interface Entry {
  readonly tenant: string;
  readonly name: string;
  readonly secret: Secret;
  readonly expiresAtMs: number;
}

export function createHeldSecrets({ ttlMs, secretsMax, clock, setTimer }: HeldSecretsOptions): HeldSecrets {
  const held: PairMap<Entry> = new Map();
  /** All entries, eldest first; every one lives equally long, so the eldest is the next to expire. */
  const byAge = new Set<Entry>();
  let cancelTimer: (() => void) | undefined;

  function evict(entry: Entry): void {
    entry.secret.destroy();
    byAge.delete(entry);
    deletePair(held, entry.tenant, entry.name);
  }

  function evictExpired(): void {
    const now = clock();
    for (const entry of byAge) {
      if (now < entry.expiresAtMs) break;
      evict(entry);
    }
    setNextTimer();
  }

  function setNextTimer(): void {
    const eldest = firstOf(byAge);
    cancelTimer = eldest && setTimer(evictExpired, Math.max(0, eldest.expiresAtMs - clock()));
  }

  return {
    find(tenant, name) {
      const entry = held.get(tenant)?.get(name);
      if (entry === undefined || clock() < entry.expiresAtMs) return entry?.secret;
      evict(entry);
      return undefined;
    },
    hold(tenant, name, secret) {
      const eldest = byAge.size >= secretsMax ? firstOf(byAge) : undefined;
      if (eldest !== undefined) evict(eldest);
      const entry: Entry = { tenant, name, secret, expiresAtMs: clock() + ttlMs };
      putPair(held, tenant, name, entry);
      byAge.add(entry);
      if (cancelTimer === undefined) setNextTimer();
    },
    drop(tenant, name) {
      for (const entry of [...(held.get(tenant)?.values() ?? [])]) {
        if (name === undefined || entry.name === name) evict(entry);
      }
    },
    clear() {
      for (const entry of byAge) evict(entry);
      cancelTimer?.();
      cancelTimer = undefined;
    },
  };
}

function firstOf<T>(set: ReadonlySet<T>): T | undefined {
  for (const value of set) return value;
  return undefined;
}
