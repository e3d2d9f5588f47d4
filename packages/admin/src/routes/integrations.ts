import type { DbContext, IntegrationRecord } from '@postern/db/ports';
import { type Integration, integrationSchema, Rejection } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';
import { checkIntegration } from '../config/check-integration.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { editedObject, mergePatchBody, replacementOf } from '../edit-body.ts';
import { checkIfMatch, entityTag } from '../entity-tag.ts';
import { findListenConflicts, judgeListen } from '../listen-members.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { writePolicyInTenant } from '../policy-write.ts';
import { unfitness, withOpenedSecret } from '../secret-values.ts';
import type { TenantWrite } from '../tenant-write.ts';
import { judgeUnsafeMembers } from '../unsafe-members.ts';
import { toValidationIssue } from '../validation/check-shape.ts';
import { invalid, standingAt } from '../validator.ts';
import { integrationView, viewIntegration } from '../views.ts';
import { type AdminScope, idParams, noContent, originOf } from './admin-scope.ts';

const tags = ['integrations'];
const PLACE = ['integrations', 0];

export function integrationRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { integrations } = dependencies.repositories;
  readRoutes(scope, dependencies);
  editRoutes(scope, dependencies);

  scope.post(
    '/integrations',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Create an integration',
        body: standingAt(PLACE, integrationSchema),
        response: { 201: integrationView },
      },
    },
    async (request, reply) => {
      const spec = await checkedIntegration(dependencies, request, request.body, undefined);
      const record = await writePolicyInTenant(dependencies, originOf(request), async (write) => {
        await checkSecretFits(dependencies, spec, write.tenant, write.context);
        const created = await integrations.create(write.tenant, spec, 'api', write.context);
        await checkListenIsFree(dependencies, spec, write);
        await write.record('admin.created', `integration:${spec.name}`);
        return created;
      });
      return reply.code(201).header('etag', entityTag(record.version)).send(viewIntegration(record));
    },
  );

  scope.delete(
    '/integrations/:id',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Remove an integration', params: idParams, response: { 204: noContent } },
    },
    async (request, reply) => {
      await writePolicyInTenant(dependencies, originOf(request), async (write) => {
        const record = await findIntegration(dependencies, write.tenant, request.params.id, write.context);
        checkIfMatch(request, record.version);
        await integrations.remove(write.tenant, record.id, write.context);
        await write.record('admin.removed', `integration:${record.name}`);
      });
      return reply.code(204).send(null);
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { integrations } = dependencies.repositories;
  const view = (record: IntegrationRecord) =>
    viewIntegration(record, dependencies.credentialState?.(record.tenant, record.name));

  scope.get(
    '/integrations',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List integrations',
        querystring: pageQuery,
        response: { 200: pageOf(integrationView) },
      },
    },
    ({ actor, query }) => readPage(() => integrations.listByTenant(actor.tenant, query), view),
  );

  scope.get(
    '/integrations/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One integration', params: idParams, response: { 200: integrationView } },
    },
    async ({ actor, params }, reply) => {
      const record = await findIntegration(dependencies, actor.tenant, params.id);
      return reply.header('etag', entityTag(record.version)).send(view(record));
    },
  );
}

function editRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { integrations } = dependencies.repositories;

  /** Judged against the record as read before the transaction; a change in between makes the write `stale`. */
  const edit = async (request: FastifyRequest, id: string, change: (current: IntegrationRecord) => Integration) => {
    const current = await findIntegration(dependencies, request.actor.tenant, id);
    checkIfMatch(request, current.version);
    const spec = await checkedIntegration(dependencies, request, change(current), current.spec);
    return await writePolicyInTenant(dependencies, originOf(request), async (write) => {
      await checkSecretFits(dependencies, spec, write.tenant, write.context);
      const options = { ifVersion: current.version };
      const updated = await integrations.update(write.tenant, current.id, spec, options, write.context);
      await checkListenIsFree(dependencies, spec, write);
      await write.record('admin.updated', `integration:${spec.name}`);
      return updated;
    });
  };

  scope.put(
    '/integrations/:id',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Replace an integration',
        params: idParams,
        body: standingAt(PLACE, replacementOf(integrationSchema)),
        response: { 200: integrationView },
      },
    },
    async (request, reply) => {
      const record = await edit(request, request.params.id, ({ name }) => {
        return editedObject(integrationSchema, request.body, { name, place: PLACE });
      });
      return reply.header('etag', entityTag(record.version)).send(viewIntegration(record));
    },
  );

  scope.patch(
    '/integrations/:id',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Change members of an integration',
        params: idParams,
        body: mergePatchBody,
        response: { 200: integrationView },
      },
    },
    async (request, reply) => {
      const record = await edit(request, request.params.id, ({ name, spec }) => {
        const current = patchedForm(spec, request.body);
        return editedObject(integrationSchema, request.body, { name, place: PLACE, current });
      });
      return reply.header('etag', entityTag(record.version)).send(viewIntegration(record));
    },
  );
}

/** By id, else by name; `not_found` when the tenant has neither. */
async function findIntegration(
  { repositories }: AdminDependencies,
  tenant: string,
  idOrName: string,
  context: DbContext = {},
): Promise<IntegrationRecord> {
  const { integrations } = repositories;
  const byId = await integrations.getById(tenant, idOrName, context);
  const record = byId ?? (await integrations.getByName(tenant, idOrName, context));
  if (record === undefined) throw new Rejection('not_found', 'There is no such integration.');
  return record;
}

async function checkedIntegration(
  { unsafeAddressCeiling, ownAddresses }: AdminDependencies,
  { actor }: FastifyRequest,
  given: Integration,
  before: Integration | undefined,
): Promise<Integration> {
  const { integration, issues } = await checkIntegration(given);
  const rights = { isInstanceOwner: actor.isInstanceOwner, unsafeAddressCeiling };
  const listen = judgeListen(integration, before, { ...rights, ownAddresses });
  const all = [...issues, ...judgeUnsafeMembers(integration, before, rights), ...listen];
  if (all.length > 0) throw invalid(all.map((issue) => toValidationIssue(issue)));
  return integration;
}

/** Within the transaction that has written it. */
async function checkListenIsFree(
  { repositories }: AdminDependencies,
  { name, listen }: Integration,
  write: TenantWrite,
): Promise<void> {
  if (listen === null) return;
  const message = (await findListenConflicts(repositories, new Set([name]), write)).get(name);
  if (message !== undefined) throw invalid([{ field: 'listen', message }]);
}

/** Refuses an integration whose credential could not carry the secret that is stored. A secret may be stored later. */
async function checkSecretFits(
  dependencies: AdminDependencies,
  { credential }: Integration,
  tenant: string,
  context: DbContext,
): Promise<void> {
  if (credential.type === 'none') return;
  const active = await dependencies.repositories.secrets.getActiveSecretEnvelope(tenant, credential.secret, context);
  if (active === undefined) return;
  const fault = withOpenedSecret(dependencies, active, (bytes) => unfitness(credential, bytes.toString('utf8')));
  if (fault !== undefined) throw invalid([{ field: 'credential.secret', message: fault }]);
}

/**
 * What a merge patch is laid over. A credential is patched as a whole, for its members depend on its type; and where the base URL is
 * changed, a list of hosts that is no more than the default follows it.
 */
function patchedForm(spec: Integration, patch: Readonly<Record<string, unknown>>): object {
  const { hosts, credential, ...rest } = spec;
  const isDefault = hosts?.length === 1 && hosts[0] === new URL(spec.baseUrl).hostname;
  return {
    ...rest,
    ...(isDefault && patch['baseUrl'] !== undefined ? {} : { hosts }),
    ...(patch['credential'] === undefined ? { credential } : {}),
  };
}
