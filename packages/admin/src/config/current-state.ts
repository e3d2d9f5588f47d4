import {
  type AgentRecord,
  type DbContext,
  type DbRepositories,
  GLOBAL_TENANT,
  type IntegrationRecord,
  type NotificationEndpointRecord,
  type PolicyRuleRecord,
  type SecretRecord,
  type TemplateVersionRecord,
} from '@postern/db/ports';
import type { Risk } from '@postern/schemas';
import type { FindTemplate } from '@postern/templates';
import { readAll } from '../paging.ts';
import { readTemplates } from '../templates/read-templates.ts';

/** What decides a tenant's calls. Disabled rules too. */
export interface PolicyRecords {
  readonly integrations: readonly IntegrationRecord[];
  readonly rules: readonly PolicyRuleRecord[];
  readonly globalRules: readonly PolicyRuleRecord[];
  readonly risk: Risk;
  /** Finds what the integrations name. */
  readonly findTemplate: FindTemplate;
}

/** What is stored for a tenant, and over all tenants, as far as a document speaks of it. */
export interface CurrentState extends PolicyRecords {
  readonly agents: readonly AgentRecord[];
  readonly secrets: readonly SecretRecord[];
  /** All own ones that are in use. */
  readonly templates: readonly TemplateVersionRecord[];
  readonly notifications: readonly NotificationEndpointRecord[];
}

export async function readCurrentState(
  repositories: DbRepositories,
  tenant: string,
  context: DbContext = {},
): Promise<CurrentState> {
  const { agents, secrets, templates, notificationEndpoints } = repositories;
  return {
    ...(await readPolicyRecords(repositories, tenant, context)),
    agents: await readAll((page) => agents.listByTenant(tenant, page, context)),
    secrets: await readAll((page) => secrets.listByTenant(tenant, page, context)),
    templates: await readAll((page) => templates.listByTenant(tenant, page, context)),
    notifications: await notificationEndpoints.listByTenant(tenant, context),
  };
}

/** Read within a transaction, so that the policy judged is the policy stored. */
export async function readPolicyRecords(
  { integrations, policyRules, policySettings, templates }: DbRepositories,
  tenant: string,
  context: DbContext,
): Promise<PolicyRecords> {
  const records = await readAll((page) => integrations.listByTenant(tenant, page, context));
  const references = records.map(({ spec }) => spec.template);
  return {
    integrations: records,
    findTemplate: await readTemplates({ templates }, tenant, references, context),
    rules: await readAll((page) => policyRules.listByTenant(tenant, page, context)),
    globalRules: await readAll((page) => policyRules.listByTenant(GLOBAL_TENANT, page, context)),
    risk: (await policySettings.getPolicySettings(tenant, context)).risk,
  };
}
