import { Rejection, templateSchema } from '@postern/schemas';
import { builtinTemplates, readReference, referenceTo, templateDocument } from '@postern/templates';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageOfSorted, pageQuery, readAll } from '../paging.ts';
import { checkPublishing } from '../templates/check-publishing.ts';
import { writeInTenant } from '../tenant-write.ts';
import { toValidationIssue } from '../validation/check-shape.ts';
import { invalid, standingAt } from '../validator.ts';
import { templateView, viewBuiltinTemplate, viewTemplate } from '../views.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

type View = z.output<typeof templateView>;

const tags = ['templates'];
const PLACE = ['templates', 0];
const nameParams = z.object({ name: z.string().min(1).max(71).describe('A name, or name@version') });
const versionParams = z.object({
  name: z.string().min(1).max(64),
  version: z.coerce.number().int().min(1).max(999_999),
});

export function templateRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  listRoutes(scope, dependencies);
  readRoutes(scope, dependencies);

  scope.post(
    '/templates',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Publish a version of a template, for good; publishing the same again changes nothing and answers 200',
        body: standingAt(PLACE, templateSchema),
        response: { 200: templateView, 201: templateView },
      },
    },
    async (request, reply) => {
      const { creation, record } = await writeInTenant(dependencies, originOf(request), async (write) => {
        const { tenant, context } = write;
        const { repositories } = dependencies;
        const publishing = await checkPublishing(request.body, { repositories, tenant, context });
        if (publishing.kind === 'taken') throw new Rejection('conflict', `${publishing.message}.`);
        if (publishing.kind === 'faulty') throw invalid(publishing.issues.map((issue) => toValidationIssue(issue)));
        const version = { tenant, document: templateDocument(request.body), origin: 'api' } as const;
        const published = await repositories.templates.createTemplateVersionImmutable(version, context);
        if (published.creation !== 'unchanged')
          await write.record('admin.created', `template:${referenceTo(request.body)}`);
        return published;
      });
      return reply.code(creation === 'unchanged' ? 200 : 201).send(viewTemplate(record));
    },
  );
}

function listRoutes(scope: AdminScope, { repositories: { templates } }: AdminDependencies): void {
  scope.get(
    '/templates',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List templates, own and built-in, the latest version of each',
        querystring: pageQuery,
        response: { 200: pageOf(templateView) },
      },
    },
    async ({ actor, query }) => {
      const own = await readAll((page) => templates.listLatestByTenant(actor.tenant, page));
      const latest = new Map<string, View>();
      for (const view of [...(await builtinTemplates()).map(viewBuiltinTemplate), ...own.map(viewTemplate)]) {
        if ((latest.get(view.name)?.version ?? 0) <= view.version) latest.set(view.name, view);
      }
      const sorted = [...latest.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
      return pageOfSorted(sorted, query, {
        list: 'templates',
        positionOf: ({ name }) => name,
        isAfter: ({ name }, position) => name > position,
      });
    },
  );

  scope.get(
    '/templates/:name/versions',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List the versions of a template, newest first',
        params: nameParams,
        querystring: pageQuery,
        response: { 200: pageOf(templateView) },
      },
    },
    async ({ actor, params: { name }, query }) => {
      const own = await readAll((page) => templates.listTemplateVersions(actor.tenant, name, page));
      const builtin = (await builtinTemplates()).filter((template) => template.name === name);
      const versions = new Map(
        [...builtin.map(viewBuiltinTemplate), ...own.map(viewTemplate)].map((view) => [view.version, view]),
      );
      if (versions.size === 0) throw notFound();
      const sorted = [...versions.values()].sort((left, right) => right.version - left.version);
      return pageOfSorted(sorted, query, {
        list: `templates/${name}`,
        positionOf: ({ version }) => version,
        isAfter: ({ version }, position) => version < Number(position),
      });
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  scope.get(
    '/templates/:name',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'The latest version of a template',
        params: nameParams,
        response: { 200: templateView },
      },
    },
    async ({ actor, params }) => {
      const { name, version } = readReference(params.name) ?? { name: params.name, version: undefined };
      return await findTemplate(dependencies, actor.tenant, name, version);
    },
  );

  scope.get(
    '/templates/:name/versions/:version',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One version of a template', params: versionParams, response: { 200: templateView } },
    },
    ({ actor, params }) => findTemplate(dependencies, actor.tenant, params.name, params.version),
  );
}

/** One version, or the latest of the name. An own one comes before a built-in one of the same number, as for integrations. */
async function findTemplate(
  { repositories: { templates } }: AdminDependencies,
  tenant: string,
  name: string,
  version: number | undefined,
): Promise<View> {
  const isMeant = (other: { readonly name: string; readonly version: number }) => {
    return other.name === name && (version === undefined || other.version === version);
  };
  const own =
    version === undefined
      ? await templates.getLatestTemplate(tenant, name)
      : await templates.getTemplateVersion(tenant, name, version);
  const views = [
    ...(own === undefined ? [] : [viewTemplate(own)]),
    ...(await builtinTemplates()).filter(isMeant).map(viewBuiltinTemplate),
  ];
  const [latest] = views.sort((left, right) => right.version - left.version);
  if (latest === undefined) throw notFound();
  return latest;
}

function notFound(): Rejection {
  return new Rejection('not_found', 'There is no such template.');
}
