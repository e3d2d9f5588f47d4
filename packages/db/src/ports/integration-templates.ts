import type { AgentRecord } from './agents.ts';
import type { DbContext } from './context.ts';
import type { IntegrationRecord } from './integrations.ts';
import type { TemplateVersionRecord } from './templates.ts';

/** The template version that an integration names. */
export interface IntegrationTemplateBinding {
  readonly tenant: string;
  readonly integrationId: string;
  readonly integration: string;
  /** Absent: it names none. */
  readonly template?: { readonly name: string; readonly version: number };
}

/**
 * What stands behind the name. `not_stored`: no version of that name and number that is in use belongs to the tenant; either it is a
 * built-in one (they are in no store), or calls must be refused.
 */
export type BoundTemplate =
  | { readonly kind: 'none' }
  | { readonly kind: 'stored'; readonly template: TemplateVersionRecord }
  | { readonly kind: 'not_stored'; readonly name: string; readonly version: number };

export interface IntegrationTemplate {
  readonly integration: IntegrationRecord;
  readonly bound: BoundTemplate;
}

/** In the order in which a call would meet them: an agent that is disabled is told first. */
export const EXECUTION_STATUSES = ['executable', 'agent_disabled', 'integration_disabled'] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];

export interface ExecutableIntegration extends IntegrationTemplate {
  readonly agent: AgentRecord;
  readonly executable: boolean;
  readonly executionStatus: ExecutionStatus;
}

/** Part of `IntegrationsPort`. Each read is one statement, so that what it joins was so at one time. */
export interface IntegrationTemplatesPort {
  /**
   * Makes the credential use the secret of that name. Fails `not_found` without the integration or the secret, `invalid` when the
   * credential's type has no secret, `stale` for another version than `ifVersion`. Runs inside a transaction only, in which the caller also
   * stamps the directory.
   */
  bindSecret(
    tenant: string,
    integrationId: string,
    binding: { readonly secret: string; readonly ifVersion?: number },
    context: DbContext,
  ): Promise<IntegrationRecord>;
  getIntegrationTemplateBinding(
    tenant: string,
    integrationId: string,
    context?: DbContext,
  ): Promise<IntegrationTemplateBinding | undefined>;
  /** Disabled or not: a policy is judged for both. */
  getIntegrationTemplateForPolicyEvaluation(
    tenant: string,
    integrationId: string,
    context?: DbContext,
  ): Promise<IntegrationTemplate | undefined>;
  /** undefined: no such integration, or no such agent, in that tenant. */
  getIntegrationTemplateForExecute(
    tenant: string,
    call: { readonly integrationId: string; readonly agentId: string },
    context?: DbContext,
  ): Promise<ExecutableIntegration | undefined>;
}
