import { isRecord, type Report } from './read-fields.ts';
import type { Selectors } from './read-rule.ts';
import type { SelectingField } from './rule.ts';

/** The names a bundle lists. Undefined where it has no list: then no reference of that kind can be judged. */
export interface KnownNames {
  readonly agents: ReadonlySet<string> | undefined;
  /** By integration its actions; undefined where they are not listed here (a template has more). */
  readonly integrations: ReadonlyMap<string, ReadonlySet<string> | undefined> | undefined;
}

export function knownNames(agents: unknown, integrations: unknown): KnownNames {
  const agentNames = namedItems(agents).map(({ name }) => name);
  const known = new Map(namedItems(integrations).map((item) => [item.name, actionNames(item)]));
  return {
    agents: Array.isArray(agents) ? new Set(agentNames) : undefined,
    integrations: Array.isArray(integrations) ? known : undefined,
  };
}

/** Tells `report` each agent, integration and action of `selectors` that the bundle does not have. */
export function checkReferences(selectors: Selectors, known: KnownNames, report: Report): void {
  const check = (field: SelectingField, isKnown: (item: string) => boolean, what: string) => {
    for (const [position, item] of (selectors[field] ?? []).entries()) {
      if (!isKnown(item)) report(`${field}[${position}]`, `names ${what}`);
    }
  };
  const { agents, integrations } = known;
  if (agents !== undefined) check('agents', (item) => isSelector(item) || agents.has(item), 'an unknown agent');
  if (integrations === undefined) return;
  check('integrations', (item) => integrations.has(item), 'an unknown integration');
  const within = selectors.integrations ?? [...integrations.keys()];
  const actions = within.map((name) => integrations.get(name));
  if (actions.includes(undefined)) return;
  check(
    'actions',
    (item) => actions.some((names) => names?.has(item)),
    'an action that no integration of the rule has',
  );
}

/** Whether every action that `selectors` name, in every integration they reach, passes its body as it comes. */
export function streamsAlways(selectors: Selectors, integrations: unknown): boolean {
  const { actions, integrations: names } = selectors;
  if (actions === undefined) return false;
  const named = namedItems(integrations)
    .filter(({ name }) => names === undefined || names.includes(name))
    .flatMap((integration) => namedItems(integration['actions']))
    .filter(({ name }) => actions.includes(name));
  return named.length > 0 && named.every((action) => action['body'] === 'stream');
}

function isSelector(item: string): boolean {
  return item.includes(':') || item.includes('>=');
}

function actionNames(integration: Record<string, unknown>): ReadonlySet<string> | undefined {
  const hasTemplate = integration['template'] !== undefined && integration['template'] !== null;
  if (hasTemplate || !Array.isArray(integration['actions'])) return undefined;
  return new Set(namedItems(integration['actions']).map(({ name }) => name));
}

function namedItems(list: unknown): (Record<string, unknown> & { name: string })[] {
  if (!Array.isArray(list)) return [];
  return list.filter((item): item is Record<string, unknown> & { name: string } => {
    return isRecord(item) && typeof item['name'] === 'string';
  });
}
