import type { DbContext, Page, PageRequest } from './context.ts';

/** The tenant's name is its identity in every key and query. */
export interface TenantRecord {
  readonly name: string;
  readonly createdAt: number;
  /** From then on nobody of the tenant is served; nothing of it is removed. */
  readonly disabledAt?: number;
}

export interface TenantsPort {
  /** Fails `conflict` when the name is taken. */
  create(name: string, context?: DbContext): Promise<TenantRecord>;
  /** A tenant's id is its name: the same as `getByName`. */
  getById(id: string, context?: DbContext): Promise<TenantRecord | undefined>;
  getByName(name: string, context?: DbContext): Promise<TenantRecord | undefined>;
  list(page: PageRequest, context?: DbContext): Promise<Page<TenantRecord>>;
  /** Disables it from `at` on, one that is disabled as it was; `undefined` enables it. Fails `not_found`. */
  setDisabled(name: string, at: number | undefined, context?: DbContext): Promise<TenantRecord>;
}
