import type { TenantLimits } from '@postern/schemas';
import type { DbContext } from './context.ts';
import type { IntegrationRecord } from './integrations.ts';
import type { PolicyRuleRecord } from './policy-rules.ts';
import type { PolicySettingsRecord } from './policy-settings.ts';
import type { SecretRecord } from './secrets.ts';
import type { TemplateVersionRecord } from './templates.ts';

/** Everything the data plane holds compiled for one tenant, read in one consistent snapshot. Disabled rules are left out. */
export interface TenantDirectory {
  readonly tenant: string;
  readonly revision: number;
  /** From then on nobody of the tenant is served. */
  readonly disabledAt?: number;
  readonly limits: TenantLimits;
  readonly integrations: readonly IntegrationRecord[];
  readonly rules: readonly PolicyRuleRecord[];
  readonly globalRules: readonly PolicyRuleRecord[];
  readonly settings: PolicySettingsRecord;
  readonly secrets: readonly SecretRecord[];
  /** Those of the tenant's own that an integration names. */
  readonly templates: readonly TemplateVersionRecord[];
}

/**
 * How the data plane learns of changes. Every write of configuration raises the instance's revision and stamps the tenant with
 * it in the same transaction (a global rule stamps all tenants).
 */
export interface DirectoryPort {
  /** Stamps the tenant ('*': every tenant) inside the given transaction; returns the new revision. */
  bump(tenant: string, context: DbContext): Promise<number>;
  /** Tenants stamped after `revision`, with the revision now. One cheap point query; runs beside lists, never behind them. */
  changesSince(revision: number): Promise<{ revision: number; tenants: readonly string[] }>;
  /** undefined: no such tenant. */
  load(tenant: string): Promise<TenantDirectory | undefined>;
}
