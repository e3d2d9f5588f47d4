import type { TenantLimits } from '@postern/schemas';
import type { ApiPage, PageQuery } from './api-objects.ts';
import { allPages, type EditOptions, readJson, type Tagged, writeJson } from './collections.ts';
import type { Send } from './send.ts';

export interface ApiTenant {
  readonly name: string;
  /** Nobody of it is served; nothing of it is removed. */
  readonly disabled: boolean;
  readonly createdAt: string;
  readonly disabledAt?: string;
}

/** The limits of a tenant, each that is absent bounds nothing; and how much there is of what is stored. */
export interface ApiTenantLimits {
  readonly tenant: string;
  readonly limits: TenantLimits;
  readonly usage: Readonly<Record<string, number>>;
  readonly updatedAt?: string;
}

export function tenantCalls(send: Send) {
  const list = (query: PageQuery = {}) =>
    readJson<ApiPage<ApiTenant>>(send, { path: '/v1/tenants', query: { ...query } });
  const one = (name: string) => `/v1/tenants/${encodeURIComponent(name)}`;
  const edit = (name: string, disabled: boolean) =>
    writeJson<ApiTenant>(send, 'PATCH', one(name), { body: { disabled } });
  return {
    list,
    all: () => allPages(list),
    get: (name: string) => readJson<ApiTenant>(send, { path: one(name) }),
    create: (name: string) => writeJson<ApiTenant>(send, 'POST', '/v1/tenants', { body: { name } }),
    disable: (name: string) => edit(name, true),
    enable: (name: string) => edit(name, false),
    async getLimits(name: string): Promise<Tagged<ApiTenantLimits>> {
      const response = await send({ method: 'GET', path: `${one(name)}/limits` });
      return { value: limitsOf(await response.json()), etag: response.headers.get('etag') ?? undefined };
    },
    /** Replaces all of them. */
    async setLimits(name: string, limits: TenantLimits, { ifMatch }: EditOptions = {}): Promise<ApiTenantLimits> {
      return limitsOf(await writeJson(send, 'PUT', `${one(name)}/limits`, { body: limits, ifMatch }));
    },
  };
}

/** The control plane answers the limits beside what it tells of them, so that an answer can be sent back. */
function limitsOf(answer: unknown): ApiTenantLimits {
  const { tenant, usage, updatedAt, ...limits } = answer as Omit<ApiTenantLimits, 'limits'> & TenantLimits;
  return { tenant, limits, usage, ...(updatedAt === undefined ? {} : { updatedAt }) };
}
