import { TRUST_LEVELS } from '@postern/schemas';
import type { AgentFacts } from '../agent-selectors.ts';
import type { ActionFacts, CountFacts, Facts, HeaderFacts, ToolFacts } from '../call.ts';
import type { PolicyBundle } from '../compile-policy.ts';
import { type ActionPatterns, compileActions } from '../match-action.ts';
import { PolicyError } from '../policy-error.ts';
import { isRecord } from '../read-fields.ts';

/** A test that describes no call. Its message says what is wrong. */
export class NotACall extends Error {
  override readonly name = 'NotACall';
}

const CALL_FIELDS: ReadonlySet<string> = new Set([
  'agent',
  'integration',
  'method',
  'path',
  'url',
  'query',
  'headers',
  'body',
  'form',
  'bodyInspected',
  'action',
  'tool',
  'risk',
  'at',
  'counts',
  'hostIsNew',
  'tenant',
]);

/**
 * The facts of a call as a test writes it. `agent` is a name of the bundle or `{name, roles?, trust?, environment?}`; `path` goes after
 * the integration's `baseUrl` (or `url` is all of it); `query` maps names to a text or a list; `body` is a JSON value and `form` a map
 * of texts; `action` names one of the integration, else it is found by method and path; `at` is a time of RFC 3339.
 *
 * @throws NotACall
 */
export function factsOfCall(bundle: PolicyBundle, call: unknown): Facts {
  if (!isRecord(call)) throw new NotACall('call must have agent, integration, method and path or url');
  for (const field of Object.keys(call)) {
    if (!CALL_FIELDS.has(field)) throw new NotACall(`call.${field} is not known`);
  }
  const integration = namedItem(bundle.integrations, call['integration'], 'integration');
  const method = textOf(call['method'] ?? 'GET', 'method');
  const url = urlOf(integration, call);
  const { action, otherActions } = actionsOf(integration, call, method, url.pathname);
  // A body that passes as it comes is never looked into.
  const isStreamed = isRecord(action) && action['body'] === 'stream';
  return {
    tenant: typeof call['tenant'] === 'string' ? call['tenant'] : 'default',
    agent: agentOf(bundle, call['agent']),
    request: {
      method,
      url: url.href,
      headers: (call['headers'] ?? {}) as HeaderFacts,
      body: isStreamed ? undefined : (call['body'] ?? call['form'] ?? null),
      bodyInspected: !isStreamed && call['bodyInspected'] !== false,
    },
    integration: { name: textOf(integration['name'], 'integration') },
    action,
    otherActions,
    now: timeOf(call['at']),
    tool: (call['tool'] ?? undefined) as ToolFacts | undefined,
    risk: (call['risk'] ?? undefined) as Facts['risk'],
    counts: (call['counts'] ?? undefined) as CountFacts | undefined,
    hostIsNew: call['hostIsNew'] === true,
  };
}

function namedItem(list: readonly object[] | undefined, name: unknown, what: string): Record<string, unknown> {
  const found = list?.find((item) => isRecord(item) && item['name'] === name);
  if (isRecord(found)) return found;
  throw new NotACall(`call.${what} must name one of the bundle`);
}

function textOf(value: unknown, field: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new NotACall(`call.${field} must be a text`);
}

function agentOf({ agents }: PolicyBundle, agent: unknown): AgentFacts {
  const source = isRecord(agent) ? agent : namedItem(agents, agent, 'agent');
  // Absent, it is what it is in a configuration.
  const { trust = 'low', roles, environment } = source;
  const level = typeof trust === 'number' ? trust : (TRUST_LEVELS as readonly unknown[]).indexOf(trust);
  if (level < 0) throw new NotACall(`call.agent.trust must be ${TRUST_LEVELS.join(', ')} or 0 to 4`);
  return {
    name: textOf(source['name'], 'agent.name'),
    roles: Array.isArray(roles) ? roles.map(String) : [],
    trust: level,
    environment: typeof environment === 'string' ? environment : undefined,
  };
}

function urlOf(integration: Record<string, unknown>, call: Record<string, unknown>): URL {
  const { url: whole, path, query } = call;
  const text =
    typeof whole === 'string'
      ? whole
      : textOf(integration['baseUrl'], 'integration').replace(/\/$/, '') + textOf(path, 'path');
  const url = URL.parse(text);
  if (url === null) throw new NotACall('call.url or call.path makes no URL');
  for (const [name, values] of Object.entries(isRecord(query) ? query : {})) {
    for (const value of Array.isArray(values) ? values : [values]) url.searchParams.append(name, String(value));
  }
  return url;
}

function actionsOf(
  integration: Record<string, unknown>,
  call: Record<string, unknown>,
  method: string,
  path: string,
): Pick<Facts, 'action' | 'otherActions'> {
  const { actions = [] } = integration;
  if (!Array.isArray(actions)) return {};
  if (call['action'] !== undefined) {
    return { action: namedItem(actions, call['action'], 'action') as unknown as ActionFacts };
  }
  try {
    return compileActions(actions as readonly ActionPatterns[]).match(method, path);
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new NotACall(`the actions of the integration are invalid: ${cause.message}`, { cause });
  }
}

/** Without a time the first moment of 2026: a test must not depend on the day it runs. */
function timeOf(at: unknown): number {
  if (at === undefined) return Date.UTC(2026, 0, 1);
  const millis = at instanceof Date ? at.getTime() : Date.parse(textOf(at, 'at'));
  if (Number.isNaN(millis)) throw new NotACall('call.at must be a time such as 2026-03-01T09:30:00Z');
  return millis;
}
