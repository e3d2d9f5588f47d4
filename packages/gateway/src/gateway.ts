import type { CallJournal, RateLimitsPort } from '@postern/db/ports';
import type { AttemptReport, Transport } from '@postern/proxy-runtime';
import type { TargetGuard } from '@postern/ssrf-guard';
import type { SecretCache } from '@postern/vault';
import type { HeldCalls } from './approvals/held-calls.ts';
import type { ArrivalHosts } from './arrival-hosts.ts';
import type { BodyMemory } from './body/body-memory.ts';
import type { BodyLimits } from './body/receive-body.ts';
import type { CallCounts } from './call-counts.ts';
import type { CallTracing } from './call-trace.ts';
import type { Directory } from './directory/directory.ts';
import type { CallQueue } from './queue/call-queue.ts';
import type { Refusals } from './refusals.ts';
import type { TokenKeeper } from './tokens/token-keeper.ts';
import type { TrustedProxies } from './trusted-proxies.ts';
import type { WideEvent } from './wide-event.ts';

/** Where a log line goes. `fields` hold no secret; names are stable. */
export interface CallLog {
  readonly call: (event: WideEvent, latencyMs: number) => void;
  readonly error: (error: unknown, doing: string, requestId?: string) => void;
  /** Told of each attempt at an upstream. Its diagnostic is for operators and may name addresses. */
  readonly attempt?: (event: WideEvent, report: AttemptReport) => void;
}

export interface CallMetrics {
  countCall(event: WideEvent, seconds: number): void;
  countUpstreamError(code: string): void;
  /** A token that could not be had; the codes are a closed list. */
  countCredentialError(code: string): void;
  /** A call that a risk scorer could not be heard on; the codes are a closed list. */
  countScorerError(code: string): void;
  /** A further attempt at an upstream, after one that failed or was refused. */
  countRetry(integration: string): void;
}

/** Everything the stages need, made once by the composition of the application. */
export interface Gateway extends HeldCalls {
  /** Where calls wait that nobody waits for. */
  readonly queue: CallQueue;
  readonly directory: Directory;
  readonly journal: CallJournal;
  readonly rateLimits: RateLimitsPort;
  /** For conditions on `count`. */
  readonly callCounts: CallCounts;
  readonly guard: TargetGuard;
  readonly secrets: SecretCache;
  readonly tokens: TokenKeeper;
  readonly transport: Transport;
  readonly refusals: Refusals;
  /** Of the listener that serves: the gateway of an own address differs from the others in this alone. */
  readonly arrivalHosts: ArrivalHosts;
  readonly trustedProxies: TrustedProxies;
  readonly log: CallLog;
  readonly metrics: CallMetrics;
  /** undefined: nobody asks for traces. */
  readonly tracing?: CallTracing | undefined;
  /** Named in entries of agents that have no environment of their own. */
  readonly environment: string | undefined;
  readonly spoolFolder: BodyLimits['spoolFolder'];
  /** What bodies of all calls together may take of memory. */
  readonly bodyMemory: BodyMemory;
  /** Told of the bytes of answers as they pass: each piece is a buffer outside the heap, which the collector hardly sees. */
  readonly onAnswerBytes?: ((bytes: number) => void) | undefined;
  /** Our name in `Via` (RFC 9110 section 7.6.3): equal on all nodes of one installation, unlike any other's. */
  readonly viaName: string;
  /** Base of all links into the data plane, without trailing slash; known once the listener is bound. */
  readonly publicUrl: () => string;
  /** `POSTERN_HOST_SUFFIX`: `{integration}.{suffix}` leads to the integration. */
  readonly hostSuffix: string;
  /** Where an integration's own address is listened on, `127.0.0.1:8101`; undefined when it has none, or it could not be opened. */
  readonly ownAddress: (tenant: string, integration: string) => string | undefined;
  /** Away, it is stood in for by what this node knows alone. undefined: there is none. */
  readonly redisState?: (() => 'ok' | 'degraded') | undefined;
  /** False when some integration's own address could not be opened. */
  readonly ownAddressesOpen: () => boolean;
  /** True when address and port are one of the gateway's own listeners. */
  readonly isOwnListener: (address: string, port: number) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newRequestId: () => string;
  /** True from the signal to stop on. */
  readonly isStopping: () => boolean;
}
