import { createTargetCanonicaliser } from '@postern/canonicalizer';
import { compileCredential, type StaticCredential } from '@postern/credentials';
import {
  CircuitBreaker,
  createLane,
  type PinnedTarget,
  poolKey,
  type Transport,
  type UpstreamLane,
} from '@postern/proxy-runtime';
import type { RiskScorer } from '@postern/schemas';
import { type AllowVerdict, type CanonicalTarget, compileTargetPolicy, type TargetPolicy } from '@postern/ssrf-guard';
import { ToldFaults } from './told-faults.ts';

/** A tenant's risk scorer made ready once: where it lies, what the guard permits, its budgets, how it stands. */
export interface ScorerEndpoint {
  readonly tenant: string;
  /** What it was made of. */
  readonly spec: RiskScorer;
  readonly url: string;
  readonly target: CanonicalTarget;
  readonly policy: TargetPolicy;
  /** False: excerpts of calls, and the secret, would cross the network in clear, and nobody has permitted that. */
  readonly isPermitted: boolean;
  readonly credential: StaticCredential | undefined;
  readonly lane: UpstreamLane;
  /** Counts questions, not attempts. */
  readonly breaker: CircuitBreaker;
  readonly faults: ToldFaults;
  /** From the beginning of a question to the end of its last attempt. */
  readonly totalMs: number;
  readonly hostField: string;
  readonly pathAndQuery: string;
  pin(verdict: AllowVerdict): PinnedTarget;
}

/** In the place of an integration's name in the keys of its connections; no integration can have it. */
export const SCORER_POOL = '(risk scorer)';

export interface ScorerOptions {
  /** Default 10,000 (specification, section 8). */
  readonly totalMs?: number;
  /** Milliseconds that never go back, for the breaker. Default: the process's monotonic clock. */
  readonly clock?: () => number;
}

const TOTAL_MS = 10_000;
const CONNECT_MS = 3_000;
const ANSWER_BYTES_MAX = 65_536;
/** Questions at one time; a further one fails at once. */
const CONCURRENCY = 16;
/** Of the slowest kind of failure, 10 s each, so many fit the window one after the other. */
const BREAKER = { failures: 3, windowMs: 60_000, openMs: 30_000 };

/** @throws CanonicalUrlError, TypeError when the URL cannot be used; it was checked when it was saved. */
export function compileScorer(
  tenant: string,
  spec: RiskScorer,
  transport: Transport,
  options: ScorerOptions = {},
): ScorerEndpoint {
  const asked = createTargetCanonicaliser(spec.baseUrl).fromPath('/chat/completions');
  const { scheme, port } = asked;
  const host = asked.host.replace(/^\[|\]$/g, '');
  const authority = new URL(asked.url).host;
  const { totalMs = TOTAL_MS } = options;
  const timeouts = { connectMs: CONNECT_MS, firstByteMs: totalMs, totalMs, idleMs: totalMs, streamMs: totalMs };
  const limits = { responseBytes: ANSWER_BYTES_MAX, streamBytes: ANSWER_BYTES_MAX, concurrency: CONCURRENCY };
  const key = poolKey({ tenant, integration: SCORER_POOL, scheme, host, port });
  return {
    tenant,
    spec,
    url: asked.url,
    target: { scheme, host, port },
    policy: compileTargetPolicy({
      hosts: [host],
      ports: [port],
      schemes: [scheme],
      unsafeAllowAddresses: spec.unsafeAllowAddresses,
    }),
    isPermitted: scheme === 'https' || spec.unsafeAllowCleartextCredentials === true,
    credential: bearer(spec.secret),
    lane: createLane({ transport, timeouts, limits, baseUrl: `${scheme}://${authority}` }),
    breaker: new CircuitBreaker(BREAKER, options.clock),
    faults: new ToldFaults(options.clock),
    totalMs,
    hostField: authority,
    pathAndQuery: asked.pathAndQuery,
    pin: ({ address }) => ({ poolKey: key, scheme, host, port, address, connectTimeoutMs: CONNECT_MS }),
  };
}

function bearer(secret: string | undefined): StaticCredential | undefined {
  if (secret === undefined) return undefined;
  const credential = compileCredential({ type: 'bearer', secret });
  if (credential.shape !== 'static') throw new TypeError('a bearer credential is a static one');
  return credential;
}
