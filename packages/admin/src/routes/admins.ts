import { generateAdminToken, keyDigest } from '@postern/auth';
import { ADMIN_ROLES } from '@postern/db/ports';
import { nameSchema, Rejection, uniqueList } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { writeInTenant } from '../tenant-write.ts';
import { invalid } from '../validator.ts';
import { adminView, viewAdmin } from '../views.ts';
import { type AdminScope, idParams, isoTimeSchema, noContent, originOf } from './admin-scope.ts';
import { readExpiry } from './agent-keys.ts';

const tags = ['admins'];
const newAdminBody = z.strictObject({
  name: nameSchema.describe('Unique over the whole instance'),
  role: z.enum(ADMIN_ROLES),
  tenant: nameSchema.optional().describe("Default: the request's tenant; an owner has none"),
  groups: uniqueList(nameSchema).default([]),
  expiresAt: isoTimeSchema.optional(),
});
const newAdminView = adminView.extend({ token: z.string().describe('Shown this once') });

export function adminRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { admins, tenants } = dependencies.repositories;

  scope.get(
    '/admins',
    {
      config: { permission: 'instance' },
      schema: {
        tags,
        summary: 'List administrators of all tenants',
        querystring: pageQuery.extend({ tenant: nameSchema.optional().describe('Of this tenant alone') }),
        response: { 200: pageOf(adminView) },
      },
    },
    ({ query: { tenant, ...page } }) => readPage(() => admins.list(tenant, page), viewAdmin),
  );

  scope.get(
    '/admins/:id',
    {
      config: { permission: 'instance' },
      schema: { tags, summary: 'One administrator, by name', params: idParams, response: { 200: adminView } },
    },
    async ({ params }) => {
      const admin = await admins.getByName(params.id);
      if (admin === undefined) throw new Rejection('not_found', 'There is no such administrator.');
      return viewAdmin(admin);
    },
  );

  scope.post(
    '/admins',
    {
      config: { permission: 'instance' },
      schema: { tags, summary: 'Create an administrator', body: newAdminBody, response: { 201: newAdminView } },
    },
    async (request, reply) => {
      const { name, role, groups } = request.body;
      const tenant = tenantOfNew(request.body, request.actor.tenant);
      const expiresAt = readExpiry(request.body.expiresAt, dependencies.now());
      const token = generateAdminToken();
      const { keyId, digest } = keyDigest(token, dependencies.adminTokenHmacKeys[0]);
      const admin = await writeInTenant(dependencies, originOf(request), async (write) => {
        if (tenant !== undefined && (await tenants.getByName(tenant, write.context)) === undefined) {
          throw invalid([{ field: 'tenant', message: 'is not a tenant' }]);
        }
        const tokenDigest = Buffer.from(digest).toString('base64');
        const optional = {
          ...(tenant === undefined ? {} : { tenant }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        };
        const members = { name, role, groups, tokenDigest, tokenKeyId: keyId, ...optional };
        const created = await admins.create(members, write.context);
        await write.record('admin.created', `admin:${name}`);
        return created;
      });
      return reply.code(201).send({ ...viewAdmin(admin), token });
    },
  );

  scope.delete(
    '/admins/:id',
    {
      config: { permission: 'instance' },
      schema: { tags, summary: 'Revoke an administrator, by name', params: idParams, response: { 204: noContent } },
    },
    async (request, reply) => {
      const name = request.params.id;
      await writeInTenant(dependencies, originOf(request), async (write) => {
        const admin = await admins.getByName(name, write.context);
        if (admin === undefined) throw new Rejection('not_found', 'There is no such administrator.');
        const isRevoked = await admins.revoke(name, dependencies.now(), write.context);
        if (isRevoked) await write.record('admin.removed', `admin:${name}`);
      });
      return reply.code(204).send(null);
    },
  );
}

/** Every role but the owner's is held in one tenant. */
function tenantOfNew(body: z.output<typeof newAdminBody>, requestTenant: string): string | undefined {
  if (body.role !== 'owner') return body.tenant ?? requestTenant;
  if (body.tenant === undefined) return undefined;
  throw invalid([{ field: 'tenant', message: 'must be left out: an owner is of the whole instance' }]);
}
