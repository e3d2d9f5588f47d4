import { type AdminClient, ApiProblem } from '@postern/client';
import type { Integration, Template } from '@postern/schemas';
import { effectiveIntegration, findTemplates, readReference } from '@postern/templates';

/** What a template adds to what the control plane lists of an integration. */
export interface WithTemplate {
  /** Its template does not exist; the gateway treats it as disabled. */
  readonly isTemplateMissing?: boolean;
}

/** The integrations as calls meet them: with what their templates give them. */
export async function withTemplates<T extends Integration>(
  client: AdminClient,
  integrations: readonly T[],
): Promise<readonly (T & WithTemplate)[]> {
  const references = [...new Set(integrations.map(({ template }) => template))].filter((name) => name !== null);
  const templates: Template[] = [];
  for (const reference of references) {
    const template = await readTemplate(client, reference);
    if (template !== undefined) templates.push(template);
  }
  const find = await findTemplates(references, templates);
  return integrations.map((integration) => {
    const isTemplateMissing = integration.template !== null && find(integration.template) === undefined;
    return {
      ...integration,
      ...effectiveIntegration(integration, find),
      ...(isTemplateMissing ? { isTemplateMissing } : {}),
    };
  });
}

async function readTemplate(client: AdminClient, reference: string): Promise<Template | undefined> {
  const { name = reference, version = 0 } = readReference(reference) ?? {};
  try {
    return await client.templates.version(name, version);
  } catch (error) {
    if (error instanceof ApiProblem && error.code === 'not_found') return undefined;
    throw error;
  }
}
