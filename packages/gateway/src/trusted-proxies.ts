import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { compileNetworks, isInNetworks } from './directory/agent-identity.ts';

export type TrustedProxies = (request: IncomingMessage) => string;

/**
 * The client's address: the socket's, or, when that belongs to a trusted proxy, the rightmost address of `X-Forwarded-For` that
 * does not. What stands left of it was written by somebody nobody vouches for. Several fields are one list (RFC 9110 section 5.3).
 */
export function createTrustedProxies(networks: readonly string[]): TrustedProxies {
  if (networks.length === 0) return (request) => plainAddress(request.socket.remoteAddress ?? '');
  const trusted = compileNetworks(networks);
  return (request) => {
    let address = plainAddress(request.socket.remoteAddress ?? '');
    const forwarded = request.headers['x-forwarded-for'];
    if (forwarded === undefined) return address;
    const hops = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',');
    while (hops.length > 0 && address !== '' && isInNetworks(address, trusted)) {
      const hop = hopAddress(hops.pop()?.trim() ?? '');
      if (hop === undefined) break;
      address = hop;
    }
    return address;
  };
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`; undefined for anything else. */
function hopAddress(hop: string): string | undefined {
  const match = HOP.exec(hop);
  const address = plainAddress(match?.[1] ?? match?.[2] ?? hop);
  return isIP(address) === 0 ? undefined : address;
}

const HOP = /^(?:\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5})$/;

/** Without the zone of a link-local address: it names an interface of this machine, and lists of networks know none. */
function plainAddress(address: string): string {
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
}
