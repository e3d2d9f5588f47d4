import type { DbContext, Page, PageRequest } from './context.ts';

/** base64 of the signature over the bundle's bytes. */
export interface BundleSignature {
  readonly keyId: string;
  readonly algorithm: 'EdDSA' | 'ES256';
  readonly signature: string;
}

/** What may be told of a bundle without its text. */
export interface BundleSummary {
  readonly tenant: string;
  readonly edge: string;
  /** Counts an edge's bundles from 1, without gaps. */
  readonly version: number;
  /** SHA-256 of the document's UTF-8 bytes, lower-case hex; the ETag. */
  readonly contentHash: string;
  readonly signatures: readonly BundleSignature[];
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export interface BundleRecord extends BundleSummary {
  /** The canonical text that is signed. Secrets in it are sealed to the edge; none is in clear. */
  readonly document: string;
}

export const BUNDLE_STATES = ['applied', 'failed', 'rolled_back'] as const;
export type BundleState = (typeof BUNDLE_STATES)[number];

/** What an edge said of a bundle last. */
export interface BundleAcknowledgement {
  readonly version: number;
  readonly state: BundleState;
  /** Of what the edge applied; the bundle's, when it is `applied`. */
  readonly hash: string;
  readonly at: number;
  readonly error?: string;
}

/** Signed bundles of an edge. Their content never changes; newer ones take their place. */
export interface BundlesPort {
  /** The number the next bundle will have; it is signed with it inside the same transaction. */
  nextVersion(edge: { readonly tenant: string; readonly edge: string }, context: DbContext): Promise<number>;
  /** Runs inside a transaction only. Fails `stale` when the version is not the next, `invalid` without a signature or with an end before its issue, `not_found` without the tenant. */
  createBundle(bundle: Omit<BundleRecord, 'contentHash'>, context: DbContext): Promise<BundleRecord>;
  /** The newest, whether it has ended or not. */
  getLatestBundle(
    edge: { readonly tenant: string; readonly edge: string },
    context?: DbContext,
  ): Promise<BundleRecord | undefined>;
  /** Without the text, for a question that names an ETag. */
  getLatestBundleSummary(
    edge: { readonly tenant: string; readonly edge: string },
    context?: DbContext,
  ): Promise<BundleSummary | undefined>;
  getBundle(
    edge: { readonly tenant: string; readonly edge: string },
    version: number,
    context?: DbContext,
  ): Promise<BundleRecord | undefined>;
  /** Newest first. */
  listBundles(
    edge: { readonly tenant: string; readonly edge: string },
    page: PageRequest,
    context?: DbContext,
  ): Promise<Page<BundleSummary>>;
  /**
   * Keeps what the edge says. Fails `not_found` without that bundle, `conflict` when it says `applied` of another hash than the bundle's.
   * False when it has said something later (by `at`): then nothing changes.
   */
  acknowledge(
    edge: { readonly tenant: string; readonly edge: string },
    acknowledgement: BundleAcknowledgement,
    context?: DbContext,
  ): Promise<boolean>;
  /** Newest version first. */
  listAcknowledgements(
    edge: { readonly tenant: string; readonly edge: string },
    limit: number,
    context?: DbContext,
  ): Promise<readonly BundleAcknowledgement[]>;
  /** Removes bundles that ended before `endedBefore` and are not their edge's newest, with what was said of them; returns how many. */
  sweep(endedBefore: number, limit: number): Promise<number>;
}
