import type { Rule } from '@postern/schemas';
import type { DbContext, Origin, Page, PageRequest } from './context.ts';

/** `tenant` '*' holds the global rules of the instance. A rule is disabled, not deleted, on the control plane. */
export interface PolicyRuleRecord {
  readonly tenant: string;
  readonly id: string;
  readonly spec: Rule;
  readonly origin: Origin;
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly disabledAt?: number;
}

export const GLOBAL_TENANT = '*';

export interface PolicyRulesPort {
  /** Fails `conflict` when the tenant has that rule id, disabled or not. */
  createPolicyRule(tenant: string, spec: Rule, origin: Origin, context?: DbContext): Promise<PolicyRuleRecord>;
  getPolicyRuleById(tenant: string, id: string, context?: DbContext): Promise<PolicyRuleRecord | undefined>;
  /** Replaces the rule and enables it again. */
  updatePolicyRule(
    tenant: string,
    spec: Rule,
    options: { ifVersion?: number; origin?: Origin },
    context?: DbContext,
  ): Promise<PolicyRuleRecord>;
  disablePolicyRule(tenant: string, id: string, at: number, context?: DbContext): Promise<boolean>;
  /** By id, ascending; disabled ones too. */
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<PolicyRuleRecord>>;
}
