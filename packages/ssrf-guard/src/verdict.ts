import type { AddressClass, InspectedAddress } from './classify.ts';
import type { CanonicalTarget, Scheme } from './parse-target.ts';
import { allowsAddress, type TargetPolicy } from './target-policy.ts';

/** Every reason for a denial, with the sentence that explains it. */
export const DENY_REASONS = {
  /** Not an absolute URL of the form `scheme://host[:port]…`, or with characters that URL parsers drop. */
  target_invalid: 'The target is not a well-formed absolute URL',
  /** Neither http nor https, or a scheme outside the policy. */
  scheme_not_allowed: 'The scheme is not allowed for this target',
  /** A user name or password before the host. */
  userinfo_not_allowed: 'The target carries a user name or password',
  /** No name or address in its one spelling: percent-encoding, a dot at the end, a zone id, a bad number form. */
  host_invalid: 'The host is neither a well-formed name nor an address',
  /** Not one of the policy's exact hosts. */
  host_not_allowed: 'The host is not allowed for this target',
  /** Not one of the policy's ports, or not a port at all. */
  port_not_allowed: 'The port is not allowed for this target',
  /** The name or one of the addresses belongs to a cloud metadata service; no option opens these. */
  metadata_forbidden: 'The target is a cloud metadata service',
  /** An address, or one of the addresses of the name, is not global and not opened by `unsafeAllowAddresses`. */
  address_forbidden: 'The target has an address that must not be reached',
  /** The name has no address, or none could be had within the deadline. */
  resolve_failed: 'The name could not be resolved',
} as const;

export type DenyCode = keyof typeof DENY_REASONS;

export type Verdict = AllowVerdict | DenyVerdict;

/** Dial `address` and nothing else; `host` (IPv6 without brackets) is the name for SNI, `Host` and the certificate check. */
export interface AllowVerdict {
  readonly verdict: 'allow';
  readonly scheme: Scheme;
  readonly host: string;
  readonly port: number;
  readonly address: string;
  /** `global`, or the class that `unsafeAllowAddresses` opened. */
  readonly class: AddressClass;
}

/** `address` and `class` tell of the address that was refused. They are for logs, not for the caller. */
export interface DenyVerdict {
  readonly verdict: 'deny';
  readonly code: DenyCode;
  readonly host?: string;
  readonly address?: string;
  readonly class?: AddressClass;
}

export function deny(code: DenyCode, details: Omit<DenyVerdict, 'verdict' | 'code'> = {}): DenyVerdict {
  return { verdict: 'deny', code, ...details };
}

/** Judges all addresses that a host has: one that is not acceptable refuses the host, else the first is to be dialled. */
export function judgeAddresses(
  target: CanonicalTarget,
  addresses: readonly InspectedAddress[],
  policy: TargetPolicy,
): Verdict {
  const { scheme, host, port } = target;
  const [first] = addresses;
  if (first === undefined) return deny('resolve_failed', { host });
  const metadata = addresses.find((address) => address.class === 'metadata');
  if (metadata !== undefined) return deny('metadata_forbidden', { host, address: metadata.text, class: 'metadata' });
  const refused = addresses.find((address) => !allowsAddress(policy, address));
  if (refused !== undefined) return deny('address_forbidden', { host, address: refused.text, class: refused.class });
  return { verdict: 'allow', scheme, host, port, address: first.text, class: first.class };
}
