import { canonicalHost } from './target-host.ts';
import type { DenyCode } from './verdict.ts';

/** Where a call wants to go. A URL's path, query and fragment do not matter here. `port` defaults to that of the scheme. */
export type TargetInput =
  | string
  | URL
  | { readonly url: string | URL }
  | { readonly scheme: string; readonly host: string; readonly port?: number | undefined };

/** A target in its one spelling; IPv6 literals have no brackets. */
export interface CanonicalTarget {
  readonly scheme: Scheme;
  readonly host: string;
  readonly port: number;
}

export type Scheme = 'http' | 'https';

export const DEFAULT_PORTS: Readonly<Record<Scheme, number>> = { http: 80, https: 443 };

export type ParsedTarget = CanonicalTarget | { readonly code: DenyCode; readonly host?: string };

/** Reads a target or says why not. The text is split here, not by a URL parser, so that nothing is repaired unseen. */
export function parseTarget(target: TargetInput): ParsedTarget {
  const isParts = typeof target === 'object' && target !== null && !(target instanceof URL) && !('url' in target);
  if (isParts) return parseParts(target);
  const url = typeof target === 'object' && target !== null && 'url' in target ? target.url : target;
  if (typeof url === 'string') return parseUrlText(url);
  return url instanceof URL ? parseUrlText(url.href) : { code: 'target_invalid' };
}

function parseUrlText(text: string): ParsedTarget {
  // A URL parser would drop tabs and line ends and take backslashes for slashes.
  if (/[\u0000-\u0020\u007f\\]/.test(text)) return { code: 'target_invalid' };
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(text);
  if (match === null) return { code: 'target_invalid' };
  const [, schemeText = '', authority = ''] = match;
  const scheme = parseScheme(schemeText);
  if (scheme === undefined) return { code: 'scheme_not_allowed' };
  if (authority.includes('@')) return { code: 'userinfo_not_allowed' };
  const parts = /^(\[[^[\]]*\]|[^:[\]]+)(?::([0-9]{1,5}))?$/.exec(authority);
  if (parts === null) return { code: 'host_invalid' };
  const [, host = '', port] = parts;
  return parseParts({ scheme, host, port: port === undefined ? undefined : Number(port) });
}

function parseParts(parts: { scheme: string; host: string; port?: number | undefined }): ParsedTarget {
  const scheme = parseScheme(parts.scheme);
  if (scheme === undefined) return { code: 'scheme_not_allowed' };
  const host = typeof parts.host === 'string' ? canonicalHost(parts.host) : undefined;
  if (host === undefined) return { code: 'host_invalid' };
  const port = parts.port ?? DEFAULT_PORTS[scheme];
  return isPort(port) ? { scheme, host, port } : { code: 'port_not_allowed', host };
}

function parseScheme(text: unknown): Scheme | undefined {
  const lower = typeof text === 'string' ? text.toLowerCase() : '';
  return lower === 'http' || lower === 'https' ? lower : undefined;
}

/** Port 0 means "any" to a socket and cannot be dialled. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}
