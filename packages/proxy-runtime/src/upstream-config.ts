import { canonicalHost } from '@postern/ssrf-guard';
import type { BreakerSettings } from './breaker.ts';
import type { ResponseLimits, Timeouts } from './lane.ts';
import type { LimitSignal } from './limit-signals.ts';
import { readLimitSignals } from './read-limit-signals.ts';
import { refuseUnknown } from './refuse-unknown.ts';
import type { RetrySettings } from './with-retries.ts';

/** An upstream as an integration's part of the configuration describes it. Unknown fields are refused, not ignored. */
export interface UpstreamConfig {
  /** For logs and metrics; default: the base URL's host. */
  readonly name?: string | undefined;
  /** Keeps the connections of two tenants apart; default `default`. */
  readonly tenant?: string | undefined;
  /** Absolute http or https URL without query or fragment. */
  readonly baseUrl: string;
  /** Exact host names that may be called; the base URL's must be among them, and is the default. */
  readonly hosts?: readonly string[] | undefined;
  /** Milliseconds; default 5000, 30000, 30000, 60000, 3600000. */
  readonly timeouts?: Partial<Timeouts> | undefined;
  /** Default 10 MiB, 10 MiB, 100 MiB, 64 calls. */
  readonly limits?: Partial<UpstreamLimits> | undefined;
  /** Default 3 attempts, the first included, with 200 to 5,000 ms of backoff. */
  readonly retry?: Partial<RetrySettings> | undefined;
  /** Default: opens after 5 failed attempts in 10,000 ms, for 30,000 ms. */
  readonly breaker?: Partial<BreakerSettings> | undefined;
  /** The provider's own ways to say what 429 with `Retry-After` says; default none. */
  readonly limitSignals?: readonly LimitSignal[] | undefined;
  readonly network?: NetworkConfig | undefined;
  /** `ca`: PEM of a private authority that replaces the public ones. */
  readonly tls?: { readonly ca?: string | null | undefined } | undefined;
  /** Patterns of fields that may pass; they narrow the header policy. */
  readonly headers?:
    | { readonly request?: AllowList | undefined; readonly response?: AllowList | undefined }
    | undefined;
}

export interface UpstreamLimits extends ResponseLimits {
  readonly requestBytes: number;
}

export interface NetworkConfig {
  /** Default: the base URL's. */
  readonly ports?: readonly number[] | undefined;
  readonly schemes?: readonly ('http' | 'https')[] | undefined;
  /** CIDRs outside global unicast that may be dialled all the same; default none. */
  readonly unsafeAllowAddresses?: readonly string[] | undefined;
}

export interface AllowList {
  readonly allow?: readonly string[] | undefined;
}

/** The configuration with every default filled in. */
export interface UpstreamSettings {
  readonly name: string;
  readonly tenant: string;
  readonly base: URL;
  readonly hosts: readonly string[];
  readonly timeouts: Timeouts;
  readonly limits: UpstreamLimits;
  readonly retry: RetrySettings;
  readonly breaker: BreakerSettings;
  readonly limitSignals: readonly LimitSignal[] | undefined;
  readonly ports: readonly number[];
  readonly schemes: readonly ('http' | 'https')[];
  readonly unsafeAllowAddresses: readonly string[];
  readonly ca: string | undefined;
  readonly requestAllow: readonly string[] | undefined;
  readonly responseAllow: readonly string[] | undefined;
}

export const TIMEOUT_DEFAULTS: Timeouts = {
  connectMs: 5_000,
  firstByteMs: 30_000,
  totalMs: 30_000,
  idleMs: 60_000,
  streamMs: 3_600_000,
};

export const LIMIT_DEFAULTS: UpstreamLimits = {
  requestBytes: 10_485_760,
  responseBytes: 10_485_760,
  streamBytes: 104_857_600,
  concurrency: 64,
};

export const RETRY_DEFAULTS: RetrySettings = { attempts: 3, baseMs: 200, maxMs: 5_000 };

export const BREAKER_DEFAULTS: BreakerSettings = { failures: 5, windowMs: 10_000, openMs: 30_000 };

