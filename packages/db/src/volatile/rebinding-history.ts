import {
  REBINDING_KEPT_MS,
  REBINDINGS_PER_HOST_MAX,
  type RebindingHistoryPort,
  type RebindingRecord,
} from '../ports/volatile/rebinding-history.ts';
import { requireIdentifier, requireTime } from './check-range.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { isTextList, readKept } from './read-kept.ts';

/** Keys `{prefix}:dns-history:{tenant}:{host}`. */
export function createRebindingHistory(store: KeyStore, prefix: string, now: () => number): RebindingHistoryPort {
  const keyOf = keysOf(prefix, 'dns-history', ['host']);
  return {
    async append(tenant, host, { observedAtMs, before, after, hasNewClass }) {
      requireTime('observedAtMs', observedAtMs);
      for (const address of [...before, ...after]) requireIdentifier('address', address, 64);
      const value = JSON.stringify({ observedAtMs, before, after, hasNewClass });
      await store.append(keyOf(tenant, host), value, { itemsMax: REBINDINGS_PER_HOST_MAX, ttlMs: REBINDING_KEPT_MS });
    },
    async list(tenant, host) {
      const records = (await store.items(keyOf(tenant, host))).map((item) => readKept(item, parseRecord));
      const sinceMs = now() - REBINDING_KEPT_MS;
      return records
        .filter((record) => record !== undefined && record.observedAtMs > sinceMs)
        .sort((a, b) => (a?.observedAtMs ?? 0) - (b?.observedAtMs ?? 0)) as RebindingRecord[];
    },
  };
}

function parseRecord(kept: Readonly<Record<string, unknown>>): RebindingRecord | undefined {
  const { observedAtMs, before, after, hasNewClass } = kept;
  if (typeof observedAtMs !== 'number' || typeof hasNewClass !== 'boolean') return undefined;
  return isTextList(before) && isTextList(after) ? { observedAtMs, before, after, hasNewClass } : undefined;
}
