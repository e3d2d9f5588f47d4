import type { DbContext, IntegrationRecord } from '@postern/db/ports';
import { type Integration, integrationSchema, Rejection } from '@postern/schemas';
import { effectiveIntegration } from '@postern/templates';
import type { FastifyRequest } from 'fastify';
import { checkIntegration } from '../config/check-integration.ts';
import { checkBroughtHosts } from '../config/check-templates.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { editedObject, mergePatchBody, replacementOf } from '../edit-body.ts';
import { checkIfMatch, entityTag } from '../entity-tag.ts';
import { findListenConflicts, judgeListen } from '../listen-members.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { writePolicyInTenant } from '../policy-write.ts';
import { unfitness, withOpenedSecret } from '../secret-values.ts';
import { readTemplates } from '../templates/read-templates.ts';
import { unknownTemplate } from '../templates/unknown-template.ts';
import type { TenantWrite } from '../tenant-write.ts';
import { judgeUnsafeMembers } from '../unsafe-members.ts';
import { type PlacedIssue, toValidationIssue } from '../validation/check-shape.ts';
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
        await requireTemplate(dependencies, spec, write);
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
      await requireTemplate(dependencies, spec, write);
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
  { repositories, unsafeAddressCeiling, ownAddresses }: AdminDependencies,
  { actor }: FastifyRequest,
  given: Integration,
  before: Integration | undefined,
): Promise<Integration> {
  const { integration, issues } = await checkIntegration(given);
  const findTemplate = await readTemplates(repositories, actor.tenant, [integration.template, before?.template]);
  const rights = { isInstanceOwner: actor.isInstanceOwner, unsafeAddressCeiling };
  const listen = judgeListen(integration, before, { ...rights, ownAddresses });
  // A template may bring hosts.
  const effective = (spec: Integration) => (issues.length > 0 ? spec : effectiveIntegration(spec, findTemplate));
  const unsafe = judgeUnsafeMembers(effective(integration), before && effective(before), rights);
  const brought = issues.length > 0 ? [] : await checkBroughtHosts(integration, findTemplate);
  const template = await templateIssues(repositories, actor.tenant, integration);
  const all = [...issues, ...unsafe, ...listen, ...template, ...brought];
  if (all.length > 0) throw invalid(all.map((issue) => toValidationIssue(issue)));
  return integration;
}

async function templateIssues(
  repositories: AdminDependencies['repositories'],
  tenant: string,
  { template }: Integration,
  context: DbContext = {},
): Promise<readonly PlacedIssue[]> {
  if (template === null) return [];
  const findTemplate = await readTemplates(repositories, tenant, [template], context);
  if (findTemplate(template) !== undefined) return [];
  return [{ path: ['template'], message: await unknownTemplate(repositories, tenant, template, context) }];
}

/** Within the transaction that writes the integration: its template may have gone out of use since it was judged. */
async function requireTemplate(
  { repositories }: AdminDependencies,
  integration: Integration,
  { tenant, context }: TenantWrite,
): Promise<void> {
  const issues = await templateIssues(repositories, tenant, integration, context);
  if (issues.length > 0) throw invalid(issues.map((issue) => toValidationIssue(issue)));
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
 * What a merge patch is laid over. A credential is patched as a whole, for its members depend on its type; and where the base URL or the
 * template is changed, a list of hosts that is no more than the default follows it.
 */
function patchedForm(spec: Integration, patch: Readonly<Record<string, unknown>>): object {
  const { hosts, credential, ...rest } = spec;
  const isDefault = spec.template === null && hosts?.length === 1 && hosts[0] === new URL(spec.baseUrl).hostname;
  const isFollowed = patch['baseUrl'] !== undefined || patch['template'] !== undefined;
  return {
    ...rest,
    ...(isDefault && isFollowed ? {} : { hosts }),
    ...(patch['credential'] === undefined ? { credential } : {}),
  };
}
