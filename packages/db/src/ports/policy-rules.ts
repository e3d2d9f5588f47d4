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

/** What is known of a call. What is absent leaves nothing out. */
export interface DescriptorScope {
  readonly agent?: {
    readonly name: string;
    readonly roles?: readonly string[];
    /** 0 to 4. */
    readonly trust?: number;
    /** null: it has none. */
    readonly environment?: string | null;
  };
  readonly integration?: string;
  /** Every action that the call may be taken for, by any reading of its path; empty: it is none. */
  readonly actions?: readonly string[];
  readonly method?: string;
  /** As in the canonical URL, without port. */
  readonly host?: string;
}

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
  /**
   * The enabled rules of the tenant and the global ones that could match such a call, by tenant and id, in one statement. It may tell more rules
   * than match, never fewer: deciding with these alone decides the same, also for paths that cannot be read.
   */
  listPolicyRulesForDescriptorScope(
    tenant: string,
    scope: DescriptorScope,
    context?: DbContext,
  ): Promise<readonly PolicyRuleRecord[]>;
  /** By id, ascending; disabled ones too. */
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<PolicyRuleRecord>>;
}
