/** A map by tenant and name. Two maps rather than one with joined keys: a look-up makes no string. */
export type PairMap<T> = Map<string, Map<string, T>>;

export function putPair<T>(map: PairMap<T>, tenant: string, name: string, value: T): void {
  const inner = map.get(tenant);
  if (inner === undefined) map.set(tenant, new Map([[name, value]]));
  else inner.set(name, value);
}

export function deletePair<T>(map: PairMap<T>, tenant: string, name: string): void {
  const inner = map.get(tenant);
  inner?.delete(name);
  if (inner?.size === 0) map.delete(tenant);
}
