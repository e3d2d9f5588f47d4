import type { CallJournal } from '@postern/db/ports';
import type { Transport } from '@postern/proxy-runtime';
import type { TargetGuard } from '@postern/ssrf-guard';
import type { SecretCache } from '@postern/vault';
import type { ArrivalHosts } from './arrival-hosts.ts';
import type { BodyLimits } from './body/receive-body.ts';
import type { Directory } from './directory/directory.ts';
import type { Refusals } from './refusals.ts';
import type { TrustedProxies } from './trusted-proxies.ts';
import type { WideEvent } from './wide-event.ts';

/** Where a log line goes. `fields` hold no secret; names are stable. */
export interface CallLog {
  readonly call: (event: WideEvent, latencyMs: number) => void;
  readonly error: (error: unknown, doing: string, requestId?: string) => void;
}

export interface CallMetrics {
  countCall(event: WideEvent, seconds: number): void;
  countUpstreamError(code: string): void;
}

/** Everything the stages need, made once by the composition of the application. */
export interface Gateway {
  readonly directory: Directory;
  readonly journal: CallJournal;
  readonly guard: TargetGuard;
  readonly secrets: SecretCache;
  readonly transport: Transport;
  readonly refusals: Refusals;
  readonly arrivalHosts: ArrivalHosts;
  readonly trustedProxies: TrustedProxies;
  readonly log: CallLog;
  readonly metrics: CallMetrics;
  /** Named in entries of agents that have no environment of their own. */
  readonly environment: string | undefined;
  readonly spoolFolder: BodyLimits['spoolFolder'];
  /** Our name in `Via` (RFC 9110 section 7.6.3): equal on all nodes of one installation, unlike any other's. */
  readonly viaName: string;
  /** Base of all links into the data plane, without trailing slash; known once the listener is bound. */
  readonly publicUrl: () => string;
  /** True when address and port are one of the gateway's own listeners. */
  readonly isOwnListener: (address: string, port: number) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newRequestId: () => string;
  /** True from the signal to stop on. */
  readonly isStopping: () => boolean;
}
