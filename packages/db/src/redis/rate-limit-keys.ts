import type { CountedLimit } from '../ports/rate-limits.ts';
import { encodePart } from '../volatile/key-of.ts';

/** The keys that a script is given, each once: most calls that come together are counted by few counters. */
export interface CollectedKeys {
  readonly all: readonly string[];
  /** The places, counted from 1, of a limit's counter, of the one of those without room, and of the tenant's list, as words. */
  placesOf(limit: CountedLimit): string;
  counterOf(limit: CountedLimit): string;
  othersOf(limit: CountedLimit): string;
}

interface TenantKeys {
  readonly base: string;
  readonly list: number;
  readonly counters: Map<string, number>;
  readonly others: Map<string, number>;
}

export function collectKeys(prefix: string): CollectedKeys {
  const all: string[] = [];
  const tenants = new Map<string, TenantKeys>();

  function ofTenant(tenant: string): TenantKeys {
    const known = tenants.get(tenant);
    if (known !== undefined) return known;
    const base = `${prefix}:rate-limits:${encodePart('tenant', tenant)}`;
    const keys = { base, list: all.push(`${base}:counters`), counters: new Map(), others: new Map() };
    tenants.set(tenant, keys);
    return keys;
  }

  /** What is free text stands last, so it can be whatever it is. */
  function placeOf(places: Map<string, number>, base: string, text: string): number {
    let place = places.get(text);
    if (place === undefined) {
      place = all.push(`${base}:${text}`);
      places.set(text, place);
    }
    return place;
  }

  function counterPlace({ tenant, key }: CountedLimit): number {
    const { base, counters } = ofTenant(tenant);
    return placeOf(counters, `${base}:counter`, key);
  }

  function othersPlace({ tenant, rule }: CountedLimit): number {
    const { base, others } = ofTenant(tenant);
    return placeOf(others, `${base}:others`, rule);
  }

  return {
    all,
    placesOf: (limit) => `${counterPlace(limit)} ${othersPlace(limit)} ${ofTenant(limit.tenant).list}`,
    counterOf: (limit) => all[counterPlace(limit) - 1] as string,
    othersOf: (limit) => all[othersPlace(limit) - 1] as string,
  };
}
