import { hash } from 'node:crypto';
import { base64Schema } from '@postern/schemas';
import type { Kysely } from 'kysely';
import { requireCount, requireOneOf, requireText, withReference } from '../check.ts';
import { requireHash, requireIntegerBetween, requirePlainText, toBoundedJson } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { BundleRow } from '../edge-tables.ts';
import { fromJsonColumn, guardParser } from '../json-column.ts';
import { decodeNumberCursor, rowsToRead, toPage } from '../page.ts';
import type { BundleRecord, BundleSignature, BundleSummary, BundlesPort } from '../ports/bundles.ts';
import { DbError } from '../ports/db-error.ts';
import { MANIFEST_ALGORITHMS } from '../ports/manifest-keys.ts';
import type { Tables } from '../tables.ts';
import { listsOf, pointsOf, requireScope } from '../transaction.ts';
import { createBundleAcknowledgements } from './bundle-acknowledgements.ts';

const LIST = 'bundles';
const SUMMARY = ['tenant', 'edge', 'version', 'content_hash', 'signatures', 'issued_at', 'expires_at'] as const;
const [NAME_LENGTH_MAX, DOCUMENT_LENGTH_MAX, SIGNATURES_MAX, SIGNATURES_BYTES_MAX] = [200, 16_777_216, 10, 16_384];

interface EdgeRef {
  readonly tenant: string;
  readonly edge: string;
}

