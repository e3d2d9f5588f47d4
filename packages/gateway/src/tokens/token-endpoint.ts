import { rootCertificates } from 'node:tls';
import type { MintingCredential } from '@postern/credentials';
import {
  createLane,
  type PinnedTarget,
  poolKey,
  type TlsIdentity,
  type Transport,
  type UpstreamLane,
} from '@postern/proxy-runtime';
import type { Integration } from '@postern/schemas';
import { type AllowVerdict, type CanonicalTarget, compileTargetPolicy, type TargetPolicy } from '@postern/ssrf-guard';

/** A token endpoint made ready once, when its integration is loaded: where it lies, what the guard permits, its budgets. */
export interface TokenEndpoint {
  readonly url: string;
  readonly target: CanonicalTarget;
  readonly policy: TargetPolicy;
  /** False: the secret would cross the network in clear, and nobody has permitted that. */
  readonly isPermitted: boolean;
  readonly lane: UpstreamLane;
  readonly hostField: string;
  readonly pathAndQuery: string;
  pin(verdict: AllowVerdict): PinnedTarget;
}

/** Specification, section 11: own budgets. */
const TIMEOUTS = { connectMs: 5_000, firstByteMs: 10_000, totalMs: 10_000, idleMs: 10_000, streamMs: 10_000 };
const ANSWER_BYTES_MAX = 65_536;
const LIMITS = { responseBytes: ANSWER_BYTES_MAX, streamBytes: ANSWER_BYTES_MAX, concurrency: 16 };

/** @throws TypeError when the URL cannot be used; it was checked when the integration was saved. */
export function compileTokenEndpoint(
  tenant: string,
  { name, network, tls }: Integration,
  { source }: MintingCredential,
  transport: Transport,
): TokenEndpoint {
  const url = new URL(source.tokenUrl);
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? DEFAULT_PORTS[scheme] : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // A mark of its own: the integration's upstream may lie on the same host under another TLS identity.
  const key = `${poolKey({ tenant, integration: name, scheme, host, port })} token`;
  const identity = tlsIdentity(tls.ca);
  return {
    url: `${url.origin}${url.pathname}`,
    target: { scheme, host, port },
    policy: compileTargetPolicy({
      hosts: [host],
      ports: [port],
      schemes: [scheme],
      unsafeAllowAddresses: network.unsafeAllowAddresses,
    }),
    isPermitted: scheme === 'https' || network.unsafeAllowCleartextCredentials,
    lane: createLane({ transport, timeouts: TIMEOUTS, limits: LIMITS, baseUrl: url.origin }),
    hostField: url.host,
    pathAndQuery: url.pathname,
    pin: ({ address }) => ({
      poolKey: key,
      scheme,
      host,
      port,
      address,
      tls: identity,
      connectTimeoutMs: TIMEOUTS.connectMs,
    }),
  };
}

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** An own authority of the integration counts beside the public ones: its token endpoint may be of either. */
function tlsIdentity(ca: string | null): TlsIdentity | undefined {
  return ca === null ? undefined : { ca: `${rootCertificates.join('\n')}\n${ca}` };
}
