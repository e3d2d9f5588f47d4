import { isDeepStrictEqual } from 'node:util';
import {
  type Agent,
  agentSchema,
  type Integration,
  integrationSchema,
  type Rule,
  type Template,
} from '@postern/schemas';

/** An integration as a person would write it: without what is default anyway. */
export function compactIntegration(integration: Integration): object {
  const { hosts, ...rest } = integration;
  // Without them an integration with a template would have the template's, which may be more.
  const isDefaultHost =
    integration.template === null && hosts?.length === 1 && hosts[0] === new URL(integration.baseUrl).hostname;
  const defaults = integrationSchema.parse({ name: integration.name, baseUrl: integration.baseUrl });
  const { name, baseUrl, ...members } = withoutDefaults(rest, defaults);
  const actions = integration.actions.map(compactAction);
  return {
    name: integration.name,
    baseUrl: integration.baseUrl,
    ...(hosts === undefined || isDefaultHost ? {} : { hosts }),
    ...members,
    ...(actions.length === 0 ? {} : { actions }),
  };
}

export function compactTemplate({ actions, ...template }: Template): object {
  const members = withoutDefaults(template, { description: '', hosts: [], limitSignals: [] });
  return { ...members, actions: actions.map(compactAction) };
}

function compactAction(action: Integration['actions'][number]): object {
  return withoutDefaults(action, { approval: 'none', volatile: [] });
}

export function compactAgent(agent: Agent): object {
  const { name: _name, ...members } = withoutDefaults(agent, agentSchema.parse({ name: agent.name }));
  return { name: agent.name, ...members };
}

export function compactRule(rule: Rule): object {
  return withoutDefaults(rule, { disabled: false });
}

function withoutDefaults(value: object, defaults: object): Record<string, unknown> {
  const kept = Object.entries(value).flatMap(([name, member]): [string, unknown][] => {
    const standard = (defaults as Record<string, unknown>)[name];
    if (member === undefined || isDeepStrictEqual(member, standard)) return [];
    const isNested = isPlainObject(member) && isPlainObject(standard);
    return [[name, isNested ? withoutDefaults(member, standard) : member]];
  });
  return Object.fromEntries(kept);
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
