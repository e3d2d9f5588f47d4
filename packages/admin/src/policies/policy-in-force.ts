import type { TenantDirectory } from '@postern/db/ports';
import type { PolicyParts } from '@postern/policy';
import { Rejection } from '@postern/schemas';
import { type EffectiveIntegration, effectiveIntegration, findTemplates, policyForm } from '@postern/templates';
import { agentMembers } from '../agent-members.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { readAll } from '../paging.ts';
import type { TestedSections } from './tested-policy.ts';

/** All that decides a tenant's calls now, read as the data plane reads it. */
export interface PolicyInForce {
  /** Without those whose template is not there: none of their calls is judged. */
  readonly integrations: readonly EffectiveIntegration[];
  readonly parts: PolicyParts;
}

type Dependencies = Pick<AdminDependencies, 'repositories'>;

export async function readPolicyInForce(dependencies: Dependencies, tenant: string): Promise<PolicyInForce> {
  const directory = await readDirectory(dependencies, tenant);
  const references = directory.integrations.map(({ spec }) => spec.template);
  const own = directory.templates.map(({ spec }) => spec);
  const findTemplate = await findTemplates(references, own);
  const integrations = directory.integrations.map(({ spec }) => effectiveIntegration(spec, findTemplate));
  return {
    integrations: integrations.filter(({ template }) => template === null || findTemplate(template) !== undefined),
    parts: {
      integrations: integrations.map(policyForm),
      rules: directory.rules.map(({ spec }) => spec),
      globalRules: directory.globalRules.map(({ spec }) => spec),
      risk: directory.settings.risk,
    },
  };
}

/** The same as sections of a document. */
export async function readSectionsInForce(dependencies: Dependencies, tenant: string): Promise<TestedSections> {
  const directory = await readDirectory(dependencies, tenant);
  const agents = await readAll((page) => dependencies.repositories.agents.listByTenant(tenant, page));
  return {
    integrations: directory.integrations.map(({ spec }) => spec),
    templates: directory.templates.map(({ spec }) => spec),
    agents: agents.map(agentMembers),
    rules: directory.rules.map(({ spec }) => spec),
    global: { rules: directory.globalRules.map(({ spec }) => spec) },
    risk: directory.settings.risk,
  };
}

async function readDirectory({ repositories }: Dependencies, tenant: string): Promise<TenantDirectory> {
  const directory = await repositories.directory.load(tenant);
  if (directory === undefined) throw new Rejection('not_found', 'There is no such tenant.');
  return directory;
}
