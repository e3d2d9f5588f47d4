import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { compileNetworks, isInNetworks } from './directory/agent-identity.ts';

export type TrustedProxies = (request: IncomingMessage) => string;

/**
 * The client's address: the socket's, or, when that belongs to a trusted proxy, the rightmost address of `X-Forwarded-For` that
 * does not. What stands left of it was written by somebody nobody vouches for.
 */
export function createTrustedProxies(networks: readonly string[]): TrustedProxies {
  if (networks.length === 0) return (request) => request.socket.remoteAddress ?? '';
  const trusted = compileNetworks(networks);
  return (request) => {
    let address = request.socket.remoteAddress ?? '';
    const forwarded = request.headers['x-forwarded-for'];
    if (forwarded === undefined) return address;
    const hops = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',');
    while (hops.length > 0 && address !== '' && isInNetworks(address, trusted)) {
      const hop = hops.pop()?.trim() ?? '';
      if (isIP(hop) === 0) break;
      address = hop;
    }
    return address;
  };
}
