import { compileActions, compilePolicy, type Decision, decide, PolicyError } from '@postern/policy';
import { type Entry, type Risk, type Rule, trustNumber } from '@postern/schemas';
import type { ConfiguredAgent, ConfiguredIntegration } from './check-configuration.ts';
import { basePathOf, selects } from './check-rules.ts';
import { broken, type Finding, ok, warning } from './finding.ts';

export interface RuleQuestion {
  readonly tenant: string;
  readonly rules: readonly Rule[];
  readonly risk?: Risk | undefined;
  /** Calls of the agent to the integration, newest first. */
  readonly own: readonly Entry[];
}

interface ProbedCall {
  readonly method: string;
  readonly url: string;
}

/** The last call if there was one; else one that each rule in its favour would allow. */
export function ruleStep(integration: ConfiguredIntegration, agent: ConfiguredAgent, question: RuleQuestion): Finding {
  const about = `rules for ${agent.name} and ${integration.name}`;
  const calls = callsToJudge(integration, agent, question);
  let open: Decision | undefined;
  let denied: { readonly call: ProbedCall; readonly decision: Decision } | undefined;
  try {
    for (const call of calls) {
      const decision = judge(integration, agent, question, call);
      if (decision.outcome === 'allow') return ok(about, `rule ${decision.rule} allows ${call.method} ${call.url}`);
      if (decision.errors.length > 0 && !decision.hard) open ??= decision;
      denied ??= { call, decision };
    }
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return warning('rule-names-nothing', {
      about,
      message: `cannot be judged here: ${error.message}`,
      remedy: EXPLAIN,
    });
  }
  if (open !== undefined) return undecided(about, open);
  const remedy = `postern rules create ID --effect allow --integration ${integration.name} --agent ${agent.name} --method GET`;
  if (denied === undefined) return broken('no-allow-rule', { about, message: 'none allows anything', remedy });
  return refusedByRule(about, denied.call, denied.decision, remedy);
}

const EXPLAIN = 'Ask the gateway itself: POSTERN_KEY=… postern explain INTEGRATION METHOD PATH';

/** What a condition reads of a call, such as its body, is not known here. */
function undecided(about: string, { errors }: Decision): Finding {
  const rules = errors.flatMap(({ rule }) => rule ?? []).join(', ');
  return ok(about, `hangs on the conditions of ${rules}, which only a whole call decides. ${EXPLAIN}`);
}

function refusedByRule(about: string, { method, url }: ProbedCall, decision: Decision, remedy: string): Finding {
  const call = `${method} ${url}`;
  if (decision.rule === null) return broken('no-allow-rule', { about, message: `none allows ${call}`, remedy });
  const verb = decision.outcome === 'deny' ? 'denies' : 'asks a person about';
  const hard = decision.hard ? ', and nothing lifts it' : '';
  const message = `rule ${decision.rule} ${verb} ${call}${hard}`;
  // `risk:…` and `action:…` are no rules of the list.
  const change = decision.rule.includes(':') ? EXPLAIN : `Narrow it, or: postern rules disable ${decision.rule}`;
  return broken('rule-shadowed', { about, message, remedy: change });
}

function callsToJudge(
  integration: ConfiguredIntegration,
  agent: ConfiguredAgent,
  question: RuleQuestion,
): ProbedCall[] {
  const last = question.own.find(({ method, url }) => method !== undefined && url !== undefined);
  if (last?.method !== undefined && last.url !== undefined) return [{ method: last.method, url: last.url }];
  return question.rules
    .filter((rule) => isInFavour(rule, integration.name, agent))
    .map((rule) => exampleOf(rule, integration));
}

function isInFavour(
  { disabled, shadow, effect, agents, integrations }: Rule,
  integration: string,
  agent: ConfiguredAgent,
): boolean {
  if (disabled === true || shadow === true || (effect !== 'allow' && effect !== 'require_approval')) return false;
  return (
    (integrations?.includes(integration) ?? true) && (agents?.some((selector) => selects(selector, agent)) ?? true)
  );
}

/** A call that the rule matches, as far as its lists tell. */
function exampleOf(rule: Rule, { baseUrl, actions }: ConfiguredIntegration): ProbedCall {
  const action = actions.find(({ name }) => rule.actions?.includes(name));
  const pattern = rule.paths?.[0] ?? action?.paths[0] ?? `${basePathOf(baseUrl)}/**`;
  const path = pattern.replace(/\/\*\*/g, '/x').replace(/\*|\{[^{}]*\}/g, 'x');
  const { origin } = new URL(baseUrl);
  const host = rule.hosts?.[0];
  const url = host === undefined ? origin + path : origin.replace(new URL(origin).hostname, host) + path;
  return { method: rule.methods?.[0] ?? action?.methods[0] ?? 'GET', url };
}

function judge(
  integration: ConfiguredIntegration,
  agent: ConfiguredAgent,
  { rules, risk, tenant }: RuleQuestion,
  { method, url }: ProbedCall,
): Decision {
  const policy = compilePolicy({ rules: rules.map(statementOf), risk }, { checkReferences: false });
  const { name, roles, environment } = agent;
  const { action, otherActions } = compileActions(integration.actions).match(method, new URL(url).pathname);
  return decide(policy, {
    tenant,
    agent: { name, roles, trust: trustNumber(agent.trust), environment },
    request: { method, url, headers: [], bodyInspected: false },
    integration: { name: integration.name },
    action,
    otherActions,
    now: 0,
  });
}

/** Without what the control plane adds. */
function statementOf(rule: Rule): Rule {
  const { origin, createdAt, updatedAt, disabledAt, ...statement } = rule as Rule & Readonly<Record<string, unknown>>;
  return statement as Rule;
}
