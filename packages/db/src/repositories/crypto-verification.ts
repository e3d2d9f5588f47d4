import { requireCount, requireText, withReference } from '../check.ts';
import { requireIntegerBetween } from '../check-value.ts';
import type { DbClient } from '../client.ts';
import type { CryptoVerificationRow } from '../key-tables.ts';
import {
  CLOCK_SKEW_SECONDS_MAX,
  type CryptoVerificationDefaults,
  type CryptoVerificationPort,
} from '../ports/crypto-verification.ts';
import { DbError } from '../ports/db-error.ts';
import { impossibleRow } from '../stored.ts';
import { inOneTransaction, pointsOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const STRICT = { requireTemporalValidity: true, maxClockSkewSeconds: 0, version: 0 } as const;

export function createCryptoVerification(dbClient: DbClient, { now }: RepositoryOptions): CryptoVerificationPort {
  return {
    async getCryptoVerificationDefaults(tenant, context) {
      const row = await pointsOf(dbClient, context, tenant)
        .selectFrom('crypto_verification_defaults')
        .selectAll()
        .where('tenant', '=', tenant)
        .executeTakeFirst();
      return row === undefined ? { tenant, ...STRICT } : toVerificationDefaults(row);
    },

    async setCryptoVerificationDefaults(tenant, { requireTemporalValidity, maxClockSkewSeconds, ifVersion }, context) {
      requireText('crypto_verification_defaults.tenant', tenant);
      if (typeof requireTemporalValidity !== 'boolean') {
        throw new DbError('invalid', 'crypto_verification_defaults.require_temporal_validity must be true or false');
      }
      const skew = 'crypto_verification_defaults.max_clock_skew_seconds';
      requireIntegerBetween(skew, maxClockSkewSeconds, 0, CLOCK_SKEW_SECONDS_MAX);
      if (ifVersion !== undefined) requireCount('crypto_verification_defaults.version', ifVersion);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const current = await kysely
          .selectFrom('crypto_verification_defaults')
          .select('version')
          .where('tenant', '=', tenant)
          .executeTakeFirst();
        const version = current?.version ?? 0;
        if (ifVersion !== undefined && ifVersion !== version) throw changed();
        const values = {
          require_temporal_validity: requireTemporalValidity ? 1 : 0,
          max_clock_skew_seconds: maxClockSkewSeconds,
          version: version + 1,
          updated_at: now(),
        };
        const writing = kysely
          .insertInto('crypto_verification_defaults')
          .values({ tenant, ...values })
          .onConflict((conflict) =>
            conflict.column('tenant').doUpdateSet(values).where('crypto_verification_defaults.version', '=', version),
          )
          .returningAll()
          .executeTakeFirst();
        const row = await withReference('crypto_verification_defaults.tenant', writing);
        if (row === undefined) throw changed();
        return toVerificationDefaults(row);
      });
    },
  };
}

function changed(): DbError {
  return new DbError('stale', 'crypto_verification_defaults.version has changed');
}

/** A bound that is no bound any more must not make verification looser. */
export function toVerificationDefaults(row: CryptoVerificationRow): CryptoVerificationDefaults {
  const { max_clock_skew_seconds: skew, require_temporal_validity: temporal } = row;
  if (!Number.isSafeInteger(skew) || skew < 0 || skew > CLOCK_SKEW_SECONDS_MAX) {
    throw impossibleRow('crypto_verification_defaults.max_clock_skew_seconds', 'is out of its bounds');
  }
  if (temporal !== 0 && temporal !== 1) {
    throw impossibleRow('crypto_verification_defaults.require_temporal_validity', 'is no flag');
  }
  return {
    tenant: row.tenant,
    requireTemporalValidity: temporal === 1,
    maxClockSkewSeconds: skew,
    version: row.version,
    updatedAt: row.updated_at,
  };
}
