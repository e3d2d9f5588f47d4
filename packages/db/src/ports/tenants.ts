import type { DbContext, Page, PageRequest } from './context.ts';

/** The tenant's name is its identity in every key and query. */
export interface TenantRecord {
  readonly name: string;
  readonly createdAt: number;
}

export interface TenantsPort {
  /** Fails `conflict` when the name is taken. */
  create(name: string, context?: DbContext): Promise<TenantRecord>;
  getByName(name: string, context?: DbContext): Promise<TenantRecord | undefined>;
  list(page: PageRequest, context?: DbContext): Promise<Page<TenantRecord>>;
}