const FIELDS = [
  'name',
  'tenant',
  'baseUrl',
  'hosts',
  'timeouts',
  'limits',
  'retry',
  'breaker',
  'limitSignals',
  'network',
  'tls',
  'headers',
];

/** Checks a configuration and fills in its defaults. Throws `TypeError` that names the field. */
export function readUpstreamConfig(config: UpstreamConfig): UpstreamSettings {
  refuseUnknown(config, FIELDS, '');
  const { timeouts = {}, limits = {}, retry = {}, breaker = {}, network = {}, tls = {}, headers = {} } = config;
  refuseUnknown(network, ['ports', 'schemes', 'unsafeAllowAddresses'], 'network.');
  refuseUnknown(tls, ['ca'], 'tls.');
  refuseUnknown(headers, ['request', 'response'], 'headers.');
  refuseUnknown(headers.request ?? {}, ['allow'], 'headers.request.');
  refuseUnknown(headers.response ?? {}, ['allow'], 'headers.response.');
  const base = readBaseUrl(config.baseUrl);
  const scheme = base.protocol === 'https:' ? 'https' : 'http';
  const hosts = config.hosts ?? [base.hostname];
  const baseHost = canonicalHost(base.hostname);
  if (!hosts.some((host) => canonicalHost(host) === baseHost))
    throw new TypeError(`hosts: must list the base URL's host ${base.hostname}`);
  return {
    name: config.name ?? base.hostname,
    tenant: config.tenant ?? 'default',
    base,
    hosts,
    timeouts: readNumbers('timeouts', timeouts, TIMEOUT_DEFAULTS, () => TIMER_MS),
    limits: readNumbers('limits', limits, LIMIT_DEFAULTS, (name) => (name === 'concurrency' ? FROM_ONE : FROM_ZERO)),
    retry: readNumbers('retry', retry, RETRY_DEFAULTS, (name) => (name === 'attempts' ? ATTEMPTS : WAIT_MS)),
    breaker: readNumbers('breaker', breaker, BREAKER_DEFAULTS, (name) => (name === 'failures' ? FAILURES : TIMER_MS)),
    limitSignals: readLimitSignals(config.limitSignals),
    ports: network.ports ?? [portOf(base)],
    schemes: network.schemes ?? [scheme],
    unsafeAllowAddresses: network.unsafeAllowAddresses ?? [],
    ca: tls.ca ?? undefined,
    requestAllow: headers.request?.allow,
    responseAllow: headers.response?.allow,
  };
}

/** The port of a URL, its scheme's own when it names none. */
export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** What a Node timer can hold. */
const TIMER_MS_MAX = 2_147_483_647;

function readBaseUrl(text: string): URL {
  if (typeof text !== 'string' || !URL.canParse(text)) throw new TypeError('baseUrl: must be an absolute URL');
  const base = new URL(text);
  if (base.protocol !== 'https:' && base.protocol !== 'http:')
    throw new TypeError('baseUrl: must be an http or https URL');
  if (base.username !== '' || base.password !== '') throw new TypeError('baseUrl: must hold no user or password');
  if (base.search !== '' || base.hash !== '') throw new TypeError('baseUrl: must have no query and no fragment');
  return base;
}

type Range = readonly [least: number, most: number];

const FROM_ZERO: Range = [0, Number.MAX_SAFE_INTEGER];
const FROM_ONE: Range = [1, Number.MAX_SAFE_INTEGER];
const TIMER_MS: Range = [1, TIMER_MS_MAX];
const WAIT_MS: Range = [0, TIMER_MS_MAX];
const ATTEMPTS: Range = [1, 10];
const FAILURES: Range = [1, 1_000];

function readNumbers<T extends object>(
  section: string,
  given: Partial<T>,
  defaults: T,
  rangeOf: (name: string) => Range,
): T {
  refuseUnknown(given, Object.keys(defaults), `${section}.`);
  const result = { ...defaults } as Record<string, unknown>;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const [least, most] = rangeOf(name);
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      throw new TypeError(`${section}.${name}: must be a whole number from ${least} to ${most}`);
    }
    result[name] = value;
  }
  return result as T;
}
