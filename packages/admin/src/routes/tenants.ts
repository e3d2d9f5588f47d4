import { nameSchema } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { writeInTenant } from '../tenant-write.ts';
import { tenantView, viewTenant } from '../views.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

const tags = ['tenants'];

export function tenantRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { tenants } = dependencies.repositories;

  scope.get(
    '/tenants',
    {
      config: { permission: 'instance' },
      schema: { tags, summary: 'List tenants', querystring: pageQuery, response: { 200: pageOf(tenantView) } },
    },
    ({ query }) => readPage(() => tenants.list(query), viewTenant),
  );

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
