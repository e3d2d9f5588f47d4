import type { Integration } from '@postern/schemas';
import type { DbContext, Origin, Page, PageRequest } from './context.ts';
import type { IntegrationTemplatesPort } from './integration-templates.ts';

export type {
  BoundTemplate,
  ExecutableIntegration,
  ExecutionStatus,
  IntegrationTemplate,
  IntegrationTemplateBinding,
  IntegrationTemplatesPort,
} from './integration-templates.ts';

export interface IntegrationRecord {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  /** All members with their defaults filled in. */
  readonly spec: Integration;
  readonly origin: Origin;
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface IntegrationsPort extends IntegrationTemplatesPort {
  create(tenant: string, spec: Integration, origin: Origin, context?: DbContext): Promise<IntegrationRecord>;
  getById(tenant: string, id: string, context?: DbContext): Promise<IntegrationRecord | undefined>;
  getByName(tenant: string, name: string, context?: DbContext): Promise<IntegrationRecord | undefined>;
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<IntegrationRecord>>;
  /** Those of all tenants that have an own address (`listen`), by tenant and name. */
  listListening(context?: DbContext): Promise<readonly IntegrationRecord[]>;
  update(
    tenant: string,
    id: string,
    spec: Integration,
    options: { ifVersion?: number; origin?: Origin },
    context?: DbContext,
  ): Promise<IntegrationRecord>;
  remove(tenant: string, id: string, context?: DbContext): Promise<void>;
}
