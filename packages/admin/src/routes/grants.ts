import type { GrantRecord } from '@postern/db/ports';
import { nameSchema, Rejection } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { grantView, viewGrant } from '../approvals/grant-views.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { type AdminScope, idParams, noContent } from './admin-scope.ts';

const tags = ['grants'];
const revokeBody = z.strictObject({ reason: z.string().trim().min(1).max(500).optional() });

export function grantRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  readRoutes(scope, dependencies);

  const revoke = async ({ actor }: FastifyRequest, id: string, reason?: string): Promise<GrantRecord> => {
    const { repositories, now, events } = dependencies;
    const at = now();
    const revocation = { by: actor.name, at, ...(reason === undefined ? {} : { reason }) };
    await findGrant(dependencies, actor.tenant, id);
    const isRevoked = await repositories.grants.revoke(actor.tenant, id, revocation);
    const grant = await findGrant(dependencies, actor.tenant, id);
    if (isRevoked) {
      const { tenant, approvalId, agent, kind } = grant;
      const data = { grantId: id, approvalId, agent, kind, actor: actor.name };
      events.publish({ tenant, type: 'grant.revoked', at, data });
    }
    return grant;
  };

  scope.post(
    '/grants/:id/revoke',
    {
      config: { permission: 'decide' },
      schema: {
        tags,
        summary: 'Take a grant back; a call that is on its way is not called back',
        params: idParams,
        body: revokeBody.nullish(),
        response: { 200: grantView },
      },
    },
    async (request) => viewGrant(await revoke(request, request.params.id, request.body?.reason)),
  );

  scope.delete(
    '/grants/:id',
    {
      config: { permission: 'decide' },
      schema: {
        tags,
        summary: 'Take a grant back (as POST …/revoke)',
        params: idParams,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      await revoke(request, request.params.id);
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { grants } = dependencies.repositories;

  scope.get(
    '/grants',
    {
      config: { permission: 'approvals' },
      schema: {
        tags,
        summary: 'List grants, newest first',
        querystring: pageQuery.extend({
          agent: nameSchema.optional(),
          usable: z.enum(['true', 'false']).optional().describe('Whether they let calls pass now'),
        }),
        response: { 200: pageOf(grantView) },
      },
    },
    ({ actor, query: { agent, usable, ...page } }) => {
      const filter = {
        ...(agent === undefined ? {} : { agent }),
        ...(usable === undefined ? {} : { isUsable: usable === 'true' }),
      };
      return readPage(() => grants.list(actor.tenant, filter, { ...page, nowMs: dependencies.now() }), viewGrant);
    },
  );

  scope.get(
    '/grants/:id',
    {
      config: { permission: 'approvals' },
      schema: { tags, summary: 'One grant', params: idParams, response: { 200: grantView } },
    },
    async ({ actor, params }) => viewGrant(await findGrant(dependencies, actor.tenant, params.id)),
  );
}

async function findGrant({ repositories, now }: AdminDependencies, tenant: string, id: string): Promise<GrantRecord> {
  const grant = await repositories.grants.getById(tenant, id, now());
  if (grant === undefined) throw new Rejection('not_found', 'There is no such grant.');
  return grant;
}
