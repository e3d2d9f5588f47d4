import { DbError } from '../ports/db-error.ts';
import { DNS_ADDRESSES_MAX, DNS_TTL_RANGE, type DnsAnswersPort } from '../ports/volatile/dns-answers.ts';
import { requireIdentifier, requireRange, requireTime } from './check-range.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { isTextList, readKept } from './read-kept.ts';

/** Keys `{prefix}:dns:{tenant}:{host}`. */
export function createDnsAnswers(store: KeyStore, prefix: string): DnsAnswersPort {
  const keyOf = keysOf(prefix, 'dns', ['host']);
  return {
    async get(tenant, host) {
      const kept = await store.getNewest(keyOf(tenant, host));
      const addresses = readKept(kept?.value, ({ addresses }) => (isTextList(addresses) ? addresses : undefined));
      if (kept === undefined || addresses === undefined || addresses.length === 0) return undefined;
      return { addresses, resolvedAtMs: kept.order, usableMs: kept.remainingMs };
    },
    async put(tenant, host, { addresses, resolvedAtMs, ttlSeconds }) {
      if (addresses.length === 0 || addresses.length > DNS_ADDRESSES_MAX) {
        throw new DbError('invalid', `addresses must be 1 to ${DNS_ADDRESSES_MAX}, not ${addresses.length}`);
      }
      for (const address of addresses) requireIdentifier('addresses', address, 64);
      requireTime('resolvedAtMs', resolvedAtMs);
      requireRange('ttlSeconds', ttlSeconds, DNS_TTL_RANGE);
      const at = { order: resolvedAtMs, ttlMs: ttlSeconds * 1_000 };
      return store.putNewer(keyOf(tenant, host), JSON.stringify({ addresses }), at);
    },
  };
}
