import type { DbContext } from './context.ts';

/** A complete request that waits for its approval or its turn. */
export interface SealedRequestRecord {
  readonly tenant: string;
  readonly id: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly createdAt: number;
  readonly keepUntil: number;
}

/** Bytes of one chunk, at most. */
export const SEALED_CHUNK_BYTES_MAX = 1_179_648;
/** Bytes of one stored request, at most. */
export const SEALED_REQUEST_BYTES_MAX = 18_874_368;

/**
 * Requests as the caller sealed them, in chunks (the caller seals each for itself, or cuts one sealed text; what is in them is opaque
 * here). They are written and read off the event loop.
 */
export interface SealedRequestsPort {
  /**
   * Writes chunk after chunk, each as it comes, at most `SEALED_CHUNK_BYTES_MAX`, none empty. Not part of a transaction: each chunk
   * is a short write of its own, so that calls do not wait behind a long one. It is there for readers when the promise resolves, not
   * before; when it rejects, or the process dies, nothing will be there (what is left is swept). Fails `invalid` above the limits.
   * `isBounded`: each chunk is counted against the tenant's `sealedBytes` as it is written, and fails `TenantLimitReached` above it.
   */
  write(
    request: { readonly tenant: string; readonly keepUntil: number; readonly isBounded?: boolean },
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<SealedRequestRecord>;
  getById(tenant: string, id: string, context?: DbContext): Promise<SealedRequestRecord | undefined>;
  /** The chunks in their order, read as they are asked for. Fails `not_found`, also in the middle when it is removed meanwhile. */
  read(tenant: string, id: string): AsyncIterable<Uint8Array>;
  /** Never shortens. False when it is not there. */
  keepUntil(tenant: string, id: string, keepUntil: number, context?: DbContext): Promise<boolean>;
  /** Nothing when it is not there. */
  remove(tenant: string, id: string, context?: DbContext): Promise<void>;
  /** Removes those whose time is over at `nowMs`, and what was never written to its end (an hour after it began); returns how many. */
  sweep(nowMs: number, limit: number): Promise<number>;
}
