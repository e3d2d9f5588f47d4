import { inspectAddress } from './classify.ts';
import { type CachedAnswer, createDnsCache, isUsable } from './dns-cache.ts';
import { createDnsResolver } from './dns-resolver.ts';
import type { CanonicalTarget } from './parse-target.ts';
import { createRebindingLog, type RebindingObservation } from './rebinding-log.ts';
import type { Resolve } from './resolve-name.ts';
import { isCanonicalHost } from './target-host.ts';
import { refuseByRules, type TargetPolicy } from './target-policy.ts';
import { deny, judgeAddresses, type Verdict } from './verdict.ts';

export interface TargetGuardOptions {
  /** Default: `createDnsResolver()`, the hosts file and the system's DNS servers. */
  readonly resolve?: Resolve | undefined;
  /** Deadline of the resolver; default 2,000 ms. */
  readonly resolveTimeoutMs?: number | undefined;
  /** Names kept in the cache and, apart from that, in the rebinding log; default 4,096. */
  readonly hostsMax?: number | undefined;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Hears why a name could not be resolved. For logs: the verdict does not tell. */
  readonly onResolveFailure?: ((host: string, cause: unknown) => void) | undefined;
}

export interface TargetGuard {
  /**
   * Judges one call. The target must be in its one spelling (`parseTarget`, or a canonical URL's parts; IPv6 literals with or
   * without brackets). Answers at once for an address, for a name that the cache holds, and for a refusal by rule; else a
   * promise that never rejects.
   */
  judge(target: CanonicalTarget, policy: TargetPolicy): Verdict | Promise<Verdict>;
  /** Changes in the answers of a host (of all hosts): the last 24 hours, at most 100 of each host, oldest first. */
  rebindingObservations(host?: string): readonly RebindingObservation[];
}

/** The last verdict on a host under one policy. It holds as long as the answer it rests on; a literal's holds for good. */
interface Remembered {
  readonly scheme: string;
  readonly port: number;
  readonly answer: CachedAnswer | undefined;
  readonly verdict: Verdict;
}

/** Hosts remembered under one policy; only a policy without a host list can have many. */
const REMEMBERED_MAX = 256;

/** A long-lived guard with a DNS cache. The hot path is two map lookups and allocates nothing. */
export function createTargetGuard(options: TargetGuardOptions = {}): TargetGuard {
  const now = options.now ?? Date.now;
  const hostsMax = options.hostsMax ?? 4_096;
  const rebindings = createRebindingLog(now, hostsMax);
  const cache = createDnsCache({
    resolve: options.resolve ?? createDnsResolver(),
    resolveTimeoutMs: options.resolveTimeoutMs ?? 2_000,
    hostsMax,
    now,
    onAnswer: rebindings.observe,
  });
  const verdicts = new WeakMap<TargetPolicy, Map<string, Remembered>>();

  function remember(target: CanonicalTarget, policy: TargetPolicy, remembered: Remembered): Verdict {
    const hosts = verdicts.get(policy) ?? new Map<string, Remembered>();
    verdicts.set(policy, hosts);
    if (hosts.size >= REMEMBERED_MAX) hosts.clear();
    hosts.set(target.host, remembered);
    return remembered.verdict;
  }

  function judgeAnew(target: CanonicalTarget, policy: TargetPolicy): Verdict | Promise<Verdict> {
    const { scheme, port } = target;
    const host = withoutBrackets(target.host);
    if (!isCanonicalHost(host)) return deny('host_invalid');
    const plain: CanonicalTarget = { scheme, host, port };
    const refusal = refuseByRules(plain, policy);
    if (refusal !== undefined) return deny(refusal, { host });
    const literal = inspectAddress(host);
    if (literal !== undefined) {
      const verdict = judgeAddresses(plain, [literal], policy);
      return remember(target, policy, { scheme, port, answer: undefined, verdict });
    }
    const judgeAnswer = (answer: CachedAnswer) =>
      remember(target, policy, { scheme, port, answer, verdict: judgeAddresses(plain, answer.addresses, policy) });
    const answer = cache.get(host);
    if (answer !== undefined) return judgeAnswer(answer);
    return cache.resolve(host).then(judgeAnswer, (cause: unknown) => {
      options.onResolveFailure?.(host, cause);
      return deny('resolve_failed', { host });
    });
  }

  return {
    judge(target, policy) {
      const known = verdicts.get(policy)?.get(target.host);
      if (known !== undefined && known.port === target.port && known.scheme === target.scheme) {
        if (known.answer === undefined || isUsable(known.answer, now())) return known.verdict;
      }
      return judgeAnew(target, policy);
    },
    rebindingObservations: (host) => rebindings.list(host),
  };
}

function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
