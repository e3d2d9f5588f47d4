import {
  type AgentRecord,
  type DbContext,
  type DbRepositories,
  GLOBAL_TENANT,
  type IntegrationRecord,
  type PolicyRuleRecord,
  type SecretRecord,
} from '@postern/db/ports';
import { readAll } from '../paging.ts';

/** What decides a tenant's calls. Disabled rules too. */
export interface PolicyRecords {
  readonly integrations: readonly IntegrationRecord[];
  readonly rules: readonly PolicyRuleRecord[];
  readonly globalRules: readonly PolicyRuleRecord[];
}

/** What is stored for a tenant, and over all tenants, as far as a document speaks of it. */
export interface CurrentState extends PolicyRecords {
  readonly agents: readonly AgentRecord[];
  readonly secrets: readonly SecretRecord[];
}

export async function readCurrentState(
  repositories: DbRepositories,
  tenant: string,
  context: DbContext = {},
): Promise<CurrentState> {
  const { agents, secrets } = repositories;
  return {
    ...(await readPolicyRecords(repositories, tenant, context)),
    agents: await readAll((page) => agents.listByTenant(tenant, page, context)),
    secrets: await readAll((page) => secrets.listByTenant(tenant, page, context)),
  };
}

/** Read within a transaction, so that the policy judged is the policy stored. */
export async function readPolicyRecords(
  { integrations, policyRules }: DbRepositories,
  tenant: string,
  context: DbContext,
): Promise<PolicyRecords> {
  return {
    integrations: await readAll((page) => integrations.listByTenant(tenant, page, context)),
    rules: await readAll((page) => policyRules.listByTenant(tenant, page, context)),
    globalRules: await readAll((page) => policyRules.listByTenant(GLOBAL_TENANT, page, context)),
  };
}
