import { type Rule, TRUST_LEVELS } from '@postern/schemas';
import type { DescriptorScope } from '../ports/policy-rules.ts';

/**
 * Those of `rules` that could match a call of that scope. Wider than the policy's own judgement where anything is unclear: a rule that is
 * left out here is one that no reading of the call could meet.
 */
export function rulesInScope<Item extends { readonly spec: Rule }>(
  rules: readonly Item[],
  scope: DescriptorScope,
): readonly Item[] {
  const kept = rules.filter(({ spec }) => couldMatch(spec, scope));
  if (kept.some(({ spec }) => closesByPath(spec))) return kept;
  // Whether any rule closes by paths decides how a path that cannot be read is judged, so one of them stays.
  const closing = rules.find(({ spec }) => closesByPath(spec));
  return closing === undefined ? kept : rules.filter((rule) => rule === closing || kept.includes(rule));
}

function couldMatch(rule: Rule, { agent, integration, actions, method, host }: DescriptorScope): boolean {
  return (
    (agent === undefined || couldSelectAgent(rule.agents, agent)) &&
    (integration === undefined || includes(rule.integrations, integration, '*')) &&
    (actions === undefined || rule.actions === undefined || rule.actions.some((action) => actions.includes(action))) &&
    (method === undefined || includes(rule.methods, method)) &&
    (host === undefined || includes(rule.hosts, host))
  );
}

/** `any`: the item that stands for all, where there is one. */
function includes(list: readonly string[] | undefined, item: string, any?: string): boolean {
  return list === undefined || list.includes(item) || (any !== undefined && list.includes(any));
}

function couldSelectAgent(
  selectors: readonly string[] | undefined,
  agent: NonNullable<DescriptorScope['agent']>,
): boolean {
  if (selectors === undefined) return true;
  return selectors.some((selector) => {
    if (selector === '*') return true;
    if (selector.startsWith('role:')) return agent.roles?.includes(selector.slice('role:'.length)) ?? true;
    if (selector.startsWith('trust>=')) return couldTrust(selector.slice('trust>='.length), agent.trust);
    if (!selector.startsWith('environment:')) return selector === agent.name;
    return agent.environment === undefined || selector.slice('environment:'.length) === agent.environment;
  });
}

/** A level that this program cannot read leaves nothing out. */
function couldTrust(text: string, trust: number | undefined): boolean {
  const level = /^[0-4]$/.test(text) ? Number(text) : (TRUST_LEVELS as readonly string[]).indexOf(text);
  return trust === undefined || level === -1 || trust >= level;
}

/** As the policy asks when it compiles. */
function closesByPath(rule: Rule): boolean {
  return rule.paths !== undefined && rule.effect !== 'allow' && rule.shadow !== true;
}
