import { type Agent, type Integration, type Rule, TRUST_LEVELS, trustNumber } from '@postern/schemas';
import { type Finding, type MistakeCode, warning } from './finding.ts';
import { coversPath, mayLieUnder } from './path-cover.ts';

interface RuledConfiguration {
  readonly agents: readonly Agent[];
  readonly integrations: readonly Integration[];
  readonly rules: readonly Rule[];
}

/** Rules and actions that can never match, or never count. */
export function checkRules(configuration: RuledConfiguration): Finding[] {
  const rules = configuration.rules.filter(({ disabled }) => disabled !== true);
  return [
    ...rules.flatMap((rule) => [
      ...checkNames(rule, configuration),
      ...checkAgents(rule, configuration.agents),
      ...checkShadow(rule, rules),
      ...checkRulePaths(rule, configuration.integrations),
    ]),
    ...configuration.integrations.filter(({ disabled }) => !disabled).flatMap(checkActionPaths),
  ];
}

function mistake(code: MistakeCode, rule: Rule, message: string): Finding {
  return warning(code, { about: `rule ${rule.id}`, message, remedy: `Mend it, or: postern rules disable ${rule.id}` });
}

function checkNames(rule: Rule, { agents, integrations }: RuledConfiguration): Finding[] {
  const named = integrations.filter(({ name }) => rule.integrations?.includes(name) ?? true);
  const missing = [
    ...lacking(
      'agent',
      rule.agents?.filter((name) => !/[:>]/.test(name)),
      agents,
    ),
    ...lacking('integration', rule.integrations, integrations),
    ...lacking(
      'action',
      rule.actions,
      named.flatMap(({ actions }) => actions),
    ),
  ];
  return missing.map((what) => mistake('rule-names-nothing', rule, `names ${what}, which does not exist`));
}

function lacking(kind: string, names: readonly string[] | undefined, there: readonly { name: string }[]): string[] {
  return (names ?? []).filter((name) => !there.some((one) => one.name === name)).map((name) => `${kind} ${name}`);
}

/** Names that do not exist are told apart. */
function checkAgents(rule: Rule, agents: readonly Agent[]): Finding[] {
  const selectors = rule.agents ?? [];
  if (selectors.length === 0 || agents.length === 0 || selectors.some((selector) => !/[:>]/.test(selector))) return [];
  if (agents.some((agent) => selectors.some((selector) => selects(selector, agent)))) return [];
  return [mistake('rule-without-agents', rule, `is for ${selectors.join(' or ')}, and no agent is that`)];
}

export function selects(selector: string, { name, roles, environment, trust }: Agent): boolean {
  if (selector.startsWith('role:')) return roles.includes(selector.slice('role:'.length));
  if (selector.startsWith('environment:')) return environment === selector.slice('environment:'.length);
  if (!selector.startsWith('trust>=')) return selector === name;
  const level = selector.slice('trust>='.length);
  const least = /^[0-4]$/.test(level) ? Number(level) : (TRUST_LEVELS as readonly string[]).indexOf(level);
  return least >= 0 && trustNumber(trust) >= least;
}

/** The order of rules never matters: a deny always counts more. */
function checkShadow(rule: Rule, rules: readonly Rule[]): Finding[] {
  if (rule.shadow === true || (rule.effect !== 'allow' && rule.effect !== 'require_approval')) return [];
  const over = rules.find((other) => other.effect === 'deny' && covers(other, rule));
  if (over === undefined) return [];
  return [
    mistake('rule-shadowed', rule, `never counts: ${over.hard ? 'the hard deny' : 'the deny'} ${over.id} covers it`),
  ];
}

/** Whether everything that `inner` matches, `outer` matches too. Says no where it cannot tell. */
function covers(outer: Rule, inner: Rule): boolean {
  if (outer.when !== undefined || outer.shadow === true) return false;
  const lists = ['agents', 'integrations', 'actions', 'methods', 'hosts'] as const;
  const isCovered = (list: (typeof lists)[number]) => {
    const wanted: readonly string[] | undefined = inner[list];
    const given: readonly string[] | undefined = outer[list];
    return given === undefined || (wanted?.every((item) => given.includes(item)) ?? false);
  };
  if (!lists.every(isCovered)) return false;
  const { paths } = outer;
  if (paths === undefined) return true;
  return inner.paths?.every((path) => paths.some((pattern) => coversPath(pattern, path))) ?? paths.includes('/**');
}

function checkRulePaths(rule: Rule, integrations: readonly Integration[]): Finding[] {
  const named = integrations.filter(({ name }) => rule.integrations?.includes(name) ?? true);
  if (named.length === 0) return [];
  return (rule.paths ?? [])
    .filter((pattern) => !named.some(({ baseUrl }) => mayLieUnder(pattern, basePathOf(baseUrl))))
    .map((pattern) => mistake('rule-outside-base', rule, outside(pattern, named[0] as Integration)));
}

function checkActionPaths(integration: Integration): Finding[] {
  const basePath = basePathOf(integration.baseUrl);
  if (integration.template !== null) return checkTemplatePaths(integration, basePath);
  return integration.actions.flatMap(({ name, paths }) =>
    paths
      .filter((pattern) => !mayLieUnder(pattern, basePath))
      .map((pattern) =>
        warning('rule-outside-base', {
          about: `integration ${integration.name}`,
          message: `action ${name}: ${outside(pattern, integration)}`,
          remedy: `Write the complete path, base path included: ${basePath}${pattern}`,
        }),
      ),
  );
}

/** Told once: that the base URL is not the one that the template was written for shows in all its actions. */
function checkTemplatePaths(integration: Integration, basePath: string): Finding[] {
  const { name, template, actions } = integration;
  const outer = actions.find(({ paths }) => !paths.some((pattern) => mayLieUnder(pattern, basePath)));
  if (outer === undefined) return [];
  const message = `action ${outer.name}: ${outside(outer.paths[0] ?? '', integration)}`;
  const remedy = `Is the base URL the one that ${template} is for (postern templates show ${template})? Else give the action paths of its own.`;
  return [warning('rule-outside-base', { about: `integration ${name}`, message, remedy })];
}

function outside(pattern: string, { name, baseUrl }: Integration): string {
  return `no path of ${name} fits ${pattern}: all begin with ${basePathOf(baseUrl)}`;
}

/** Without a slash at its end; empty for a base URL without path. */
export function basePathOf(baseUrl: string): string {
  return new URL(baseUrl).pathname.replace(/\/+$/, '');
}
