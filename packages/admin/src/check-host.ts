import { isIP } from 'node:net';
import { Rejection } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';

/**
 * Refuses requests for a host that is not the control plane's: a web page may make its own name resolve to this address (DNS
 * rebinding), but it cannot make a browser send another name. Answered for are loopback names, the address the connection was made to,
 * and the host of `publicUrl`.
 */
export function createCheckHost(publicUrl: string | undefined): (request: FastifyRequest) => void {
  const publicHost = publicUrl === undefined ? undefined : new URL(publicUrl).hostname.toLowerCase();
  return (request) => {
    // RFC 9112 section 3.2: more than one, and readers differ in which one counts.
    if (countOf(request.raw.rawHeaders, 'host') > 1) {
      throw new Rejection('malformed_request', 'The request has more than one Host field.');
    }
    const host = hostOf(request);
    if (host !== undefined && (host === publicHost || isLoopback(host) || isOwnLiteral(host, request))) return;
    throw new Rejection('unknown_host', 'The control plane does not answer for this host.');
  };
}

function countOf(rawHeaders: readonly string[], name: string): number {
  return rawHeaders.filter((item, index) => index % 2 === 0 && item.toLowerCase() === name).length;
}

/** Without port; an IPv6 literal in brackets. Undefined for what is no authority. */
function hostOf(request: FastifyRequest): string | undefined {
  // The authority of a target in absolute form counts, not `Host` (RFC 9112 section 3.2.2).
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(request.raw.url ?? '');
  const authority = absolute?.[1] ?? request.raw.headers.host ?? '';
  return /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(authority)?.[1]?.toLowerCase();
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isOwnLiteral(host: string, request: FastifyRequest): boolean {
  const literal = host.startsWith('[') ? host.slice(1, -1) : host;
  const local = request.raw.socket.localAddress?.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(literal) !== 0 && local !== undefined && new URL(urlOf(literal)).host === new URL(urlOf(local)).host;
}

function urlOf(address: string): string {
  return address.includes(':') ? `http://[${address.split('%')[0]}]` : `http://${address}`;
}
