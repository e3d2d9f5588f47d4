import { type Call, readingsOf } from './call.ts';
import { addToPathIndex, collectFromPathIndex, createPathIndex, type PathIndex } from './path-index.ts';
import { type CompiledRule, isClosing } from './rule.ts';

/**
 * Rules by integration, then agent name or role, then method, then action, then path (or host): a call looks at the few that could
 * match it, however many there are. The index may offer a rule that does not match, or one rule several times; it never keeps a
 * matching one back. `createRuleIndex` is the only writer.
 */
export interface RuleIndex {
  readonly byIntegration: Map<string, AgentLevel>;
  readonly anyIntegration: AgentLevel;
}

interface AgentLevel {
  readonly byName: Map<string, MethodLevel>;
  readonly byRole: Map<string, MethodLevel>;
  /** Also rules with `trust>=` or `environment:` selectors, which no key can find. */
  readonly anyAgent: MethodLevel;
}

interface MethodLevel {
  readonly byMethod: Map<string, ActionLevel>;
  readonly anyMethod: ActionLevel;
}

interface ActionLevel {
  readonly byAction: Map<string, Bucket>;
  readonly anyAction: Bucket;
}

interface Bucket {
  /** Rules that open by their patterns as these are written, rules that close by the readings of theirs. */
  paths: PathIndex<CompiledRule> | undefined;
  readonly byHost: Map<string, CompiledRule[]>;
  readonly rest: CompiledRule[];
}

/** A rule with long lists in several fields would stand in their product of places; beyond this some lists are not indexed. */
const PLACES_MAX = 256;

export function createRuleIndex(rules: readonly CompiledRule[]): RuleIndex {
  const index: RuleIndex = { byIntegration: new Map(), anyIntegration: createAgentLevel() };
  for (const rule of rules) addRule(index, rule);
  return index;
}

/** The rules that could match `call`. */
export function candidateRules(index: RuleIndex, call: Call): CompiledRule[] {
  const found: CompiledRule[] = [];
  const own = index.byIntegration.get(call.integration);
  if (own !== undefined) collectByAgent(own, call, found);
  collectByAgent(index.anyIntegration, call, found);
  return found;
}

function collectByAgent(level: AgentLevel, call: Call, found: CompiledRule[]): void {
  collectByMethod(level.anyAgent, call, found);
  collectByMethod(level.byName.get(call.agent.name), call, found);
  if (level.byRole.size === 0) return;
  for (const role of call.agent.roles) collectByMethod(level.byRole.get(role), call, found);
}

function collectByMethod(level: MethodLevel | undefined, call: Call, found: CompiledRule[]): void {
  if (level === undefined) return;
  collectByAction(level.anyMethod, call, found);
  collectByAction(level.byMethod.get(call.method), call, found);
}

function collectByAction(level: ActionLevel | undefined, call: Call, found: CompiledRule[]): void {
  if (level === undefined) return;
  collectFromBucket(level.anyAction, call, found);
  if (level.byAction.size === 0) return;
  if (call.action !== undefined) collectFromBucket(level.byAction.get(call.action), call, found);
  for (const { action } of call.otherActions) collectFromBucket(level.byAction.get(action.name), call, found);
}

function collectFromBucket(bucket: Bucket | undefined, call: Call, found: CompiledRule[]): void {
  if (bucket === undefined) return;
  for (const rule of bucket.rest) found.push(rule);
  if (bucket.paths !== undefined) collectByPath(bucket.paths, call, found);
  if (bucket.byHost.size === 0) return;
  for (const rule of bucket.byHost.get(call.host) ?? []) found.push(rule);
}

/** Nearly always the path is all its readings, and one walk finds all. */
function collectByPath(paths: PathIndex<CompiledRule>, call: Call, found: CompiledRule[]): void {
  const { alike, decoded, split } = readingsOf(call);
  collectFromPathIndex(paths, call.path, found);
  if (alike !== call.path) collectFromPathIndex(paths, alike, found);
  if (decoded !== alike) collectFromPathIndex(paths, decoded, found);
  if (split !== decoded) collectFromPathIndex(paths, split, found);
}

