import { isIP } from 'node:net';

/** Whether the shared listener answers for an authority (`host[:port]`) a request came with. */
export type ArrivalHosts = (authority: string) => boolean;

/** Authorities are the callers' to choose, so the memory for known ones is bounded. */
const KNOWN_MAX = 256;

/**
 * IP literals, `localhost`, and the public URL's host. Anything else is 421: a name that points here by somebody else's DNS is
 * no way in (DNS rebinding).
 */
export function createArrivalHosts(publicHost: () => string | undefined): ArrivalHosts {
  const known = new Set<string>();
  return (authority) => {
    if (known.has(authority)) return true;
    const host = hostOfAuthority(authority);
    const isAnswered = host !== undefined && (host === 'localhost' || isIP(host) !== 0 || host === publicHost());
    // Only what is answered for is kept: the public host is known a moment after the first request may come.
    if (isAnswered && known.size < KNOWN_MAX) known.add(authority);
    return isAnswered;
  };
}

/** The host of `host[:port]`, lower-case, brackets removed; undefined when it is no authority (RFC 3986 section 3.2). */
export function hostOfAuthority(authority: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(authority);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
