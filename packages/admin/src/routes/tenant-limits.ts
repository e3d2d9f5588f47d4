import { STORED_LIMITS, type TenantLimitsRecord } from '@postern/db/ports';
import { tenantLimitsSchema } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { checkIfMatch, sendTagged } from '../entity-tag.ts';
import { writeInTenant } from '../tenant-write.ts';
import { isoTime } from '../views.ts';
import { type AdminScope, originOf } from './admin-scope.ts';
import { findTenant, tenantParams } from './tenants.ts';

const tags = ['tenants'];
const ignored = z.unknown().optional().describe('As answered; ignored');
const limitsBody = tenantLimitsSchema.extend({ tenant: ignored, usage: ignored, updatedAt: ignored });
const limitsView = tenantLimitsSchema.extend({
  tenant: z.string(),
  usage: z.record(z.enum(STORED_LIMITS), z.number()).describe('How much there is now of what is stored'),
  updatedAt: z.string().optional().describe('ISO 8601, UTC. Absent: nobody has set any'),
});

/** What instance owners bound of a tenant. Its own administrators neither see nor set it. */
export function tenantLimitRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { tenantLimits } = dependencies.repositories;

  scope.get(
    '/tenants/:name/limits',
    {
      config: { permission: 'instance' },
      schema: {
        tags,
        summary: 'The limits of a tenant, and how much of each it uses; a limit that is absent bounds nothing',
        params: tenantParams,
        response: { 200: limitsView },
      },
    },
    async ({ params }, reply) => {
      await findTenant(dependencies, params.name);
      const record = await tenantLimits.get(params.name);
      return sendTagged(reply, record.version, await viewLimits(dependencies, record));
    },
  );

  scope.put(
    '/tenants/:name/limits',
    {
      config: { permission: 'instance' },
      schema: {
        tags,
        summary: 'Replace all limits of a tenant; what it has more of already it keeps, and gets no more of',
        params: tenantParams,
        body: limitsBody,
        response: { 200: limitsView },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { tenant: _tenant, usage: _usage, updatedAt: _updatedAt, ...wanted } = request.body;
      const limits = Object.fromEntries(Object.entries(wanted).filter(([, max]) => max !== undefined));
      const record = await writeInTenant(dependencies, { ...originOf(request), tenant: name }, async (write) => {
        await findTenant(dependencies, name, write.context);
        const { version } = await tenantLimits.get(name, write.context);
        checkIfMatch(request, version);
        const written = await tenantLimits.set(name, limits, { ifVersion: version }, write.context);
        await write.record('admin.updated', `tenant-limits:${name}`);
        return written;
      });
      return sendTagged(reply, record.version, await viewLimits(dependencies, record));
    },
  );
}

async function viewLimits(
  { repositories: { tenantLimits }, now }: AdminDependencies,
  { tenant, limits, updatedAt }: TenantLimitsRecord,
): Promise<z.output<typeof limitsView>> {
  const usage = await tenantLimits.usage(tenant, now());
  return { tenant, ...limits, usage, ...(updatedAt === undefined ? {} : { updatedAt: isoTime(updatedAt) }) };
}
