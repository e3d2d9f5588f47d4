import { type Kysely, sql } from 'kysely';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { DbError } from '../ports/db-error.ts';
import type { DirectoryPort, TenantDirectory } from '../ports/directory.ts';
import { GLOBAL_TENANT } from '../ports/policy-rules.ts';
import type {
  IntegrationRow,
  PolicyRuleRow,
  PolicySettingsRow,
  SecretRow,
  Tables,
  TemplateVersionRow,
  TenantLimitsRow,
} from '../tables.ts';
import { requireScope } from '../transaction.ts';
import { selectIntegrations } from './integrations.ts';
import { selectRules, toPolicyRuleRecord } from './policy-rules.ts';
import { selectSettings, toPolicySettings } from './policy-settings.ts';
import { createIntegrationReader } from './read-integrations.ts';
import { selectSecrets, toSecretRecord } from './secrets.ts';
import { selectActive, toTemplateVersionRecord } from './templates.ts';
import { toTenantLimits } from './tenant-limits.ts';

export function createDirectory(dbClient: DbClient): DirectoryPort {
  const readIntegrations = createIntegrationReader();
  return {
    async bump(tenant, context) {
      const kysely = requireScope(dbClient, context, 'bump').kysely(INSTANCE_SCOPE);
      const { revision } = await kysely
        .updateTable('instance')
        .set((expression) => ({ revision: expression('revision', '+', 1) }))
        .where('id', '=', 1)
        .returning('revision')
        .executeTakeFirstOrThrow();
      let stamping = kysely.updateTable('tenants').set({ revision });
      if (tenant !== GLOBAL_TENANT) stamping = stamping.where('name', '=', tenant);
      const stamped = await stamping.executeTakeFirst();
      if (stamped.numUpdatedRows === 0n) throw new DbError('not_found', 'no such tenant');
      return revision;
    },

    async changesSince(revision) {
      const rows = await dbClient
        .points(INSTANCE_SCOPE)
        .selectFrom('instance')
        .leftJoin('tenants', (join) =>
          join.on('tenants.revision', '>', revision).on('tenants.name', '<>', GLOBAL_TENANT),
        )
        .select(['instance.revision', 'tenants.name'])
        .where('instance.id', '=', 1)
        .execute();
      // Sorted here: for their order an engine would read all tenants instead of the index of revisions.
      const names = rows
        .map((row) => row.name)
        .filter((name) => name !== null)
        .sort();
      return { revision: rows[0]?.revision ?? 0, tenants: names };
    },

    load: (tenant) => load(dbClient, tenant, readIntegrations),
  };
}

/** All in one snapshot: a change that lies between two of these reads would join new rules with an old upstream. */
async function load(
  dbClient: DbClient,
  tenant: string,
  readIntegrations: ReturnType<typeof createIntegrationReader>,
): Promise<TenantDirectory | undefined> {
  const points = dbClient.points(INSTANCE_SCOPE);
  const enabledRules = (owner: string) => selectRules(points, owner).where('disabled_at', 'is', null).orderBy('id');
  const [tenants, instance, integrations, rules, globalRules, settings, secrets, templates] =
    await dbClient.readTogether(INSTANCE_SCOPE, [
      points
        .selectFrom('tenants')
        .leftJoin('tenant_limits', 'tenant_limits.tenant', 'tenants.name')
        .selectAll('tenant_limits')
        .select(['tenants.name', 'tenants.disabled_at'])
        .where('tenants.name', '=', tenant)
        .where('tenants.name', '<>', GLOBAL_TENANT)
        .compile(),
      points.selectFrom('instance').select('revision').where('id', '=', 1).compile(),
      selectIntegrations(points, tenant).orderBy('name').compile(),
      enabledRules(tenant).compile(),
      enabledRules(GLOBAL_TENANT).compile(),
      selectSettings(points, tenant).compile(),
      selectSecrets(points, tenant).orderBy('name').compile(),
      selectNamedTemplates(dbClient, points, tenant).compile(),
    ]);
  const [own] = (tenants?.rows ?? []) as (TenantLimitsRow & Pick<Tables['tenants'], 'disabled_at'>)[];
  if (own === undefined) return undefined;
  const [revision] = (instance?.rows ?? []) as Tables['instance'][];
  return {
    tenant,
    revision: revision?.revision ?? 0,
    limits: toTenantLimits(own),
    ...(own.disabled_at === null ? {} : { disabledAt: own.disabled_at }),
    integrations: await readIntegrations(tenant, (integrations?.rows ?? []) as IntegrationRow[]),
    rules: ((rules?.rows ?? []) as PolicyRuleRow[]).map(toPolicyRuleRecord),
    globalRules: ((globalRules?.rows ?? []) as PolicyRuleRow[]).map(toPolicyRuleRecord),
    settings: toPolicySettings(tenant, (settings?.rows as PolicySettingsRow[] | undefined)?.[0]),
    secrets: ((secrets?.rows ?? []) as SecretRow[]).map(toSecretRecord),
    templates: ((templates?.rows ?? []) as TemplateVersionRow[]).map(toTemplateVersionRecord),
  };
}

/** Versions that no integration names may be many, and decide nothing. */
function selectNamedTemplates({ capabilities }: DbClient, points: Kysely<Tables>, tenant: string) {
  const named = sql.raw<string>(capabilities.jsonMember('integrations.spec', 'template'));
  return selectActive(points, tenant)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('integrations')
          .select('integrations.id')
          .where('integrations.tenant', '=', tenant)
          .where(named, '=', sql<string>`template_versions.name || '@' || template_versions.version`),
      ),
    )
    .orderBy('name')
    .orderBy('version');
}
