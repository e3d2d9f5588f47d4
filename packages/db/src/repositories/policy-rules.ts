import { type Rule, ruleSchema } from '@postern/schemas';
import type { Kysely } from 'kysely';
import { requireCount, requireOrigin, requireText, withReference } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { fromJsonColumn, toJsonColumn } from '../json-column.ts';
import { decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import { GLOBAL_TENANT, type PolicyRuleRecord, type PolicyRulesPort } from '../ports/policy-rules.ts';
import type { PolicyRuleRow, Tables } from '../tables.ts';
import { listsOf, pointsOf, writesOf } from '../transaction.ts';
import { rulesInScope } from './descriptor-scope.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'policy_rules';

export function createPolicyRules(dbClient: DbClient, options: RepositoryOptions): PolicyRulesPort {
  return { ...createRuleRows(dbClient, options), ...createScopedList(dbClient) };
}

function createScopedList(dbClient: DbClient): Pick<PolicyRulesPort, 'listPolicyRulesForDescriptorScope'> {
  return {
    async listPolicyRulesForDescriptorScope(tenant, scope, context) {
      requireText('policy_rules.tenant', tenant);
      // The global ones are no tenant's, so that it is the instance that is asked.
      const rows = await pointsOf(dbClient, context, INSTANCE_SCOPE)
        .selectFrom('policy_rules')
        .selectAll()
        .where('tenant', 'in', [tenant, GLOBAL_TENANT])
        .where('disabled_at', 'is', null)
        .orderBy('tenant')
        .orderBy('id')
        .execute();
      return rulesInScope(rows.map(toPolicyRuleRecord), scope);
    },
  };
}

type RuleRowsPort = Omit<PolicyRulesPort, 'listPolicyRulesForDescriptorScope'>;

function createRuleRows(dbClient: DbClient, { now }: RepositoryOptions): RuleRowsPort {
  return {
    async createPolicyRule(tenant, spec, origin, context) {
      requireText('policy_rules.tenant', tenant);
      requireText('policy_rules.id', spec.id);
      requireOrigin('policy_rules.origin', origin);
      const at = now();
      const row: PolicyRuleRow = {
        tenant,
        id: spec.id,
        spec: toJsonColumn(spec),
        origin,
        version: 1,
        created_at: at,
        updated_at: at,
        disabled_at: disabledAt(spec, at),
      };
      const inserting = writesOf(dbClient, context, tenant).insertInto('policy_rules').values(row).execute();
      await withReference('policy_rules.tenant', inserting);
      return toPolicyRuleRecord(row);
    },

    async getPolicyRuleById(tenant, id, context) {
      const row = await selectRules(pointsOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toPolicyRuleRecord(row);
    },

    async updatePolicyRule(tenant, spec, { ifVersion, origin }, context) {
      if (origin !== undefined) requireOrigin('policy_rules.origin', origin);
      const at = now();
      let query = writesOf(dbClient, context, tenant)
        .updateTable('policy_rules')
        .set((expression) => ({
          spec: toJsonColumn(spec),
          ...(origin === undefined ? {} : { origin }),
          version: expression('version', '+', 1),
          updated_at: at,
          disabled_at: disabledAt(spec, at),
        }))
        .where('tenant', '=', tenant)
        .where('id', '=', spec.id);
      if (ifVersion !== undefined) query = query.where('version', '=', ifVersion);
      const row = await query.returningAll().executeTakeFirst();
      if (row !== undefined) return toPolicyRuleRecord(row);
      const current = await selectRules(writesOf(dbClient, context, tenant), tenant)
        .where('id', '=', spec.id)
        .executeTakeFirst();
      if (current === undefined) throw new DbError('not_found', 'no such rule in that tenant');
      throw new DbError('stale', 'policy_rules.version has changed');
    },

    async disablePolicyRule(tenant, id, at, context) {
      requireCount('policy_rules.disabled_at', at);
      const result = await writesOf(dbClient, context, tenant)
        .updateTable('policy_rules')
        .set((expression) => ({ disabled_at: at, updated_at: at, version: expression('version', '+', 1) }))
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('disabled_at', 'is', null)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },

    async listByTenant(tenant, page, context) {
      const after = decodeTextCursor(LIST, page.cursor);
      let query = selectRules(listsOf(dbClient, context, tenant), tenant);
      if (after !== undefined) query = query.where('id', '>', after);
      const rows = await query.orderBy('id').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, { item: toPolicyRuleRecord, position: (row) => row.id });
    },
  };
}

export function selectRules(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('policy_rules').selectAll().where('tenant', '=', tenant);
}

/** A rule that says of itself that it is disabled is stored so. */
function disabledAt(spec: Rule, at: number): number | null {
  return spec.disabled === true ? at : null;
}

export function toPolicyRuleRecord(row: PolicyRuleRow): PolicyRuleRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    spec: fromJsonColumn('policy_rules.spec', row.spec, ruleSchema),
    origin: row.origin,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...(row.disabled_at === null ? {} : { disabledAt: row.disabled_at }),
  };
}
