import { sql } from 'kysely';
import type { DbClient } from '../client.ts';
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
} from '../tables.ts';
import { requireScope } from '../transaction.ts';
import { selectIntegrations, toIntegrationRecord } from './integrations.ts';
import { selectRules, toPolicyRuleRecord } from './policy-rules.ts';
import { selectSettings, toPolicySettings } from './policy-settings.ts';
import { selectSecrets, toSecretRecord } from './secrets.ts';
import { selectActive, toTemplateVersionRecord } from './templates.ts';

export function createDirectory(dbClient: DbClient): DirectoryPort {
  return {
    async bump(tenant, context) {
      const { kysely } = requireScope(dbClient, context, 'bump');
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
      const rows = await dbClient.points
        .selectFrom('instance')
        .leftJoin('tenants', (join) =>
          join.on('tenants.revision', '>', revision).on('tenants.name', '<>', GLOBAL_TENANT),
        )
        .select(['instance.revision', 'tenants.name'])
        .where('instance.id', '=', 1)
        .orderBy('tenants.name')
        .execute();
      const names = rows.map((row) => row.name).filter((name) => name !== null);
      return { revision: rows[0]?.revision ?? 0, tenants: names };
    },

    load: (tenant) => load(dbClient, tenant),
  };
}

/** All in one snapshot: a change that lies between two of these reads would join new rules with an old upstream. */
async function load(dbClient: DbClient, tenant: string): Promise<TenantDirectory | undefined> {
  const { points } = dbClient;
  const enabledRules = (owner: string) => selectRules(points, owner).where('disabled_at', 'is', null).orderBy('id');
  const [tenants, instance, integrations, rules, globalRules, settings, secrets, templates] =
    await dbClient.readTogether([
      points
        .selectFrom('tenants')
        .select('name')
        .where('name', '=', tenant)
        .where('name', '<>', GLOBAL_TENANT)
        .compile(),
      points.selectFrom('instance').select('revision').where('id', '=', 1).compile(),
      selectIntegrations(points, tenant).orderBy('name').compile(),
      enabledRules(tenant).compile(),
      enabledRules(GLOBAL_TENANT).compile(),
      selectSettings(points, tenant).compile(),
      selectSecrets(points, tenant).orderBy('name').compile(),
      selectNamedTemplates(dbClient, tenant).compile(),
    ]);
  if (tenants?.rows.length !== 1) return undefined;
  const [revision] = (instance?.rows ?? []) as Tables['instance'][];
  return {
    tenant,
    revision: revision?.revision ?? 0,
    integrations: ((integrations?.rows ?? []) as IntegrationRow[]).map(toIntegrationRecord),
    rules: ((rules?.rows ?? []) as PolicyRuleRow[]).map(toPolicyRuleRecord),
    globalRules: ((globalRules?.rows ?? []) as PolicyRuleRow[]).map(toPolicyRuleRecord),
    settings: toPolicySettings(tenant, (settings?.rows as PolicySettingsRow[] | undefined)?.[0]),
    secrets: ((secrets?.rows ?? []) as SecretRow[]).map(toSecretRecord),
    templates: ((templates?.rows ?? []) as TemplateVersionRow[]).map(toTemplateVersionRecord),
  };
}

/** Versions that no integration names may be many, and decide nothing. */
function selectNamedTemplates({ points, capabilities }: DbClient, tenant: string) {
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
