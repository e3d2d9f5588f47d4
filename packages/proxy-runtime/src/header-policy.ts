/**
 * Which header fields pass between an agent and an upstream (specification, section 13). An integration's lists narrow the
 * policy and never widen it. Compiled once per integration; a filter call is one pass over a flat array of name, value pairs.
 */
export interface HeaderPolicyOptions {
  /** Patterns: an exact name, or one that ends in `*`. Default `['*']`. */
  readonly requestAllow?: readonly string[] | undefined;
  readonly responseAllow?: readonly string[] | undefined;
  /** Further request fields to remove: those the credential writes. */
  readonly requestRemoved?: readonly string[] | undefined;
}

export interface HeaderPolicy {
  readonly request: FieldVerdicts;
  readonly response: FieldVerdicts;
}

/** Throws `TypeError` for a pattern that is neither a field name nor a prefix with `*`. */
export function compileHeaderPolicy(options: HeaderPolicyOptions = {}): HeaderPolicy {
  const requestAllow = compilePatterns(options.requestAllow ?? ['*'], 'headers.request.allow');
  const responseAllow = compilePatterns(options.responseAllow ?? ['*'], 'headers.response.allow');
  const removed = new Set(REQUEST_REMOVED);
  for (const name of options.requestRemoved ?? []) removed.add(name.toLowerCase());
  return {
    request: new FieldVerdicts((name) => !isRefusedInRequest(name, removed) && isAllowed(name, requestAllow)),
    response: new FieldVerdicts((name) => !isRefusedInResponse(name) && isAllowed(name, responseAllow)),
  };
}

/**
 * The request fields that go on to the upstream, as a new flat array; order and spelling are kept. Framing fields and `host`
 * are never among them: the runtime writes those itself. `extraRemoved`: lower-case names removed from this one request.
 */
export function filterRequestHeaders(
  headers: readonly string[],
  policy: HeaderPolicy,
  extraRemoved?: readonly string[],
): string[] {
  return filterFields(headers, policy.request, extraRemoved);
}

/** The response fields (or trailers) that go back to the agent, as a new flat array. */
export function filterResponseHeaders(headers: readonly string[], policy: HeaderPolicy): string[] {
  return filterFields(headers, policy.response, undefined);
}

/** RFC 9110 section 7.6.1, with the older fields that are treated alike (RFC 9113 section 8.2.2, RFC 7540 section 3.2.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'];

/** All places in which an agent key is looked for. */
const AGENT_KEY_PLACES = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'private-token'];

const REQUEST_REMOVED = [
  ...HOP_BY_HOP,
  ...AGENT_KEY_PLACES,
  'host',
  'content-length',
  'expect',
  'cookie',
  'forwarded',
  'x-real-ip',
  'via',
  'idempotency-key',
  'baggage',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
];

const REQUEST_REMOVED_PREFIXES = ['x-forwarded-', 'proxy-', 'postern-'];

const RESPONSE_REMOVED = new Set([
  ...HOP_BY_HOP,
  'set-cookie',
  'alt-svc',
  'refresh',
  'strict-transport-security',
  'clear-site-data',
  'authentication-info',
]);

/** `proxy-…` is hop-by-hop; `postern-…` is the gateway's own voice, which an upstream must not speak with. */
const RESPONSE_REMOVED_PREFIXES = ['proxy-', 'postern-'];

function isRefusedInRequest(name: string, removed: ReadonlySet<string>): boolean {
  return removed.has(name) || name.includes('_') || hasPrefix(name, REQUEST_REMOVED_PREFIXES);
}

function isRefusedInResponse(name: string): boolean {
  return RESPONSE_REMOVED.has(name) || hasPrefix(name, RESPONSE_REMOVED_PREFIXES);
}

function hasPrefix(name: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix));
}

interface Patterns {
  readonly exact: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** RFC 9110 section 5.6.2, with an optional last `*` that here stands for any rest. */
const PATTERN = /^(?:\*|[!#$%&'+.^_`|~0-9A-Za-z-]+\*?)$/;

function compilePatterns(patterns: readonly string[], field: string): Patterns {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  for (const pattern of patterns) {
    if (!PATTERN.test(pattern)) {
      throw new TypeError(
        `${field}: ${JSON.stringify(pattern)} is neither a header name nor a name's beginning followed by "*"`,
      );
    }
    const name = pattern.toLowerCase();
    if (name.endsWith('*')) prefixes.push(name.slice(0, -1));
    else exact.add(name);
  }
  return { exact, prefixes };
}

function isAllowed(name: string, patterns: Patterns): boolean {
  return patterns.exact.has(name) || hasPrefix(name, patterns.prefixes);
}

/** Verdicts of names by their spelling, so that a name met before costs one look-up. */
export class FieldVerdicts {
  readonly #judge: (name: string) => boolean;
  readonly #passing = new Map<string, string>();

  constructor(judge: (name: string) => boolean) {
    this.#judge = judge;
  }

  /** The lower-case name when the field passes, else the empty string. */
  passing(name: string): string {
    const known = this.#passing.get(name);
    if (known !== undefined) return known;
    const lower = name.toLowerCase();
    const verdict = this.#judge(lower) ? lower : '';
    if (this.#passing.size < VERDICTS_MAX) this.#passing.set(name, verdict);
    return verdict;
  }
}

/** Callers choose the names, so the memory for them is bounded. */
const VERDICTS_MAX = 512;

function filterFields(
  headers: readonly string[],
  verdicts: FieldVerdicts,
  extraRemoved: readonly string[] | undefined,
): string[] {
  const named = connectionOptions(headers);
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const spelled = headers[i] as string;
    const name = verdicts.passing(spelled);
    if (name === '') continue;
    if (named?.has(name) || extraRemoved?.includes(name)) continue;
    kept.push(spelled, headers[i + 1] as string);
  }
  return kept;
}

/** The fields that `Connection` names and that are hop-by-hop by that (RFC 9110 section 7.6.1); undefined when it names none. */
function connectionOptions(headers: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue;
    const value = headers[i + 1] as string;
    if (value === 'keep-alive' || value === 'close') continue;
    named ??= new Set();
    for (const option of value.split(',')) named.add(option.trim().toLowerCase());
  }
  return named;
}
