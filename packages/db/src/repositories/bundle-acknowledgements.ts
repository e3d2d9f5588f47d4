import { requireCount, requireOneOf, requireText } from '../check.ts';
import { requireHash, requireIntegerBetween } from '../check-value.ts';
import type { DbClient } from '../client.ts';
import type { BundleAcknowledgementRow } from '../edge-tables.ts';
import { BUNDLE_STATES, type BundleAcknowledgement, type BundlesPort } from '../ports/bundles.ts';
import { DbError } from '../ports/db-error.ts';
import { storedOneOf } from '../stored.ts';
import { inOneTransaction, listsOf } from '../transaction.ts';

const [ERROR_LENGTH_MAX, LIMIT_MAX] = [1_000, 1_000];

export function createBundleAcknowledgements(
  dbClient: DbClient,
): Pick<BundlesPort, 'acknowledge' | 'listAcknowledgements'> {
  return {
    async acknowledge({ tenant, edge }, { version, state, hash, at, error }, context) {
      requireText('bundle_acknowledgements.tenant', tenant);
      requireText('bundle_acknowledgements.edge', edge);
      requireOneOf('bundle_acknowledgements.state', state, BUNDLE_STATES);
      requireHash('bundle_acknowledgements.hash', hash);
      requireCount('bundle_acknowledgements.at', at);
      const said = { state, hash, at, error: error === undefined ? null : shorten(error) };
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const bundle = await kysely
          .selectFrom('bundles')
          .select('content_hash')
          .where('tenant', '=', tenant)
          .where('edge', '=', edge)
          .where('version', '=', version)
          .executeTakeFirst();
        if (bundle === undefined) throw new DbError('not_found', 'no such bundle of that edge');
        if (state === 'applied' && hash !== bundle.content_hash) {
          throw new DbError('conflict', 'bundle_acknowledgements.hash is not the bundle’s');
        }
        const { numInsertedOrUpdatedRows } = await kysely
          .insertInto('bundle_acknowledgements')
          .values({ tenant, edge, version, ...said })
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'edge', 'version'])
              .doUpdateSet(said)
              .where('bundle_acknowledgements.at', '<=', at),
          )
          .executeTakeFirst();
        return numInsertedOrUpdatedRows === 1n;
      });
    },

    async listAcknowledgements({ tenant, edge }, limit, context) {
      requireIntegerBetween('the limit', limit, 1, LIMIT_MAX);
      const rows = await listsOf(dbClient, context, tenant)
        .selectFrom('bundle_acknowledgements')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('edge', '=', edge)
        .orderBy('version', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toAcknowledgement);
    },
  };
}

/** An edge's own words. */
function shorten(error: string): string {
  return error.toWellFormed().replaceAll('\0', '').slice(0, ERROR_LENGTH_MAX).toWellFormed();
}

export function toAcknowledgement(row: BundleAcknowledgementRow): BundleAcknowledgement {
  return {
    version: row.version,
    state: storedOneOf('bundle_acknowledgements.state', row.state, BUNDLE_STATES),
    hash: row.hash,
    at: row.at,
    ...(row.error === null ? {} : { error: row.error }),
  };
}
