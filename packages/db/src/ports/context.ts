/**
 * A transaction of one database client, made by `runInTransaction` alone. Opaque: only the adapter that made it can use it;
 * a foreign object in its place is refused.
 */
export interface Transaction {
  readonly transactionOf: string;
}

/** Passed last to every repository method; with a transaction the method takes part in it, without it stands alone. */
export interface DbContext {
  readonly transaction?: Transaction;
}

/** One page of a list in a deterministic order; `cursor` is opaque and comes from the page before. */
export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

/** Who made an object: a configuration document (which may remove it again) or the control plane. */
export type Origin = 'config' | 'api';
