import type { Template } from '@postern/schemas';
import { builtinTemplates } from './builtin-templates.ts';
import { referenceTo } from './template-reference.ts';

/** The template that an integration names as `name@version`; undefined when there is none. */
export type FindTemplate = (reference: string) => Template | undefined;

const NO_TEMPLATES: FindTemplate = () => undefined;

/**
 * Finds each of `references` among the tenant's own templates, else among the built-in ones. The tenant's own come first: a later
 * program may bring a built-in of that name and version, and what an integration means must not change with it.
 */
export async function findTemplates(
  references: readonly (string | null)[],
  own: readonly Template[],
): Promise<FindTemplate> {
  const named = new Set(references.filter((reference) => reference !== null));
  if (named.size === 0) return NO_TEMPLATES;
  const found = new Map<string, Template>();
  const add = (templates: readonly Template[]) => {
    for (const template of templates) {
      const reference = referenceTo(template);
      if (named.has(reference) && !found.has(reference)) found.set(reference, template);
    }
  };
  add(own);
  if (found.size < named.size) add(await builtinTemplates());
  return (reference) => found.get(reference);
}
