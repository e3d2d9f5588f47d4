import {
  type AllowVerdict,
  compileTargetPolicy,
  createTargetGuard,
  type Resolve,
  type TargetGuard,
} from '@postern/ssrf-guard';
import { compileHeaderPolicy, type HeaderPolicy } from './header-policy.ts';
import { createLane, type UpstreamLane } from './lane.ts';
import { ProxyRefusal } from './proxy-refusal.ts';
import { type PinnedTarget, poolKey, type Transport } from './transport.ts';
import { createUndiciTransport } from './undici-transport.ts';
import { portOf, readUpstreamConfig, type UpstreamConfig, type UpstreamSettings } from './upstream-config.ts';

export interface UpstreamClientOptions {
  /** Looks names up; default: hosts file and the system's DNS servers. Not to be given together with `guard`. */
  readonly resolve?: Resolve | undefined;
  /** Judges the targets; default: an own one. Several upstreams may share it. */
  readonly guard?: TargetGuard | undefined;
  /** Moves the bytes; default: an own one. A shared one is not closed by `close`. */
  readonly transport?: Transport | undefined;
  /** What replaces the base URL in a passed redirect; default: the `Location` stays an absolute URL. */
  readonly redirectPrefix?: string | undefined;
  /** Milliseconds that never go back, for the breaker; default `performance.now`. */
  readonly clock?: (() => number) | undefined;
  /** 0 up to 1, for the backoff; default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Milliseconds since the epoch, for a wait that is told as a time; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** An upstream with its connections, ready for `proxyRequest`. */
export interface UpstreamClient {
  readonly settings: UpstreamSettings;
  readonly lane: UpstreamLane;
  readonly headerPolicy: HeaderPolicy;
  readonly redirectPrefix: string | undefined;
  /** Judges the target anew, within the resolver's cache. Throws `ProxyRefusal` `address_forbidden` or `resolve_failed`. */
  pinTarget(): Promise<PinnedTarget>;
  /** Lets running calls end and closes the connections. */
  close(): Promise<void>;
}

/** Checks the configuration and compiles it; connects to nothing yet. Throws `TypeError` that names the field at fault. */
export function createUpstreamClient(config: UpstreamConfig, options: UpstreamClientOptions = {}): UpstreamClient {
  const settings = readUpstreamConfig(config);
  const { base, timeouts, limits, retry, breaker, limitSignals } = settings;
  const transport = options.transport ?? createUndiciTransport();
  return {
    settings,
    lane: createLane({
      transport,
      timeouts,
      limits,
      retry,
      breaker,
      limitSignals,
      baseUrl: base.href,
      clock: options.clock,
      random: options.random,
      now: options.now,
    }),
    headerPolicy: compileHeaderPolicy({ requestAllow: settings.requestAllow, responseAllow: settings.responseAllow }),
    redirectPrefix: options.redirectPrefix,
    pinTarget: createPinner(settings, options.guard ?? createTargetGuard({ resolve: options.resolve })),
    close: () => (options.transport === undefined ? transport.close() : Promise.resolve()),
  };
}

/** Judges at every call; an equal verdict gives the same object, by which the transport knows its pool at a glance. */
function createPinner(settings: UpstreamSettings, guard: TargetGuard): () => Promise<PinnedTarget> {
  const { base, tenant, name, hosts, ports, schemes, unsafeAllowAddresses, ca, timeouts } = settings;
  const policy = compileTargetPolicy({ hosts, ports, schemes, unsafeAllowAddresses });
  const scheme = base.protocol === 'https:' ? ('https' as const) : ('http' as const);
  const asked = { scheme, host: base.hostname, port: portOf(base) };
  const tls = ca === undefined ? undefined : { ca };
  let last: { verdict: AllowVerdict; target: PinnedTarget } | undefined;
  return async () => {
    const verdict = await guard.judge(asked, policy);
    if (verdict.verdict === 'deny') {
      const code = verdict.code === 'resolve_failed' ? 'resolve_failed' : 'address_forbidden';
      throw new ProxyRefusal(code, `the target was refused: ${verdict.code}`);
    }
    if (last?.verdict === verdict) return last.target;
    const { host, port, address } = verdict;
    const key = poolKey({ tenant, integration: name, scheme, host, port });
    const target = { poolKey: key, scheme, host, port, address, tls, connectTimeoutMs: timeouts.connectMs };
    last = { verdict, target };
    return target;
  };
}