/** The keys a rule stands under at each level; null stands for "any". */
interface Keys {
  readonly integrations: readonly (string | null)[];
  readonly agents: readonly (AgentKey | null)[];
  readonly methods: readonly (string | null)[];
  readonly actions: readonly (string | null)[];
}

interface AgentKey {
  readonly kind: 'name' | 'role';
  readonly value: string;
}

const ANY: readonly null[] = [null];

function addRule(index: RuleIndex, rule: CompiledRule): void {
  const keys = keysOf(rule);
  for (const integration of keys.integrations) {
    const agents =
      integration === null ? index.anyIntegration : entry(index.byIntegration, integration, createAgentLevel);
    for (const agent of keys.agents) {
      const methods = methodLevelFor(agents, agent);
      for (const method of keys.methods) {
        const actions = method === null ? methods.anyMethod : entry(methods.byMethod, method, createActionLevel);
        for (const action of keys.actions) {
          addToBucket(action === null ? actions.anyAction : entry(actions.byAction, action, createBucket), rule);
        }
      }
    }
  }
}

function keysOf(rule: CompiledRule): Keys {
  let places = Math.max(1, rule.paths?.length ?? rule.hosts?.size ?? 1);
  const within = <Key>(keys: readonly Key[] | undefined): readonly (Key | null)[] => {
    if (keys === undefined || places * keys.length > PLACES_MAX) return ANY;
    places *= keys.length;
    return keys;
  };
  // In the order of how well each level usually tells rules apart.
  const integrations = within(listOf(rule.integrations));
  const actions = within(listOf(rule.actions));
  const agents = within(agentKeysOf(rule));
  const methods = within(listOf(rule.methods));
  return { integrations, agents, methods, actions };
}

function agentKeysOf({ agents }: CompiledRule): AgentKey[] | undefined {
  if (agents === undefined || agents.environments.size > 0 || Number.isFinite(agents.trustMin)) return undefined;
  const names = [...agents.names].map((value): AgentKey => ({ kind: 'name', value }));
  return [...names, ...[...agents.roles].map((value): AgentKey => ({ kind: 'role', value }))];
}

function listOf(set: ReadonlySet<string> | undefined): string[] | undefined {
  return set === undefined ? undefined : [...set];
}

function methodLevelFor(level: AgentLevel, agent: AgentKey | null): MethodLevel {
  if (agent === null) return level.anyAgent;
  return entry(agent.kind === 'name' ? level.byName : level.byRole, agent.value, createMethodLevel);
}

function addToBucket(bucket: Bucket, rule: CompiledRule): void {
  if (rule.paths !== undefined) {
    bucket.paths ??= createPathIndex();
    for (const written of rule.paths) {
      const { alike, decoded, split } = written.readings;
      const patterns = isClosing(rule) ? new Set([alike, decoded, split]) : [written];
      for (const pattern of patterns) addToPathIndex(bucket.paths, pattern, rule);
    }
  } else if (rule.hosts !== undefined) {
    for (const host of rule.hosts) entry(bucket.byHost, host, () => []).push(rule);
  } else {
    bucket.rest.push(rule);
  }
}

const createAgentLevel = (): AgentLevel => ({ byName: new Map(), byRole: new Map(), anyAgent: createMethodLevel() });
const createMethodLevel = (): MethodLevel => ({ byMethod: new Map(), anyMethod: createActionLevel() });
const createActionLevel = (): ActionLevel => ({ byAction: new Map(), anyAction: createBucket() });
const createBucket = (): Bucket => ({
  paths: undefined,
  byHost: new Map(),
  rest: [],
});

function entry<Value>(map: Map<string, Value>, key: string, create: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
