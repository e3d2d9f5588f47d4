import { type Block, contains, parseCidr } from './cidr.ts';
import type { InspectedAddress } from './classify.ts';
import { isMetadataName } from './metadata-names.ts';
import { type CanonicalTarget, isPort, type Scheme } from './parse-target.ts';
import { canonicalHost } from './target-host.ts';
import type { DenyCode } from './verdict.ts';

export interface TargetRules {
  /** Exact names or addresses, in any spelling `canonicalHost` takes; absent: any host. */
  readonly hosts?: readonly string[] | undefined;
  /** 1 to 65535; absent: any port. */
  readonly ports?: readonly number[] | undefined;
  /** Absent: http and https. */
  readonly schemes?: readonly string[] | undefined;
  /** CIDRs whose addresses may be dialled although they are not global. Metadata addresses stay refused. */
  readonly unsafeAllowAddresses?: readonly string[] | undefined;
}

/** `TargetRules` ready to judge by. Make it once per integration and keep it: a guard remembers its verdicts under it. */
export interface TargetPolicy {
  readonly hosts: ReadonlySet<string> | undefined;
  readonly ports: ReadonlySet<number> | undefined;
  readonly schemes: ReadonlySet<Scheme>;
  readonly allowed: readonly Block[];
}

/** Throws a `TypeError` that names the value at fault and what would be right. */
export function compileTargetPolicy(rules: TargetRules = {}): TargetPolicy {
  return {
    hosts: rules.hosts && new Set(rules.hosts.map(compileHost)),
    ports: rules.ports && new Set(rules.ports.map(compilePort)),
    schemes: new Set((rules.schemes ?? ['http', 'https']).map(compileScheme)),
    allowed: (rules.unsafeAllowAddresses ?? []).map(parseCidr),
  };
}

/** The first reason to refuse a target by its words alone; undefined when its addresses are to be judged. */
export function refuseByRules(target: CanonicalTarget, policy: TargetPolicy): DenyCode | undefined {
  if (!policy.schemes.has(target.scheme)) return 'scheme_not_allowed';
  if (isMetadataName(target.host)) return 'metadata_forbidden';
  if (policy.hosts !== undefined && !policy.hosts.has(target.host)) return 'host_not_allowed';
  if (!isPort(target.port) || policy.ports?.has(target.port) === false) return 'port_not_allowed';
  return undefined;
}

export function allowsAddress(policy: TargetPolicy, inspected: InspectedAddress): boolean {
  if (inspected.class === 'global') return true;
  return inspected.isOpenable && policy.allowed.some((block) => contains(block, inspected.address));
}

function compileHost(text: string): string {
  const host = canonicalHost(text);
  if (host === undefined) throw new TypeError(`"${text}" is not a host: it must be an exact name or an IP address`);
  return host;
}

function compilePort(port: number): number {
  if (!isPort(port)) throw new TypeError(`${port} is not a port: it must be a whole number from 1 to 65535`);
  return port;
}

function compileScheme(scheme: string): Scheme {
  if (scheme !== 'http' && scheme !== 'https') {
    throw new TypeError(`"${scheme}" is not a scheme of targets: it must be http or https`);
  }
  return scheme;
}
