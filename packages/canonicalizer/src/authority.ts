import { CanonicalUrlError } from './canonical-url-error.ts';

export type Scheme = 'http' | 'https';

/** The part of a URL before its path, in canonical form. */
export interface Origin {
  readonly scheme: Scheme;
  /** Lower-case ASCII, no trailing dot; an IPv6 address in brackets. */
  readonly host: string;
  /** The port in effect, also when it is the scheme's own and not written in `text`. */
  readonly port: number;
  /** `scheme://host` or `scheme://host:port`. */
  readonly text: string;
}

const DEFAULT_PORT: Record<Scheme, number> = { http: 80, https: 443 };

/** RFC 1035 section 2.3.4, and `_`, which service names in container networks have. */
const DNS_NAME = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/;
const DNS_NAME_LENGTH_MAX = 253;

/**
 * Splits an absolute URL into its origin and the rest (path and query as written). Expects a text that passed
 * `assertTargetCharacters`.
 *
 * @throws CanonicalUrlError
 */
export function splitOrigin(url: string): { origin: Origin; rest: string } {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]*)/.exec(url);
  if (match === null) throw new CanonicalUrlError('not_absolute');
  const [head, scheme, authority] = match as unknown as [string, string, string];
  return { origin: parseOrigin(scheme.toLowerCase(), authority), rest: url.slice(head.length) };
}

function parseOrigin(scheme: string, authority: string): Origin {
  if (scheme !== 'http' && scheme !== 'https') throw new CanonicalUrlError('bad_scheme');
  if (authority.includes('@')) throw new CanonicalUrlError('userinfo');
  const colon = /:[^\]:]*$/.exec(authority)?.index ?? authority.length;
  const host = canonicalHost(authority.slice(0, colon));
  const port = canonicalPort(authority.slice(colon + 1), scheme);
  const text = port === DEFAULT_PORT[scheme] ? `${scheme}://${host}` : `${scheme}://${host}:${port}`;
  return { scheme, host, port, text };
}

/** IDNA and the number forms of IPv4 are the URL standard's affair (global `URL`); the result must be a plain name or address. */
function canonicalHost(written: string): string {
  // A colon outside brackets would be read as a port and lost, an escape would be decoded.
  if (written === '' || (/[:%[\]]/.test(written) && !/^\[[0-9A-Fa-f:.]+\]$/.test(written))) {
    throw new CanonicalUrlError('bad_host');
  }
  const parsed = URL.parse(`http://${written}/`);
  if (parsed === null || parsed.pathname !== '/') throw new CanonicalUrlError('bad_host');
  const host = parsed.hostname.endsWith('.') ? parsed.hostname.slice(0, -1) : parsed.hostname;
  if (host.startsWith('[')) return host;
  if (host.length > DNS_NAME_LENGTH_MAX || !DNS_NAME.test(host)) throw new CanonicalUrlError('bad_host');
  return host;
}

/** An empty port is the scheme's own (RFC 3986 section 6.2.3), leading zeros are dropped. */
function canonicalPort(written: string, scheme: Scheme): number {
  if (written === '') return DEFAULT_PORT[scheme];
  const port = /^0*\d{1,5}$/.test(written) ? Number(written) : 0;
  if (port < 1 || port > 65_535) throw new CanonicalUrlError('bad_port');
  return port;
}
