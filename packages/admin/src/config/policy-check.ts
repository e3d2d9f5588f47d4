import { type DbContext, type DbRepositories, GLOBAL_TENANT } from '@postern/db/ports';
import { compilePolicy, PolicyError, type PolicyIssue } from '@postern/policy';
import type { Integration, Rule } from '@postern/schemas';
import { readAll } from '../paging.ts';

/** What decides a tenant's calls: rules in force, global rules in force, the integrations they speak of. */
export interface PolicyState {
  readonly integrations: readonly Integration[];
  readonly rules: readonly Rule[];
  readonly globalRules: readonly Rule[];
}

/** Reads within the transaction, so that the policy judged is the policy stored. */
export async function readPolicyState(
  repositories: DbRepositories,
  tenant: string,
  context: DbContext,
): Promise<PolicyState> {
  const { integrations, policyRules } = repositories;
  const records = await readAll((page) => integrations.listByTenant(tenant, page, context));
  const inForce = async (owner: string) => {
    const rules = await readAll((page) => policyRules.listByTenant(owner, page, context));
    return rules.filter(({ disabledAt }) => disabledAt === undefined).map(({ spec }) => spec);
  };
  return {
    integrations: records.map(({ spec }) => spec),
    rules: await inForce(tenant),
    globalRules: await inForce(GLOBAL_TENANT),
  };
}

/**
 * The version of the policy, computed as the data plane does, or the faults for which it could not be compiled. `agents`, where given,
 * has references checked too.
 */
export function judgePolicy(
  state: PolicyState,
  agents?: readonly { readonly name: string }[],
): { readonly version: string | undefined; readonly issues: readonly PolicyIssue[] } {
  const { integrations, rules, globalRules } = state;
  const bundle = { integrations, rules, global: { rules: globalRules } };
  try {
    const { version } = compilePolicy(bundle, { checkReferences: false });
    if (agents !== undefined) compilePolicy({ ...bundle, agents });
    return { version, issues: [] };
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    return { version: undefined, issues: cause.issues };
  }
}
