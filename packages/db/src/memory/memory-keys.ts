import { DbError } from '../ports/db-error.ts';
import type { KeptValue, KeyStore, ReadThroughKeys } from '../volatile/key-store.ts';
import { newOwner } from '../volatile/owner.ts';

export interface MemoryKeysOptions {
  /** Which tenant's a key is: each has its own room. */
  readonly tenantOf: (key: string) => string;
  readonly keysPerTenantMax: number;
  /** Without room the oldest key goes; else a new one is refused (`unavailable`). */
  readonly mayEvict: boolean;
  /** Milliseconds that only go forward. */
  readonly monotonicMs: () => number;
}

interface Kept {
  readonly value: string;
  readonly order: number;
  readonly items: string[];
  readonly untilMs: number;
}

type Keys = Map<string, Kept>;

const SWEEP_EVERY_MS = 60_000;

/** A key store in this process. Keys whose time is over are swept once a minute, and when there is no room. */
export function createMemoryKeys(options: MemoryKeysOptions): KeyStore {
  const kept = createKeptKeys(options);

  function find(key: string): (KeptValue & { order: number; items: string[] }) | undefined {
    const found = kept.find(key);
    return found && { ...found, remainingMs: found.untilMs - options.monotonicMs() };
  }

  function setIf(key: string, isRight: boolean, value: string, ttlMs: number): boolean {
    if (isRight) kept.set(key, { value, ttlMs });
    return isRight;
  }

  return {
    get: async (key) => find(key),
    getNewest: async (key) => find(key),
    items: async (key) => [...(find(key)?.items ?? [])],
    put: async (key, value, ttlMs) => kept.set(key, { value, ttlMs }),
    add: async (key, value, ttlMs) => setIf(key, find(key) === undefined, value, ttlMs),
    async take(key) {
      const found = find(key);
      kept.remove(key);
      return found?.value;
    },
    async remove(keys) {
      for (const key of keys) kept.remove(key);
    },
    renewIf: async (key, value, ttlMs) => setIf(key, find(key)?.value === value, value, ttlMs),
    replaceIf: async (key, value, next) => setIf(key, find(key)?.value === value, next.value, next.ttlMs),
    async removeIf(key, value) {
      return find(key)?.value === value && kept.remove(key);
    },
    async putNewer(key, value, { order, ttlMs }) {
      if ((find(key)?.order ?? 0) > order) return 'skipped_stale';
      kept.set(key, { value, order, ttlMs });
      return 'applied';
    },
    async append(key, value, { itemsMax, ttlMs }) {
      const items = [...(find(key)?.items ?? []), value].slice(-itemsMax);
      kept.set(key, { value: '', items, ttlMs });
    },
    ...createReadThroughSteps(kept, options),
    removeByPrefix: async (prefix, notCounted) => kept.removeByPrefix(prefix, notCounted),
  };
}

/** The steps of reading through, as the scripts of the Redis adapter. */
function createReadThroughSteps(kept: KeptKeys, { monotonicMs }: MemoryKeysOptions): Pick<KeyStore, 'look' | 'fill'> {
  function generationOf({ generation }: ReadThroughKeys, ttlMs: number): string {
    const present = kept.find(generation);
    const value = present?.value ?? newOwner();
    const isEndingFirst = (present?.untilMs ?? 0) < monotonicMs() + ttlMs;
    if (isEndingFirst) kept.set(generation, { value, ttlMs });
    return value;
  }

  return {
    async look(keys, { leaseMs, ttlMs }) {
      const generation = generationOf(keys, ttlMs + leaseMs);
      const entry = kept.find(keys.entry)?.value;
      if (entry?.startsWith(generation)) return { found: 'value', value: entry.slice(generation.length) };
      if (kept.find(keys.lease)?.value.startsWith(generation)) return { found: 'busy' };
      const token = generation + newOwner();
      kept.set(keys.lease, { value: token, ttlMs: leaseMs });
      return { found: 'lease', token };
    },
    async fill(keys, { token, value, leaseMs, ttlMs }) {
      const [lease, generation] = [kept.find(keys.lease), kept.find(keys.generation)?.value];
      if (lease === undefined || lease.value !== token) return false;
      kept.remove(keys.lease);
      const leftMs = ttlMs - leaseMs + (lease.untilMs - monotonicMs());
      if (generation === undefined || !token.startsWith(generation) || leftMs <= 0) return false;
      kept.set(keys.entry, { value: generation + value, ttlMs: leftMs });
      return true;
    },
  };
}

type KeptKeys = ReturnType<typeof createKeptKeys>;

function createKeptKeys({ tenantOf, keysPerTenantMax, mayEvict, monotonicMs }: MemoryKeysOptions) {
  const tenants = new Map<string, Keys>();
  let sweptMs = monotonicMs();

  function removeEnded(tenant: string, keys: Keys): void {
    const nowMs = monotonicMs();
    for (const [key, { untilMs }] of keys) if (untilMs <= nowMs) keys.delete(key);
    if (keys.size === 0) tenants.delete(tenant);
  }

  function sweep(): void {
    if (monotonicMs() - sweptMs < SWEEP_EVERY_MS) return;
    sweptMs = monotonicMs();
    for (const [tenant, keys] of tenants) removeEnded(tenant, keys);
  }

  function makeRoom(tenant: string, keys: Keys): void {
    if (keys.size < keysPerTenantMax) return;
    removeEnded(tenant, keys);
    if (keys.size < keysPerTenantMax) return;
    if (!mayEvict) throw new DbError('unavailable', `no room for more than ${keysPerTenantMax} keys of one tenant`);
    for (const oldest of keys.keys()) {
      keys.delete(oldest);
      return;
    }
  }

  return {
    find(key: string): Kept | undefined {
      const found = tenants.get(tenantOf(key))?.get(key);
      return found !== undefined && found.untilMs > monotonicMs() ? found : undefined;
    },
    set(
      key: string,
      { value, order = 0, items = [], ttlMs }: { value: string; order?: number; items?: string[]; ttlMs: number },
    ): void {
      sweep();
      const tenant = tenantOf(key);
      const keys: Keys = tenants.get(tenant) ?? new Map();
      if (!keys.delete(key)) makeRoom(tenant, keys);
      tenants.set(tenant, keys);
      keys.set(key, { value, order, items, untilMs: monotonicMs() + ttlMs });
    },
    remove(key: string): boolean {
      return tenants.get(tenantOf(key))?.delete(key) ?? false;
    },
    removeByPrefix(prefix: string, notCounted: string): number {
      let removed = 0;
      for (const key of tenants.get(tenantOf(prefix))?.keys() ?? []) {
        if (!key.startsWith(prefix)) continue;
        if (this.find(key) !== undefined && !key.endsWith(notCounted)) removed += 1;
        this.remove(key);
      }
      return removed;
    },
  };
}
