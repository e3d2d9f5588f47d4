import { isIP } from 'node:net';
import { NAME_PATTERN } from '@postern/schemas';

/** By which door a request came: whether its path has the gateway's own words in it, and which integration is meant. */
export type Arrival = GatewayArrival | HostArrival | OwnAddressArrival;

/** The gateway's own paths count. */
export interface GatewayArrival {
  readonly kind: 'gateway';
}

/** On an integration's own address, where the whole path is the upstream's. */
export interface OwnAddressArrival {
  readonly kind: 'own';
  /** The only one admitted there. */
  readonly tenant: string;
  readonly integration: string;
  /** Base of links, without trailing slash. */
  readonly baseUrl: string;
}

/** By the host `{integration}.{suffix}`, where the whole path is the upstream's. */
export class HostArrival {
  readonly kind = 'host';
  /** The integration's name as the request spells it: hosts are the same in any case, names of integrations are not. */
  readonly integration: string;
  readonly #host: string;
  #publicUrl = '';
  #baseUrl = '';

  /** `host`: the whole of it in lower case, without port. */
  constructor(integration: string, host: string) {
    this.integration = integration;
    this.#host = host;
  }

  /** Base of links: scheme and port are the public URL's, since neither `Host` nor the socket knows those a proxy shows. */
  baseUrl(publicUrl: string): string {
    if (publicUrl !== this.#publicUrl) {
      const { protocol, port } = new URL(publicUrl);
      this.#publicUrl = publicUrl;
      this.#baseUrl = `${protocol}//${this.#host}${port === '' ? '' : `:${port}`}`;
    }
    return this.#baseUrl;
  }
}

/** What a listener makes of an authority (`host[:port]`) that a request came with; undefined: it does not answer for it. */
export type ArrivalHosts = (authority: string) => Arrival | undefined;

export interface ArrivalHostsOptions {
  /** The public URL's host, in lower case; undefined as long as it is not known. */
  readonly publicHost: () => string | undefined;
  /** `POSTERN_HOST_SUFFIX`, in lower case: `{integration}.{suffix}` leads to the integration. */
  readonly suffix: string;
}

/** Authorities are the callers' to choose, so the memory for known ones is bounded. */
const KNOWN_MAX = 256;

const GATEWAY: Arrival = { kind: 'gateway' };

/**
 * For the shared listener: IP literals, `localhost`, the public URL's host, the suffix and what lies under it. Anything else is
 * 421: a name that points here by somebody else's DNS is no way in (DNS rebinding).
 */
export function createArrivalHosts({ publicHost, suffix }: ArrivalHostsOptions): ArrivalHosts {
  return remembering((authority) => {
    const spelled = spelledHost(authority);
    if (spelled === undefined) return undefined;
    const host = spelled.toLowerCase();
    if (host === 'localhost' || isIP(host) !== 0 || host === publicHost()) return GATEWAY;
    // Only addresses stand in brackets.
    if (authority.startsWith('[')) return undefined;
    return underSuffix(spelled, host, suffix);
  });
}

/** RFC 1034 section 3.1: a name with a dot at its end is the same name, written in full. */
function underSuffix(spelled: string, host: string, suffix: string): Arrival | undefined {
  const bare = host.endsWith('.') ? host.slice(0, -1) : host;
  if (bare === suffix) return GATEWAY;
  if (!bare.endsWith(`.${suffix}`)) return undefined;
  const integration = spelled.slice(0, bare.length - suffix.length - 1);
  return NAME_PATTERN.test(integration) ? new HostArrival(integration, bare) : undefined;
}

/**
 * For an integration's own address, which is reached by whatever name leads there: any authority that is one. A page that a browser
 * was led here with (DNS rebinding) has no agent key.
 */
export function createOwnAddressHosts(arrival: OwnAddressArrival): ArrivalHosts {
  return remembering((authority) => (spelledHost(authority) === undefined ? undefined : arrival));
}

/** Only what is answered for is kept: the public host is known a moment after the first request may come. */
function remembering(judge: ArrivalHosts): ArrivalHosts {
  const known = new Map<string, Arrival>();
  return (authority) => {
    const before = known.get(authority);
    if (before !== undefined) return before;
    const arrival = judge(authority);
    if (arrival !== undefined && known.size < KNOWN_MAX) known.set(authority, arrival);
    return arrival;
  };
}

/** The host of `host[:port]`, lower-case, brackets removed; undefined when it is no authority (RFC 3986 section 3.2). */
export function hostOfAuthority(authority: string): string | undefined {
  return spelledHost(authority)?.toLowerCase();
}

function spelledHost(authority: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(authority);
  return match?.[1] ?? match?.[2];
}
