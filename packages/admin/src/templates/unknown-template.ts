import type { DbContext, DbRepositories } from '@postern/db/ports';
import { builtinTemplates, readReference } from '@postern/templates';
import { readAll } from '../paging.ts';
import { didYouMean } from '../validation/did-you-mean.ts';

interface NamedVersion {
  readonly name: string;
  readonly version: number;
}

/** Why an integration cannot name `reference`: what there is of that name, or the nearest name. */
export async function unknownTemplate(
  { templates }: Pick<DbRepositories, 'templates'>,
  tenant: string,
  reference: string,
  context: DbContext = {},
): Promise<string> {
  const { name = reference } = readReference(reference) ?? {};
  const own = await readAll((page) => templates.listByTenant(tenant, page, context));
  const there: readonly NamedVersion[] = [...(await builtinTemplates()), ...own];
  const latest = latestOf(there, name);
  if (latest !== undefined) return `there is no template ${reference}; the latest of that name is ${name}@${latest}`;
  const near = didYouMean(
    name,
    there.map((template) => template.name),
  );
  if (near === undefined) return `there is no template ${reference}; "postern templates list" shows what there is`;
  return `there is no template ${reference}; did you mean ${near}@${latestOf(there, near)}?`;
}

function latestOf(templates: readonly NamedVersion[], name: string): number | undefined {
  const versions = templates.filter((template) => template.name === name).map(({ version }) => version);
  return versions.length === 0 ? undefined : Math.max(...versions);
}
