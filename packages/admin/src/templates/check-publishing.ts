import { isDeepStrictEqual } from 'node:util';
import type { DbContext, DbRepositories, TemplateVersionRecord } from '@postern/db/ports';
import type { Template } from '@postern/schemas';
import { builtinTemplates, checkSuccession, checkTemplate, type FormerVersion, referenceTo } from '@postern/templates';
import { type PlacedIssue, pathOfField } from '../validation/check-shape.ts';

/** What publishing a template would come to. `same`: it is published already, with this content. */
export type Publishing =
  | { readonly kind: 'new' | 'same' }
  /** That name and version stand for something else, for good. */
  | { readonly kind: 'taken'; readonly message: string }
  | { readonly kind: 'faulty'; readonly issues: readonly PlacedIssue[] };

/** What publishing is judged against. */
export interface PublishingGround {
  readonly repositories: Pick<DbRepositories, 'templates'>;
  readonly tenant: string;
  readonly context: DbContext;
  /** Versions of the name that will be there before this one. */
  readonly before?: readonly FormerVersion[];
}

/** Judges a template of the right shape against its rules and what is there of its name: the tenant's versions and the built-in ones. */
export async function checkPublishing(template: Template, ground: PublishingGround): Promise<Publishing> {
  const { repositories, tenant, context, before = [] } = ground;
  const { name, version } = template;
  const stored = await repositories.templates.getPublishedTemplate(tenant, name, version, context);
  if (stored !== undefined) return againstStored(template, stored);
  const builtin = (await builtinTemplates()).filter((other) => other.name === name);
  if (builtin.some((other) => other.version === version)) {
    return { kind: 'taken', message: `${referenceTo(template)} is built in; take another name, or a higher version` };
  }
  const highest = await repositories.templates.getPublishedTemplate(tenant, name, 'highest', context);
  const former = [...builtin, ...(highest === undefined ? [] : [highest.spec]), ...before];
  const issues = [...checkTemplate(template), ...checkSuccession(template, former)];
  if (issues.length === 0) return { kind: 'new' };
  return { kind: 'faulty', issues: issues.map(({ field, message }) => ({ path: pathOfField(field), message })) };
}

function againstStored(template: Template, stored: TemplateVersionRecord): Publishing {
  if (isDeepStrictEqual(stored.spec, template)) return { kind: 'same' };
  const reference = referenceTo(template);
  return { kind: 'taken', message: `${reference} is published and never changes; give the change a higher version` };
}
