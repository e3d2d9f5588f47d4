import type { DbContext, SecretEnvelopeVersion, SecretRecord } from '@postern/db/ports';
import { environmentSchema, nameSchema, Rejection, uniqueList } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { checkIfMatch, entityTag } from '../entity-tag.ts';
import { pageOf, pageQuery, readAll, readPage } from '../paging.ts';
import { unfitness, webhookUnfitness, withOpenedSecret, writeSecretVersion } from '../secret-values.ts';
import { writeInTenant } from '../tenant-write.ts';
import { invalid } from '../validator.ts';
import { secretVersionView, secretView, viewSecret, viewSecretVersion } from '../views.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

const tags = ['secrets'];
const nameParams = z.object({ name: nameSchema });
const versionParams = nameParams.extend({ version: z.coerce.number().int().min(1) });
const valueBody = z.strictObject({
  value: z.string().min(1).max(65_536),
  environments: uniqueList(environmentSchema)
    .nullable()
    .optional()
    .describe('Environments the secret is for. Absent: as before, for a new secret all; null: all'),
});

export function secretRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  readRoutes(scope, dependencies);
  const { secrets } = dependencies.repositories;

  scope.put(
    '/secrets/:name',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Write a new version and make it active',
        params: nameParams,
        body: valueBody,
        response: { 200: secretView, 201: secretView },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { value, environments } = request.body;
      const { isNew, secret } = await writeInTenant(dependencies, originOf(request), async (write) => {
        const current = await secrets.getByName(write.tenant, name, write.context);
        if (current !== undefined) checkIfMatch(request, tagOf(current));
        else if (request.headers['if-match'] !== undefined) checkIfMatch(request, 'none');
        await checkFitsUsers(dependencies, write.tenant, { name, value }, write.context);
        const wanted = environments === undefined ? current?.environments : (environments ?? undefined);
        const written = await writeSecretVersion(dependencies, write, {
          name,
          value,
          origin: current?.origin ?? 'api',
          ...(wanted === undefined ? {} : { environments: wanted }),
        });
        return { isNew: current === undefined, secret: written };
      });
      const answer = reply.header('etag', entityTag(tagOf(secret)));
      return isNew ? answer.code(201).send(viewSecret(secret)) : answer.code(200).send(viewSecret(secret));
    },
  );

  scope.post(
    '/secrets/:name/versions/:version/activate',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Make an earlier version active', params: versionParams, response: { 200: secretView } },
    },
    async (request, reply) => {
      const { name, version } = request.params;
      const secret = await writeInTenant(dependencies, originOf(request), async (write) => {
        const current = await findSecret(dependencies, write.tenant, name, write.context);
        checkIfMatch(request, tagOf(current));
        if (current.activeVersion === version) return current;
        const stored = await secrets.getSecretEnvelopeVersion(write.tenant, name, version, write.context);
        if (stored === undefined) throw new Rejection('not_found', 'The secret has no such version.');
        await checkActivation(dependencies, stored, write.context);
        const activated = await secrets.setActiveSecretEnvelopeVersion(write.tenant, name, version, write.context);
        await write.record('secret.activated', `secret:${name}`, { credential: name });
        return activated;
      });
      return reply.header('etag', entityTag(tagOf(secret))).send(viewSecret(secret));
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { secrets } = dependencies.repositories;

  scope.get(
    '/secrets',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List secrets; values cannot be read',
        querystring: pageQuery,
        response: { 200: pageOf(secretView) },
      },
    },
    ({ actor, query }) => readPage(() => secrets.listByTenant(actor.tenant, query), viewSecret),
  );

  scope.get(
    '/secrets/:name',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One secret, without its value', params: nameParams, response: { 200: secretView } },
    },
    async ({ actor, params }, reply) => {
      const secret = await findSecret(dependencies, actor.tenant, params.name);
      return reply.header('etag', entityTag(tagOf(secret))).send(viewSecret(secret));
    },
  );

  scope.get(
    '/secrets/:name/versions',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List versions, newest first',
        params: nameParams,
        response: { 200: z.object({ items: z.array(secretVersionView) }) },
      },
    },
    async ({ actor, params }) => {
      const { activeVersion } = await findSecret(dependencies, actor.tenant, params.name);
      const versions = await secrets.listSecretEnvelopeVersions(actor.tenant, params.name);
      return { items: versions.map((version) => viewSecretVersion(version, activeVersion)) };
    },
  );
}

async function findSecret(
  { repositories }: AdminDependencies,
  tenant: string,
  name: string,
  context: DbContext = {},
): Promise<SecretRecord> {
  const secret = await repositories.secrets.getByName(tenant, name, context);
  if (secret === undefined) throw new Rejection('not_found', 'There is no such secret.');
  return secret;
}

/** A secret counts no changes; version and time of the last change together tell its states apart. */
function tagOf({ activeVersion, updatedAt }: SecretRecord): string {
  return `${activeVersion}-${updatedAt}`;
}

/** Refuses a value that an integration's credential which names the secret could not carry, or that could sign no notification. */
async function checkFitsUsers(
  { repositories }: AdminDependencies,
  tenant: string,
  { name, value }: { readonly name: string; readonly value: string },
  context: DbContext,
): Promise<void> {
  const records = await readAll((page) => repositories.integrations.listByTenant(tenant, page, context));
  for (const { spec } of records) {
    if (spec.credential.type === 'none' || spec.credential.secret !== name) continue;
    const fault = unfitness(spec.credential, value);
    if (fault !== undefined) throw invalid([{ field: 'value', message: `${fault} (integration ${spec.name})` }]);
  }
  if (!(await signsNotifications(repositories, tenant, name, context))) return;
  const fault = webhookUnfitness(value);
  if (fault !== undefined) throw invalid([{ field: 'value', message: `${fault} (notifications)` }]);
}

/** Refuses an earlier version that could sign no notification. */
async function checkActivation(
  dependencies: AdminDependencies,
  stored: SecretEnvelopeVersion,
  context: DbContext,
): Promise<void> {
  if (!(await signsNotifications(dependencies.repositories, stored.tenant, stored.name, context))) return;
  const fault = withOpenedSecret(dependencies, stored, (bytes) => webhookUnfitness(bytes.toString('utf8')));
  if (fault !== undefined) throw invalid([{ field: 'version', message: `${fault} (notifications)` }]);
}

async function signsNotifications(
  { notificationEndpoints }: AdminDependencies['repositories'],
  tenant: string,
  name: string,
  context: DbContext,
): Promise<boolean> {
  const endpoints = await notificationEndpoints.listByTenant(tenant, context);
  return endpoints.some(({ spec }) => spec.secret === name);
}
