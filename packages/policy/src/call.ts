import type { AgentFacts } from './agent-selectors.ts';
import { foldedPath } from './path-pattern.ts';
import { type PathReadings, readPath } from './path-readings.ts';

/** A canonical URL taken apart. `host` is lower-case without port (IPv6 in brackets), `path` complete and without query. */
export interface Target {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** What is known of a call when it is judged. Everything is canonical: what is judged is what is sent. */
export interface Facts {
  readonly tenant: string;
  readonly agent: AgentFacts;
  readonly request: {
    /** An upper-case method token. */
    readonly method: string;
    /** The canonical URL. Parsed only when `target` is absent. */
    readonly url: string;
    readonly target?: Target | undefined;
    readonly headers: HeaderFacts;
    /** By name the decoded values in their order. Absent: read from `url` when touched. */
    readonly query?: Readonly<Record<string, readonly string[]>> | undefined;
    /**
     * The value of a strict-JSON or form body (`readFormBody`), or a function that answers it, called at most once and only when
     * something looks at the body; when it throws, the body counts as not inspected. Absent or null: there is none.
     */
    readonly body?: unknown;
    /** False where the body could not be read: then looking at it is an error. */
    readonly bodyInspected: boolean;
  };
  readonly integration: { readonly name: string };
  readonly action?: ActionFacts | undefined;
  /** The other actions that `compileActions` finds in the path: a spelling of it that is no spelling of the action must not loosen. */
  readonly otherActions?: readonly OtherAction[] | undefined;
  /** A score that somebody else came to, 0 to 1. It can only raise what `scoreRisk` says. */
  readonly risk?:
    | number
    | { readonly score: number; readonly labels?: readonly string[] | undefined }
    | null
    | undefined;
  /** Of a tool call. */
  readonly tool?: ToolFacts | null | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Calls this agent sent to this action in the last minute, hour and day. */
  readonly counts?: CountFacts | null | undefined;
  /** The agent has not called this host in 30 days. */
  readonly hostIsNew?: boolean | undefined;
}

/** Pairs of name and value, or values by name; names in any case. */
export type HeaderFacts =
  | readonly (readonly [name: string, value: string])[]
  | Readonly<Record<string, string | readonly string[]>>;

export interface ToolFacts {
  readonly name: string;
  readonly server?: string | undefined;
  readonly arguments?: unknown;
}

export interface CountFacts {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
}

/** The action the call was found to be. Any `approval` but `none` and absent counts as `required`. */
export interface ActionFacts {
  readonly name: string;
  readonly risk?: string | undefined;
  readonly approval?: string | undefined;
}

/** An action that an upstream may take the call for, which reads more in the path than is written. */
export interface OtherAction {
  readonly action: ActionFacts;
  /** Only for an upstream that takes `%2f` for a slash, which no rule that opens reckons with. */
  readonly isBySplit: boolean;
}

/** The facts that the selectors of rules look at, checked. */
export interface Call {
  readonly agent: AgentFacts;
  readonly integration: string;
  readonly action: string | undefined;
  readonly otherActions: readonly OtherAction[];
  readonly method: string;
  readonly host: string;
  /** Folded: see `foldedPath`. */
  readonly path: string;
  readonly target: Target;
  /** For `readingsOf`. */
  readings: PathReadings | undefined;
}

/** How upstreams may read the path; found out when a rule first asks. */
export function readingsOf(call: Call): PathReadings {
  call.readings ??= readPath(call.path);
  return call.readings;
}

const NO_ACTIONS: readonly never[] = Object.freeze([]);

const METHOD = /^[A-Z][A-Z-]*$/;

/** The call in `facts`, or why it cannot be judged. Facts that no rule could be held against must end in a refusal. */
export function readCall(facts: Facts): Call | string {
  const { agent, request } = facts;
  const target = request.target ?? parseTarget(request.url);
  if (target === undefined) return 'the URL cannot be parsed';
  if (target.host === '' || !target.path.startsWith('/')) return 'the URL has no host or no path';
  if (!METHOD.test(request.method)) return 'the method is not an upper-case token';
  if (!Number.isInteger(agent.trust) || agent.trust < 0 || agent.trust > 4)
    return 'the trust of the agent is not 0 to 4';
  return {
    agent,
    integration: facts.integration.name,
    action: facts.action?.name,
    otherActions: facts.otherActions ?? NO_ACTIONS,
    method: request.method,
    host: target.host,
    path: foldedPath(target.path),
    target,
    readings: undefined,
  };
}

function parseTarget(text: string): Target | undefined {
  const url = URL.parse(text);
  if (url === null) return undefined;
  const scheme = url.protocol.slice(0, -1);
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  return { scheme, host: url.hostname, port, path: url.pathname };
}