export function createBundles(dbClient: DbClient): BundlesPort {
  return {
    ...createReads(dbClient),
    ...createBundleAcknowledgements(dbClient),

    async nextVersion(ref, context) {
      return readNextVersion(requireScope(dbClient, context, 'nextVersion of a bundle').kysely(ref.tenant), ref);
    },

    async createBundle(bundle, context) {
      const kysely = requireScope(dbClient, context, 'createBundle').kysely(bundle.tenant);
      const row = toRow(bundle);
      if ((await readNextVersion(kysely, bundle)) !== bundle.version) {
        throw new DbError('stale', 'bundles.version is not the next one');
      }
      await withReference('bundles.tenant', kysely.insertInto('bundles').values(row).execute());
      return toBundle(row);
    },

    async sweep(endedBefore, limit) {
      requireCount('bundles.expires_at', endedBefore);
      const { numDeletedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('bundles')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('tenant', 'edge', 'version'),
            'in',
            selectFrom('bundles as old')
              .select(['old.tenant', 'old.edge', 'old.version'])
              .where('old.expires_at', '<', endedBefore)
              .where(({ exists, selectFrom: selectNewer }) =>
                exists(
                  selectNewer('bundles as newer')
                    .select('newer.version')
                    .whereRef('newer.tenant', '=', 'old.tenant')
                    .whereRef('newer.edge', '=', 'old.edge')
                    .whereRef('newer.version', '>', 'old.version'),
                ),
              )
              .orderBy('old.expires_at')
              .limit(limit)
              .$asTuple('tenant', 'edge', 'version'),
          ),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

type Reads = 'getLatestBundle' | 'getLatestBundleSummary' | 'getBundle' | 'listBundles';

function createReads(dbClient: DbClient): Pick<BundlesPort, Reads> {
  return {
    async getLatestBundle(ref, context) {
      const row = await latest(pointsOf(dbClient, context, ref.tenant), ref)
        .selectAll()
        .executeTakeFirst();
      return row && toBundle(row);
    },

    async getLatestBundleSummary(ref, context) {
      const row = await latest(pointsOf(dbClient, context, ref.tenant), ref)
        .select(SUMMARY)
        .executeTakeFirst();
      return row && toBundleSummary(row);
    },

    async getBundle(ref, version, context) {
      const row = await selectBundles(pointsOf(dbClient, context, ref.tenant), ref)
        .selectAll()
        .where('version', '=', version)
        .executeTakeFirst();
      return row && toBundle(row);
    },

    async listBundles(ref, page, context) {
      const before = decodeNumberCursor(LIST, page.cursor);
      let query = selectBundles(listsOf(dbClient, context, ref.tenant), ref).select(SUMMARY);
      if (before !== undefined) query = query.where('version', '<', before);
      const rows = await query.orderBy('version', 'desc').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toBundleSummary, position: (row) => row.version });
    },
  };
}

function selectBundles(kysely: Kysely<Tables>, { tenant, edge }: EdgeRef) {
  return kysely.selectFrom('bundles').where('tenant', '=', tenant).where('edge', '=', edge);
}

function latest(kysely: Kysely<Tables>, ref: EdgeRef) {
  return selectBundles(kysely, ref).orderBy('version', 'desc').limit(1);
}

async function readNextVersion(kysely: Kysely<Tables>, ref: EdgeRef): Promise<number> {
  const newest = await latest(kysely, ref).select('version').executeTakeFirst();
  return (newest?.version ?? 0) + 1;
}

function toRow(bundle: Omit<BundleRecord, 'contentHash'>): BundleRow {
  requireText('bundles.tenant', bundle.tenant);
  requirePlainText('bundles.edge', bundle.edge, NAME_LENGTH_MAX);
  requirePlainText('bundles.document', bundle.document, DOCUMENT_LENGTH_MAX);
  requireCount('bundles.issued_at', bundle.issuedAt);
  requireIntegerBetween('bundles.expires_at', bundle.expiresAt, bundle.issuedAt + 1, Number.MAX_SAFE_INTEGER);
  requireIntegerBetween('bundles.signatures: their number', bundle.signatures.length, 1, SIGNATURES_MAX);
  for (const signature of bundle.signatures) requireSignature(signature);
  const signatures = bundle.signatures.map(({ keyId, algorithm, signature }) => ({ keyId, algorithm, signature }));
  return {
    tenant: bundle.tenant,
    edge: bundle.edge,
    version: bundle.version,
    document: bundle.document,
    content_hash: hash('sha256', bundle.document, 'hex'),
    signatures: toBoundedJson('bundles.signatures', signatures, SIGNATURES_BYTES_MAX),
    issued_at: bundle.issuedAt,
    expires_at: bundle.expiresAt,
  };
}

function requireSignature({ keyId, algorithm, signature }: BundleSignature): void {
  requirePlainText('bundles.signatures keyId', keyId, NAME_LENGTH_MAX);
  requireOneOf('bundles.signatures algorithm', algorithm, MANIFEST_ALGORITHMS);
  requireText('bundles.signatures signature', signature);
  if (!base64Schema.safeParse(signature).success) {
    throw new DbError('invalid', 'bundles.signatures signature must be base64');
  }
}

export function toBundle(row: BundleRow): BundleRecord {
  // What was changed behind the store's back is not what was signed.
  if (hash('sha256', row.document, 'hex') !== row.content_hash) {
    throw new DbError('invalid', 'bundles.document is not what bundles.content_hash is of');
  }
  return { ...toBundleSummary(row), document: row.document };
}

function toBundleSummary(row: Pick<BundleRow, (typeof SUMMARY)[number]>): BundleSummary {
  requireHash('bundles.content_hash', row.content_hash);
  return {
    tenant: row.tenant,
    edge: row.edge,
    version: row.version,
    contentHash: row.content_hash,
    signatures: fromJsonColumn('bundles.signatures', row.signatures, signaturesParser),
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
  };
}

/** Without any, nobody has signed it. */
const signaturesParser = guardParser(
  (value): value is readonly BundleSignature[] => Array.isArray(value) && value.length > 0 && value.every(isSignature),
);

function isSignature(value: unknown): value is BundleSignature {
  if (typeof value !== 'object' || value === null) return false;
  const { keyId, algorithm, signature } = value as Record<string, unknown>;
  const isKnown = (MANIFEST_ALGORITHMS as readonly unknown[]).includes(algorithm);
  return isKnown && typeof keyId === 'string' && typeof signature === 'string';
}
