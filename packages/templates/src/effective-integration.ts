import { createTargetCanonicaliser } from '@postern/canonicalizer';
import type { Integration, LimitSignal, Template } from '@postern/schemas';
import type { FindTemplate } from './find-template.ts';

/** An integration with everything that its template gives it. One without a template is itself. */
export type EffectiveIntegration = Integration & { readonly limitSignals?: readonly LimitSignal[] };

/**
 * The integration as calls meet it: the template's actions, of which its own of the same name take the place, and its own others; the
 * template's hosts where it names none and its base URL is on one of them. `actions` and `hosts` are complete paths and exact names,
 * as ever.
 *
 * One whose template is not there is disabled: its rules speak of actions that nobody knows, so none of its calls can be judged.
 */
export function effectiveIntegration(integration: Integration, findTemplate: FindTemplate): EffectiveIntegration {
  if (integration.template === null) return integration;
  const template = findTemplate(integration.template);
  if (template === undefined) return { ...integration, disabled: true };
  const hosts = integration.hosts ?? hostsOf(template, integration.baseUrl);
  return {
    ...integration,
    ...(hosts === undefined ? {} : { hosts }),
    actions: mergedActions(template, integration),
    limitSignals: template.limitSignals,
  };
}

/**
 * What of an effective integration decides calls. Where its actions came from is not part of it: the same actions make the same
 * policy version.
 */
export function policyForm(integration: EffectiveIntegration): Omit<Integration, 'template'> {
  const { template: _template, limitSignals: _signals, ...rest } = integration;
  return rest;
}

function mergedActions(template: Template, { actions }: Integration): Integration['actions'] {
  const own = new Map(actions.map((action) => [action.name, action]));
  const known = new Set(template.actions.map(({ name }) => name));
  return [
    ...template.actions.map((action) => own.get(action.name) ?? action),
    ...actions.filter(({ name }) => !known.has(name)),
  ];
}

function hostsOf(template: Template, baseUrl: string): string[] | undefined {
  const { host } = createTargetCanonicaliser(baseUrl).base;
  return template.hosts.includes(host) ? template.hosts : undefined;
}
