import { DEFAULT_RISK, type Risk, riskSchema } from '@postern/schemas';
import type { Kysely } from 'kysely';
import { requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import { fromJsonColumn, toJsonColumn } from '../json-column.ts';
import type { PolicySettingsPort, PolicySettingsRecord } from '../ports/policy-settings.ts';
import type { PolicySettingsRow, Tables } from '../tables.ts';
import { pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

export function createPolicySettings(dbClient: DbClient, { now }: RepositoryOptions): PolicySettingsPort {
  return {
    async getPolicySettings(tenant, context) {
      const row = await selectSettings(pointsOf(dbClient, context, tenant), tenant).executeTakeFirst();
      return toPolicySettings(tenant, row);
    },

    async setRisk(tenant, risk: Risk, context) {
      requireText('policy_settings.tenant', tenant);
      const written = { risk: toJsonColumn(risk), updated_at: now() };
      const inserting = writesOf(dbClient, context, tenant)
        .insertInto('policy_settings')
        .values({ tenant, version: 1, ...written })
        .onConflict((conflict) =>
          conflict.column('tenant').doUpdateSet((expression) => ({
            ...written,
            version: expression('policy_settings.version', '+', 1),
          })),
        )
        .returningAll()
        .executeTakeFirstOrThrow();
      return toPolicySettings(tenant, await withReference('policy_settings.tenant', inserting));
    },
  };
}

export function selectSettings(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('policy_settings').selectAll().where('tenant', '=', tenant);
}

export function toPolicySettings(tenant: string, row: PolicySettingsRow | undefined): PolicySettingsRecord {
  if (row === undefined) return { tenant, risk: DEFAULT_RISK, version: 0 };
  return { tenant, risk: fromJsonColumn('policy_settings.risk', row.risk, riskSchema), version: row.version };
}
