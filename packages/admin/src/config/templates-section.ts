import type { Template } from '@postern/schemas';
import { type FormerVersion, referenceTo, templateDocument } from '@postern/templates';
import type { WriteDependencies } from '../dependencies.ts';
import { checkPublishing } from '../templates/check-publishing.ts';
import type { TenantWrite } from '../tenant-write.ts';
import type { PlacedIssue } from '../validation/check-shape.ts';
import { type Change, differences, type PlannedWrite } from './change.ts';
import { compactTemplate } from './compact.ts';
import type { CurrentState } from './current-state.ts';

export interface TemplatesPlan {
  /** One after the other: the number of a version is judged by those that are there. */
  readonly plan: readonly PlannedWrite[];
  readonly issues: readonly PlacedIssue[];
}

/**
 * Plans own templates. A version that the document names is published if it is not; one that an earlier document published and this one no
 * longer names goes out of use.
 */
export async function planTemplates(
  dependencies: WriteDependencies,
  wanted: readonly Template[] | undefined,
  state: CurrentState,
  { tenant, context }: Pick<TenantWrite, 'tenant' | 'context'>,
): Promise<TemplatesPlan> {
  if (wanted === undefined) return { plan: [], issues: [] };
  const { repositories } = dependencies;
  const inUse = new Map(state.templates.map((record) => [referenceTo(record), record]));
  const issues: PlacedIssue[] = [];
  const plan: PlannedWrite[] = [];
  const planned: (FormerVersion & { readonly name: string })[] = [];
  const places = wanted.map((template, index) => ({ template, path: ['templates', index] }));
  for (const { template, path } of places.sort((left, right) => left.template.version - right.template.version)) {
    const before = planned.filter(({ name }) => name === template.name);
    const publishing = await checkPublishing(template, { repositories, tenant, context, before });
    planned.push(template);
    if (publishing.kind === 'taken') {
      issues.push({ path: [...path, 'version'], message: publishing.message });
    } else if (publishing.kind === 'faulty') {
      issues.push(...publishing.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })));
    } else if (inUse.get(referenceTo(template))?.origin !== 'config') {
      plan.push(planPublication(dependencies, template, inUse.has(referenceTo(template))));
    }
  }
  const named = new Set(wanted.map(referenceTo));
  const dropped = state.templates.filter((record) => record.origin === 'config' && !named.has(referenceTo(record)));
  return { plan: [...dropped.map(({ spec }) => planRetirement(dependencies, spec)), ...plan], issues };
}

/** Of one that is in use already only the owner changes. */
function planPublication(dependencies: WriteDependencies, template: Template, isInUse: boolean): PlannedWrite {
  const reference = referenceTo(template);
  const diff = differences({}, compactTemplate(template));
  const change: Change = { kind: 'template', name: reference, op: 'create', diff };
  return {
    ...(isInUse ? {} : { change }),
    async run({ tenant, context, record }) {
      const version = { tenant, document: templateDocument(template), origin: 'config' } as const;
      await dependencies.repositories.templates.createTemplateVersionImmutable(version, context);
      if (!isInUse) await record('admin.created', `template:${reference}`);
    },
  };
}

function planRetirement({ repositories }: WriteDependencies, { name, version }: Template): PlannedWrite {
  const reference = referenceTo({ name, version });
  return {
    change: { kind: 'template', name: reference, op: 'delete', diff: [] },
    async run({ tenant, context, record }) {
      await repositories.templates.retireTemplateVersion(tenant, name, version, context);
      await record('admin.removed', `template:${reference}`);
    },
  };
}
