import type { InspectedAddress } from './classify.ts';
import { inspectAnswers } from './inspect-answers.ts';
import { type Resolution, type Resolve, resolveName } from './resolve-name.ts';

/**
 * One answer of a name, inspected. It may be used from `storedAtMs` until `expiresAtMs` and never outside: a clock that was set
 * back ends it too.
 */
export interface CachedAnswer {
  readonly addresses: readonly InspectedAddress[];
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
}

export interface DnsCache {
  /** The answer in hand, when it may still be used. */
  get(host: string): CachedAnswer | undefined;
  /** Resolves anew; calls for a name that is being resolved share that one lookup. Rejects when there is no answer. */
  resolve(host: string): Promise<CachedAnswer>;
}

export interface DnsCacheOptions {
  readonly resolve: Resolve;
  readonly resolveTimeoutMs: number;
  readonly hostsMax: number;
  readonly now: () => number;
  /** Hears every new answer before it is used. */
  readonly onAnswer: (host: string, addresses: readonly InspectedAddress[]) => void;
}

const TTL_SECONDS_MIN = 1;
const TTL_SECONDS_MAX = 60;

/**
 * Each host is unknown, being resolved, or answered. An answer leaves when its time is over and a new one takes its place, or
 * when `hostsMax` newer ones have come. Failures are not kept.
 */
export function createDnsCache(options: DnsCacheOptions): DnsCache {
  const { now, hostsMax } = options;
  const answers = new Map<string, CachedAnswer>();
  const lookups = new Map<string, Promise<CachedAnswer>>();

  function store(host: string, resolution: Resolution): CachedAnswer {
    const storedAtMs = now();
    const addresses = stickTo(answers.get(host), inspectAnswers(resolution.addresses));
    const answer = { addresses, storedAtMs, expiresAtMs: storedAtMs + keptMs(resolution.ttlSeconds) };
    answers.delete(host);
    answers.set(host, answer);
    if (answers.size > hostsMax) answers.delete(answers.keys().next().value ?? host);
    options.onAnswer(host, addresses);
    return answer;
  }

  async function lookUp(host: string): Promise<CachedAnswer> {
    try {
      return store(host, await resolveName(host, options.resolve, options.resolveTimeoutMs));
    } finally {
      lookups.delete(host);
    }
  }

  return {
    get(host) {
      const answer = answers.get(host);
      return answer !== undefined && isUsable(answer, now()) ? answer : undefined;
    },
    resolve(host) {
      let lookup = lookups.get(host);
      if (lookup === undefined) {
        lookup = lookUp(host);
        lookups.set(host, lookup);
      }
      return lookup;
    },
  };
}

export function isUsable(answer: CachedAnswer, nowMs: number): boolean {
  return nowMs < answer.expiresAtMs && nowMs >= answer.storedAtMs;
}

/** Servers rotate their answers; the address dialled so far stays first while it is among them, so that warm connections serve on. */
function stickTo(
  former: CachedAnswer | undefined,
  addresses: readonly InspectedAddress[],
): readonly InspectedAddress[] {
  const place = addresses.findIndex((address) => address.text === former?.addresses[0]?.text);
  const dialled = addresses[place];
  return dialled === undefined ? addresses : [dialled, ...addresses.filter((_, index) => index !== place)];
}

/** Not a number, as absent, counts as the shortest time. */
function keptMs(ttlSeconds: number | undefined): number {
  const seconds = Math.min(TTL_SECONDS_MAX, Math.max(TTL_SECONDS_MIN, ttlSeconds ?? TTL_SECONDS_MIN));
  return (Number.isNaN(seconds) ? TTL_SECONDS_MIN : seconds) * 1_000;
}
