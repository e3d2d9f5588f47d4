import { CanonicalUrlError, createTargetCanonicaliser, type TargetCanonicaliser } from '@postern/canonicalizer';
import type { AgentRecord } from '@postern/db/ports';
import { type ActionMatcher, compileActions, type RecordedFacts, UNKEPT } from '@postern/policy';
import { type Action, type Entry, type Integration, trustNumber } from '@postern/schemas';
import type { RecordedAgents } from './recorded-agents.ts';
import type { RecordedRisks } from './simulate-risks.ts';

/** Today's configuration, as far as a recorded call is replayed on it. */
export interface ReplayGround {
  readonly integrations: ReadonlyMap<string, ReplayIntegration>;
  readonly agents: RecordedAgents;
  /** Version of the policy in force. */
  readonly currentVersion: string;
  readonly risks: RecordedRisks;
}

interface ReplayIntegration {
  readonly canonicaliser: TargetCanonicaliser;
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  readonly actions: ActionMatcher<Action>;
}

/** A call as it is told of in an answer. */
export interface CallView {
  readonly requestId?: string | undefined;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly agent?: string | undefined;
  readonly integration?: string | undefined;
  readonly action?: string | undefined;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

export type ReplayedCall =
  | { readonly call: CallView; readonly facts: RecordedFacts }
  /** What was recorded of the call does not let it be judged again, and why. */
  | { readonly call: CallView; readonly reason: string };

/** A call has one of these. */
const CALL_TYPES: ReadonlySet<string> = new Set(['intent', 'replayed', 'denied', 'ssrf.denied', 'violation']);
/** A call may have this beside one of these, or nothing else while it waits. */
export const HELD_TYPE = 'approval.created';

/** Whether the entry is all that there is of a call, or its first. */
export function isRecordOfCall({ type }: Pick<Entry, 'type'>): boolean {
  return CALL_TYPES.has(type);
}

/** A change of an agent reaches all nodes within this time (specification, section 8). */
const CHANGE_REACHES_MS = 2_000;

/** `integrations` have what their templates give them. */
export function createReplayGround(parts: {
  readonly integrations: readonly Integration[];
  readonly agents: RecordedAgents;
  readonly currentVersion: string;
  readonly risks: RecordedRisks;
}): ReplayGround {
  const { integrations, agents, currentVersion, risks } = parts;
  return {
    integrations: new Map(integrations.map((spec) => [spec.name, replayIntegration(spec)])),
    agents,
    currentVersion,
    risks,
  };
}

function replayIntegration({ baseUrl, hosts, network, actions }: Integration): ReplayIntegration {
  const canonicaliser = createTargetCanonicaliser(baseUrl);
  const { base } = canonicaliser;
  return {
    canonicaliser,
    hosts: hosts ?? [base.host],
    ports: [base.port, ...(network.ports ?? [])],
    actions: compileActions(actions),
  };
}

/** The call of an entry as its facts were recorded; undefined for an entry that is about no call, or about one that has another. */
export function readRecordedCall(entry: Entry, ground: ReplayGround): ReplayedCall | undefined {
  if (!isRecordOfCall(entry) && entry.type !== HELD_TYPE) return undefined;
  const call = viewCall(entry);
  const { agent, integration: name, method, url } = entry;
  if (agent === undefined || entry.decision === undefined) {
    return { call, reason: `was refused before policy was asked${entry.code === undefined ? '' : ` (${entry.code})`}` };
  }
  if (name === undefined || method === undefined || url === undefined) {
    return { call, reason: 'its record has no integration, method or URL' };
  }
  const integration = ground.integrations.get(name);
  if (integration === undefined) return { call, reason: `integration ${name} is there no more` };
  const target = targetOf(integration, url);
  if (target === undefined) return { call, reason: `its URL is no longer one of integration ${name}` };
  const { action, otherActions } = integration.actions.match(method, target.path);
  return {
    call: { ...call, action: action?.name },
    facts: {
      ...factsOfAgent(entry, agent, ground),
      ...factsNotKept(entry, action),
      riskBelow: ground.risks.below(entry),
      tenant: entry.tenant,
      request: {
        method,
        url: target.url,
        target,
        headers: UNKEPT,
        query: UNKEPT,
        body: UNKEPT,
        // A body that passes as it comes is never looked into.
        bodyInspected: action?.body === 'stream' ? false : UNKEPT,
      },
      integration: { name },
      action,
      otherActions,
      now: entry.at,
    },
  };
}

function viewCall({ requestId, at, agent, integration, action, method, url }: Entry): CallView {
  return { requestId, at: new Date(at).toISOString(), agent, integration, action, method, url };
}

function targetOf({ canonicaliser, hosts, ports }: ReplayIntegration, url: string) {
  try {
    return canonicaliser.fromUrl(url, hosts, ports);
  } catch (cause) {
    if (!(cause instanceof CanonicalUrlError)) throw cause;
    return undefined;
  }
}

/**
 * Roles, trust and environment stand in no entry. Today's agent is the agent of then only where it was not changed since. An entry
 * of an agent without environment may name the gateway's, so that tells the agent's only where there is none.
 */
function factsOfAgent(
  entry: Entry,
  name: string,
  { agents, currentVersion }: ReplayGround,
): Pick<RecordedFacts, 'agent' | 'decided'> {
  const today = agents.get(name);
  const { decision, rule } = entry;
  const decided = entry.policyVersion === currentVersion && decision !== undefined;
  return {
    ...(decided ? { decided: { outcome: decision, rule: rule ?? null } } : {}),
    agent:
      today !== undefined && isAsThen(today, entry.at)
        ? { name, roles: today.roles, trust: trustNumber(today.trust), environment: today.environment }
        : { name, roles: UNKEPT, trust: UNKEPT, environment: entry.environment === undefined ? undefined : UNKEPT },
  };
}

function isAsThen({ version, createdAt, updatedAt }: AgentRecord, at: number): boolean {
  return version === 1 ? createdAt <= at : updatedAt + CHANGE_REACHES_MS <= at;
}

/** Facts that no entry has, where the call had them. */
function factsNotKept(
  { kind, risk }: Entry,
  action: Action | undefined,
): Pick<RecordedFacts, 'tool' | 'counts' | 'risk' | 'hostIsNew'> {
  return {
    tool: kind === 'http' ? undefined : UNKEPT,
    counts: action === undefined ? undefined : UNKEPT,
    risk: risk ?? UNKEPT,
    hostIsNew: UNKEPT,
  };
}
