import type { DbContext, TenantRecord } from '@postern/db/ports';
import { nameSchema, Rejection } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { checkIfMatch, sendTagged } from '../entity-tag.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { writeInTenant } from '../tenant-write.ts';
import { tenantView, viewTenant } from '../views.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

const tags = ['tenants'];

/** The path of a tenant, which has no id beside its name. */
export const tenantParams = z.object({ name: z.string().min(1).max(64) });

export function tenantRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { tenants } = dependencies.repositories;

  readRoutes(scope, dependencies);
  editRoutes(scope, dependencies);

  scope.post(
    '/tenants',
    {
      config: { permission: 'instance' },
      schema: {
        tags,
        summary: 'Create a tenant',
        body: z.strictObject({ name: nameSchema }),
        response: { 201: tenantView },
      },
    },
    async (request, reply) => {
      const { name } = request.body;
      // The first entry of the new tenant's own log tells who made it.
      const tenant = await writeInTenant(dependencies, { ...originOf(request), tenant: name }, async (write) => {
        const created = await tenants.create(name, write.context);
        await write.record('admin.created', `tenant:${name}`);
        return created;
      });
      return reply.code(201).send(viewTenant(tenant));
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { tenants } = dependencies.repositories;

  scope.get(
    '/tenants',
    {
      config: { permission: 'instance' },
      schema: { tags, summary: 'List tenants', querystring: pageQuery, response: { 200: pageOf(tenantView) } },
    },
    ({ query }) => readPage(() => tenants.list(query), viewTenant),
  );

  scope.get(
    '/tenants/:name',
    {
      config: { permission: 'instance' },
      schema: { tags, summary: 'One tenant', params: tenantParams, response: { 200: tenantView } },
    },
    async ({ params }, reply) => {
      const tenant = await findTenant(dependencies, params.name);
      return sendTagged(reply, tagOf(tenant), viewTenant(tenant));
    },
  );
}

function editRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { tenants } = dependencies.repositories;

  scope.patch(
    '/tenants/:name',
    {
      config: { permission: 'instance' },
      schema: {
        tags,
        summary:
          'Disable a tenant, or enable it again: its calls and its administrators are refused within 2 s, and nothing of it is removed',
        params: tenantParams,
        body: z.strictObject({ disabled: z.boolean() }),
        response: { 200: tenantView },
      },
    },
    async (request, reply) => {
      const { disabled } = request.body;
      const { name } = request.params;
      const tenant = await writeInTenant(dependencies, { ...originOf(request), tenant: name }, async (write) => {
        const current = await findTenant(dependencies, name, write.context);
        checkIfMatch(request, tagOf(current));
        if ((current.disabledAt !== undefined) === disabled) return current;
        const at = disabled ? dependencies.now() : undefined;
        const changed = await tenants.setDisabled(name, at, write.context);
        await write.record('admin.updated', `tenant:${name}`);
        return changed;
      });
      return sendTagged(reply, tagOf(tenant), viewTenant(tenant));
    },
  );
}

export async function findTenant(
  { repositories }: Pick<AdminDependencies, 'repositories'>,
  name: string,
  context: DbContext = {},
): Promise<TenantRecord> {
  const tenant = await repositories.tenants.getByName(name, context);
  if (tenant === undefined) throw new Rejection('not_found', 'There is no such tenant.');
  return tenant;
}

/** There is one thing about a tenant that can be changed. */
function tagOf({ disabledAt }: TenantRecord): string {
  return disabledAt === undefined ? 'enabled' : `disabled-${disabledAt}`;
}
