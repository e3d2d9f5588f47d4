import type { DbContext, DbRepositories } from '@postern/db/ports';
import type { Template } from '@postern/schemas';
import { type FindTemplate, findTemplates, readReference } from '@postern/templates';

/** Finds those of `references` that the tenant has published and that are in use, and the built-in ones. */
export async function readTemplates(
  { templates }: Pick<DbRepositories, 'templates'>,
  tenant: string,
  references: readonly (string | null | undefined)[],
  context: DbContext = {},
): Promise<FindTemplate> {
  const named = [...new Set(references)].filter((reference) => typeof reference === 'string');
  const own: Template[] = [];
  for (const reference of named) {
    const { name, version } = readReference(reference) ?? {};
    if (name === undefined || version === undefined) continue;
    const record = await templates.getTemplateVersion(tenant, name, version, context);
    if (record !== undefined) own.push(record.spec);
  }
  return findTemplates(named, own);
}
