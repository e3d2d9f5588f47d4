import type { Risk } from '@postern/schemas';
import type { DbContext } from './context.ts';

/** What of a tenant's policy is no rule. */
export interface PolicySettingsRecord {
  readonly tenant: string;
  readonly risk: Risk;
  /** 0: never written; the defaults count. */
  readonly version: number;
}

export interface PolicySettingsPort {
  /** Of a tenant that never said anything: the defaults. */
  getPolicySettings(tenant: string, context?: DbContext): Promise<PolicySettingsRecord>;
  setRisk(tenant: string, risk: Risk, context?: DbContext): Promise<PolicySettingsRecord>;
}
