import { setImmediate } from 'node:timers/promises';
import type { IntegrationRecord } from '../ports/integrations.ts';
import type { IntegrationRow } from '../tables.ts';
import { toIntegrationRecord } from './integrations.ts';

/** Calls are served by the same event loop: after this long it is given back to them. */
const SLICE_MS = 5;
/** Of a tenant with fewer all are read anew: that takes no time worth mentioning. */
const KEPT_FROM = 100;
/** Of all tenants; those read last stay. */
const KEPT_MAX = 20_000;

interface Kept {
  readonly row: IntegrationRow;
  readonly record: IntegrationRecord;
}

/**
 * Reads all integrations of tenants from their rows, again and again. To check a definition takes some 20 µs; so of a tenant with many those
 * are taken from the time before whose row is the same to the letter, and the others are read in slices.
 */
export function createIntegrationReader(): (
  tenant: string,
  rows: readonly IntegrationRow[],
) => Promise<readonly IntegrationRecord[]> {
  const tenants = new Map<string, ReadonlyMap<string, Kept>>();
  return async (tenant, rows) => {
    const known = tenants.get(tenant);
    const kept = new Map<string, Kept>();
    let sliceEnd = performance.now() + SLICE_MS;
    for (const row of rows) {
      const former = known?.get(row.id);
      kept.set(
        row.id,
        former !== undefined && isSame(former.row, row) ? former : { row, record: toIntegrationRecord(row) },
      );
      if (performance.now() < sliceEnd) continue;
      await setImmediate();
      sliceEnd = performance.now() + SLICE_MS;
    }
    tenants.delete(tenant);
    if (kept.size >= KEPT_FROM) tenants.set(tenant, kept);
    forgetOldest(tenants);
    return Array.from(kept.values(), ({ record }) => record);
  };
}

function isSame(one: IntegrationRow, other: IntegrationRow): boolean {
  const columns = Object.keys(other) as (keyof IntegrationRow)[];
  return typeof other.spec === 'string' && columns.every((column) => one[column] === other[column]);
}

function forgetOldest(tenants: Map<string, ReadonlyMap<string, Kept>>): void {
  let total = 0;
  for (const kept of tenants.values()) total += kept.size;
  for (const [tenant, kept] of tenants) {
    if (total <= KEPT_MAX) return;
    tenants.delete(tenant);
    total -= kept.size;
  }
}
