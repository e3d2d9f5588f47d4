import { decide, explain, type Facts, judgeRecorded, UNKEPT } from '@postern/policy';
import type { Action, Outcome } from '@postern/schemas';
import { answerJson } from '../answers/documents.ts';
import { type CompiledIntegration, integrationOfHost } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import { authenticate, type Caller } from '../stages/authenticate.ts';
import type { ApiWayIn } from './way-in.ts';

/** `GET /v1/integrations`: what the caller may call, where to send it, and what becomes of each action. */
export const integrations: ApiWayIn = {
  kind: 'api',
  async answer(gateway, request) {
    const caller = await authenticate(gateway, request, 'call');
    const items = [...caller.tenant.integrations.values()]
      .filter((integration) => isOpenTo(gateway, caller, integration))
      .sort((left, right) => (left.name < right.name ? -1 : 1))
      .map((integration) => describe(gateway, caller, integration));
    answerJson(request.exchange, 200, { items }, request.event.requestId);
  },
};

/** Some rule could let some call of the agent through. */
function isOpenTo(gateway: Gateway, caller: Caller, integration: CompiledIntegration): boolean {
  const { environments, disabled } = integration.spec;
  if (disabled) return false;
  if (environments !== undefined && !environments.includes(caller.agent.environment ?? '')) return false;
  const { path } = integration.canonicaliser.base;
  const { trace } = explain(
    caller.tenant.policy,
    facts(gateway, caller, { integration, method: 'GET', path, action: undefined }),
  );
  return trace.some(({ effect, shadow }) => shadow !== true && (effect === 'allow' || effect === 'require_approval'));
}

function describe(gateway: Gateway, caller: Caller, integration: CompiledIntegration): Record<string, unknown> {
  return {
    name: integration.name,
    baseUrl: `${gateway.publicUrl()}/to/${integration.name}`,
    listen: gateway.ownAddress(caller.tenant.name, integration.name),
    host: hostOf(gateway, caller, integration),
    actions: integration.spec.actions.map((action) => ({
      name: action.name,
      methods: action.methods,
      paths: action.paths,
      risk: action.risk ?? null,
      outcome: outcomeOf(gateway, caller, integration, action),
    })),
  };
}

/** The host that leads to the integration; undefined when it is another's, or the gateway's own. */
function hostOf(gateway: Gateway, { tenant }: Caller, integration: CompiledIntegration): string | undefined {
  if (integrationOfHost(tenant, integration.name) !== integration) return undefined;
  const host = `${integration.name.toLowerCase()}.${gateway.hostSuffix}`;
  return gateway.arrivalHosts(host)?.kind === 'host' ? host : undefined;
}

const STRENGTH: Record<Outcome, number> = { allow: 0, require_approval: 1, deny: 2 };

/** The mildest outcome among the action's methods and patterns: whether calling it can make sense at all. */
function outcomeOf(gateway: Gateway, caller: Caller, integration: CompiledIntegration, action: Action): Outcome {
  let mildest: Outcome = 'deny';
  for (const method of action.methods) {
    for (const pattern of action.paths) {
      const sample = facts(gateway, caller, { integration, method, path: samplePath(pattern), action });
      for (const outcome of possibleOutcomes(caller, sample)) {
        if (STRENGTH[outcome] < STRENGTH[mildest]) mildest = outcome;
      }
    }
  }
  return mildest;
}

/** More than one where a condition looks at what only a real call has. */
function possibleOutcomes({ tenant: { policy, reads } }: Caller, sample: Facts): readonly Outcome[] {
  if (!reads.conditions) return [decide(policy, sample, { trace: false }).outcome];
  return judgeRecorded(policy, {
    ...sample,
    request: { ...sample.request, headers: UNKEPT, query: UNKEPT, body: UNKEPT, bodyInspected: UNKEPT },
    counts: UNKEPT,
    risk: UNKEPT,
  }).possible;
}

/** A path that the pattern matches. */
function samplePath(pattern: string): string {
  return pattern
    .split('/')
    .map((segment) => (segment === '*' || segment === '**' || segment.startsWith('{') ? 'x' : segment))
    .join('/');
}

interface Sample {
  readonly integration: CompiledIntegration;
  readonly method: string;
  readonly path: string;
  readonly action: Action | undefined;
}

function facts(gateway: Gateway, caller: Caller, sample: Sample): Facts {
  const { scheme, host, port, url } = sample.integration.canonicaliser.base;
  return {
    tenant: caller.tenant.name,
    agent: caller.agent,
    request: {
      method: sample.method,
      url,
      target: { scheme, host, port, path: sample.path },
      headers: [],
      bodyInspected: false,
    },
    integration: sample.integration,
    action: sample.action,
    now: gateway.now(),
  };
}
