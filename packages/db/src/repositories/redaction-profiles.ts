import { requireCount, requireOneOf, requireText, withReference } from '../check.ts';
import { requireIntegerBetween, requirePlainText, requireUnique, toBoundedJson } from '../check-value.ts';
import type { DbClient } from '../client.ts';
import { fromJsonColumn } from '../json-column.ts';
import type { RedactionProfileRow } from '../key-tables.ts';
import { DbError } from '../ports/db-error.ts';
import {
  REDACTION_ACTIONS,
  REDACTION_BOUNDS,
  type RedactionProfile,
  type RedactionProfileRecord,
  type RedactionProfilesPort,
} from '../ports/redaction-profiles.ts';
import { inOneTransaction, pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const [NAME_LENGTH_MAX, FIELD_LENGTH_MAX, FIELDS_MAX, BYTES_MAX] = [200, 256, 500, 65_536];

export function createRedactionProfiles(dbClient: DbClient, { now }: RepositoryOptions): RedactionProfilesPort {
  return {
    async getRedactionProfile(tenant, context) {
      const row = await pointsOf(dbClient, context, tenant)
        .selectFrom('redaction_profiles')
        .selectAll()
        .where('tenant', '=', tenant)
        .executeTakeFirst();
      return row && toRedactionProfile(row);
    },

    async setRedactionProfile(tenant, profile, { updatedBy, ifVersion }, context) {
      requireText('redaction_profiles.tenant', tenant);
      requirePlainText('redaction_profiles.updated_by', updatedBy, NAME_LENGTH_MAX);
      if (ifVersion !== undefined) requireCount('redaction_profiles.version', ifVersion);
      requireProfile(profile);
      const text = toBoundedJson('redaction_profiles.profile', membersOf(profile), BYTES_MAX);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const current = await kysely
          .selectFrom('redaction_profiles')
          .select('version')
          .where('tenant', '=', tenant)
          .executeTakeFirst();
        const version = current?.version ?? 0;
        if (ifVersion !== undefined && ifVersion !== version) throw changed();
        const values = { profile: text, version: version + 1, updated_by: updatedBy, updated_at: now() };
        const writing = kysely
          .insertInto('redaction_profiles')
          .values({ tenant, ...values })
          .onConflict((conflict) =>
            conflict.column('tenant').doUpdateSet(values).where('redaction_profiles.version', '=', version),
          )
          .returningAll()
          .executeTakeFirst();
        const row = await withReference('redaction_profiles.tenant', writing);
        if (row === undefined) throw changed();
        return toRedactionProfile(row);
      });
    },

    async removeRedactionProfile(tenant, context) {
      const { numDeletedRows } = await writesOf(dbClient, context, tenant)
        .deleteFrom('redaction_profiles')
        .where('tenant', '=', tenant)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },
  };
}

function changed(): DbError {
  return new DbError('stale', 'redaction_profiles.version has changed');
}

function membersOf({ fields, fallback, depthMax, itemsMax, charactersMax }: RedactionProfile): RedactionProfile {
  const known = fields.map(({ field, action }) => ({ field, action }));
  return { fields: known, fallback, depthMax, itemsMax, charactersMax };
}

function requireProfile({ fields, fallback, ...bounds }: RedactionProfile): void {
  const column = 'redaction_profiles.profile';
  requireOneOf(column, fallback, REDACTION_ACTIONS);
  if (fields.length > FIELDS_MAX) throw new DbError('invalid', `${column} must have at most ${FIELDS_MAX} fields`);
  requireUnique(
    column,
    fields.map(({ field }) => field),
  );
  for (const { field, action } of fields) {
    requirePlainText(column, field, FIELD_LENGTH_MAX);
    requireOneOf(column, action, REDACTION_ACTIONS);
  }
  for (const name of ['depthMax', 'itemsMax', 'charactersMax'] as const) {
    requireIntegerBetween(`${column} ${name}`, bounds[name], 1, REDACTION_BOUNDS[name]);
  }
}

/** What a writer of ours would refuse is refused here, too: a bound that is gone must not show more. */
const profileParser = {
  safeParse(value: unknown): { success: true; data: RedactionProfile } | { success: false } {
    try {
      const data = membersOf(value as RedactionProfile);
      requireProfile(data);
      return { success: true, data };
    } catch {
      return { success: false };
    }
  },
};

export function toRedactionProfile(row: RedactionProfileRow): RedactionProfileRecord {
  return {
    tenant: row.tenant,
    profile: fromJsonColumn('redaction_profiles.profile', row.profile, profileParser),
    version: row.version,
    updatedBy: row.updated_by,
    updatedAt: row.updated_at,
  };
}
