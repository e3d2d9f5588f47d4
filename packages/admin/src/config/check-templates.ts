import type { Integration } from '@postern/schemas';
import { effectiveIntegration, type FindTemplate, findTemplates, referenceTo } from '@postern/templates';
import type { WriteDependencies } from '../dependencies.ts';
import { unknownTemplate } from '../templates/unknown-template.ts';
import type { TenantWrite } from '../tenant-write.ts';
import type { PlacedIssue } from '../validation/check-shape.ts';
import { checkIntegration } from './check-integration.ts';
import type { CurrentState } from './current-state.ts';
import type { ResolvedDocument } from './resolved-document.ts';

/** Finds what integrations of the document and of the store name: in the document, in the store, among the built-in ones. */
export function templatesOfDocument(document: ResolvedDocument, before: CurrentState): Promise<FindTemplate> {
  const integrations = [...(document.integrations ?? []), ...before.integrations.map(({ spec }) => spec)];
  const own = [...before.templates.map(({ spec }) => spec), ...(document.templates ?? [])];
  return findTemplates(
    integrations.map(({ template }) => template),
    own,
  );
}

/** Integrations that will name a template which is not there, once all is written. One that did so before does not stand in the way. */
export async function checkTemplatesAreThere(
  { repositories }: WriteDependencies,
  document: ResolvedDocument,
  { before, after }: { readonly before: CurrentState; readonly after: CurrentState },
  { tenant, context }: Pick<TenantWrite, 'tenant' | 'context'>,
): Promise<readonly PlacedIssue[]> {
  const wasThere = new Set(before.templates.map(referenceTo));
  const issues: PlacedIssue[] = [];
  for (const { name, spec } of after.integrations) {
    if (spec.template === null || after.findTemplate(spec.template) !== undefined) continue;
    const index = document.integrations?.findIndex((integration) => integration.name === name) ?? -1;
    const isDropped = wasThere.has(spec.template);
    if (index !== -1) {
      const message = isDropped
        ? `names ${spec.template}, which the document drops from its templates`
        : await unknownTemplate(repositories, tenant, spec.template, context);
      issues.push({ path: ['integrations', index, 'template'], message });
    } else if (isDropped) {
      const message = `must keep ${spec.template}: integration ${name}, which is not of this document, uses it`;
      issues.push({ path: ['templates'], message });
    }
  }
  return issues;
}

/** What is wrong with the hosts that templates bring to integrations of the document. */
export async function checkTemplateHosts(
  { integrations = [] }: ResolvedDocument,
  findTemplate: FindTemplate,
): Promise<readonly PlacedIssue[]> {
  const issues: PlacedIssue[] = [];
  for (const [index, integration] of integrations.entries()) {
    for (const { path, message } of await checkBroughtHosts(integration, findTemplate)) {
      issues.push({ path: ['integrations', index, ...path], message });
    }
  }
  return issues;
}

/** What is wrong with the hosts that a template brings to an integration that names none. */
export async function checkBroughtHosts(
  integration: Integration,
  findTemplate: FindTemplate,
): Promise<readonly PlacedIssue[]> {
  if (integration.hosts !== undefined) return [];
  const { limitSignals: _signals, ...effective } = effectiveIntegration(integration, findTemplate);
  if (effective.hosts === undefined) return [];
  const { issues } = await checkIntegration(effective);
  return issues
    .filter(({ path }) => path[0] === 'hosts')
    .map(({ path, message }) => {
      const host = typeof path[1] === 'number' ? effective.hosts?.[path[1]] : undefined;
      return { path: ['template'], message: `brings the host ${host ?? ''}: ${message}` };
    });
}
