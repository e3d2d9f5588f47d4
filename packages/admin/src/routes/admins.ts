import { generateAdminToken, keyDigest } from '@postern/auth';
import { ADMIN_ROLES, type AdminRecord, type DbContext } from '@postern/db/ports';
import { nameSchema, Rejection, uniqueList } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BOOTSTRAP_NAME } from '../actor.ts';
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
/** An administrator as a GET answers it; all but the groups must be as it is. */
const editBody = z.strictObject({
  ...adminView.partial().shape,
  groups: uniqueList(nameSchema).describe('They count for the votes given from then on'),
});

export function adminRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  readRoutes(scope, dependencies);
  editRoutes(scope, dependencies);
  const { admins, tenants } = dependencies.repositories;

  scope.post(
    '/admins',
    {
      config: { permission: 'instance' },
      schema: { tags, summary: 'Create an administrator', body: newAdminBody, response: { 201: newAdminView } },
    },
    async (request, reply) => {
      const { name, role, groups } = request.body;
      if (name === BOOTSTRAP_NAME) throw invalid([{ field: 'name', message: 'is the name of the first owner' }]);
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
        await findAdmin(dependencies, name, write.context);
        const isRevoked = await admins.revoke(name, dependencies.now(), write.context);
        if (isRevoked) await write.record('admin.removed', `admin:${name}`);
      });
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { admins } = dependencies.repositories;

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
    async ({ params }) => viewAdmin(await findAdmin(dependencies, params.id)),
  );
}

function editRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { admins } = dependencies.repositories;

  const edit = async (request: FastifyRequest, name: string, body: z.output<typeof editBody>) => {
    const changed = await writeInTenant(dependencies, originOf(request), async (write) => {
      const admin = await findAdmin(dependencies, name, write.context);
      checkUnchanged(body, viewAdmin(admin));
      const updated = await admins.setGroups(name, body.groups, write.context);
      await write.record('admin.updated', `admin:${name}`);
      return updated;
    });
    return viewAdmin(changed);
  };
  const options = (summary: string) => ({
    config: { permission: 'instance' } as const,
    schema: { tags, summary, params: idParams, body: editBody, response: { 200: adminView } },
  });

  scope.patch('/admins/:id', options("Change an administrator's groups, by name"), (request) =>
    edit(request, request.params.id, request.body),
  );
  scope.put('/admins/:id', options("Replace an administrator's groups, by name"), (request) =>
    edit(request, request.params.id, request.body),
  );
}

/** Role and tenant are what a token was given for; who should have others gets another token. */
function checkUnchanged({ groups: _groups, ...body }: z.output<typeof editBody>, current: z.output<typeof adminView>) {
  const changed = Object.entries(body).filter(([name, value]) => value !== current[name as keyof typeof current]);
  if (changed.length > 0) throw invalid(changed.map(([field]) => ({ field, message: 'cannot be changed' })));
}

async function findAdmin(
  { repositories }: AdminDependencies,
  name: string,
  context: DbContext = {},
): Promise<AdminRecord> {
  const admin = await repositories.admins.getByName(name, context);
  if (admin === undefined) throw new Rejection('not_found', 'There is no such administrator.');
  return admin;
}

/** Every role but the owner's is held in one tenant. */
function tenantOfNew(body: z.output<typeof newAdminBody>, requestTenant: string): string | undefined {
  if (body.role !== 'owner') return body.tenant ?? requestTenant;
  if (body.tenant === undefined) return undefined;
  throw invalid([{ field: 'tenant', message: 'must be left out: an owner is of the whole instance' }]);
}
