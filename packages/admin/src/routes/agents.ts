import type { AgentRecord, DbContext } from '@postern/db/ports';
import { type Agent, agentSchema, Rejection } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';
import { agentMembers } from '../agent-members.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { editedObject, mergePatchBody, replacementOf } from '../edit-body.ts';
import { checkIfMatch, entityTag } from '../entity-tag.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { writeInTenant } from '../tenant-write.ts';
import { standingAt } from '../validator.ts';
import { agentView, viewAgent } from '../views.ts';
import { type AdminScope, idParams, noContent, originOf } from './admin-scope.ts';

const tags = ['agents'];
const PLACE = ['agents', 0];

export function agentRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { agents } = dependencies.repositories;

  readRoutes(scope, dependencies);
  editRoutes(scope, dependencies);

  scope.post(
    '/agents',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Create an agent', body: standingAt(PLACE, agentSchema), response: { 201: agentView } },
    },
    async (request, reply) => {
      const agent = await writeInTenant(dependencies, originOf(request), async (write) => {
        const created = await agents.create(write.tenant, request.body, 'api', write.context);
        await write.record('admin.created', `agent:${created.name}`);
        return created;
      });
      return reply.code(201).header('etag', entityTag(agent.version)).send(viewAgent(agent));
    },
  );

  scope.delete(
    '/agents/:id',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Remove an agent and its keys', params: idParams, response: { 204: noContent } },
    },
    async (request, reply) => {
      await writeInTenant(dependencies, originOf(request), async (write) => {
        const agent = await findAgent(dependencies, write.tenant, request.params.id, write.context);
        checkIfMatch(request, agent.version);
        await agents.remove(write.tenant, agent.id, write.context);
        await write.record('admin.removed', `agent:${agent.name}`);
      });
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { agents } = dependencies.repositories;

  scope.get(
    '/agents',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'List agents', querystring: pageQuery, response: { 200: pageOf(agentView) } },
    },
    ({ actor, query }) => readPage(() => agents.listByTenant(actor.tenant, query), viewAgent),
  );

  scope.get(
    '/agents/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One agent', params: idParams, response: { 200: agentView } },
    },
    async ({ actor, params }, reply) => {
      const agent = await findAgent(dependencies, actor.tenant, params.id);
      return reply.header('etag', entityTag(agent.version)).send(viewAgent(agent));
    },
  );
}

function editRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { agents } = dependencies.repositories;

  const edit = (request: FastifyRequest, id: string, change: (current: AgentRecord) => Agent) => {
    return writeInTenant(dependencies, originOf(request), async (write) => {
      const current = await findAgent(dependencies, write.tenant, id, write.context);
      checkIfMatch(request, current.version);
      const options = { ifVersion: current.version };
      const updated = await agents.update(write.tenant, current.id, change(current), options, write.context);
      await write.record('admin.updated', `agent:${updated.name}`);
      return updated;
    });
  };

  scope.put(
    '/agents/:id',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Replace an agent',
        params: idParams,
        body: standingAt(PLACE, replacementOf(agentSchema)),
        response: { 200: agentView },
      },
    },
    async (request, reply) => {
      const agent = await edit(request, request.params.id, ({ name }) => {
        return editedObject(agentSchema, request.body, { name, place: PLACE });
      });
      return reply.header('etag', entityTag(agent.version)).send(viewAgent(agent));
    },
  );

  scope.patch(
    '/agents/:id',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Change members of an agent',
        params: idParams,
        body: mergePatchBody,
        response: { 200: agentView },
      },
    },
    async (request, reply) => {
      const agent = await edit(request, request.params.id, (current) => {
        const options = { name: current.name, place: PLACE, current: agentMembers(current) };
        return editedObject(agentSchema, request.body, options);
      });
      return reply.header('etag', entityTag(agent.version)).send(viewAgent(agent));
    },
  );
}

/** By id, else by name; `not_found` when the tenant has neither. */
export async function findAgent(
  { repositories }: Pick<AdminDependencies, 'repositories'>,
  tenant: string,
  idOrName: string,
  context: DbContext = {},
): Promise<AgentRecord> {
  const { agents } = repositories;
  const agent =
    (await agents.getById(tenant, idOrName, context)) ?? (await agents.getByName(tenant, idOrName, context));
  if (agent === undefined) throw new Rejection('not_found', 'There is no such agent.');
  return agent;
}
