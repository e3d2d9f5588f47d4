export { type DescriptorScope, GLOBAL_TENANT, type PolicyRuleRecord, type PolicyRulesPort } from './policy-rules.ts';
export type { PolicySettingsPort, PolicySettingsRecord } from './policy-settings.ts';
export {
  POLICY_VERSION_STATUSES,
  type PolicyVersionRecord,
  type PolicyVersionRef,
  type PolicyVersionStatus,
  type PolicyVersionSummary,
  type PolicyVersionsPort,
} from './policy-versions.ts';
