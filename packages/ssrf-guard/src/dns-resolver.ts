import type { RecordWithTtl } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { openHostsFile } from './hosts-file.ts';
import { isPort } from './parse-target.ts';
import type { Resolution, Resolve } from './resolve-name.ts';

export interface DnsResolverOptions {
  /** `address:port` or `[IPv6 address]:port`; absent or empty: the system's (`/etc/resolv.conf`). */
  readonly servers?: readonly string[] | undefined;
  /** For both lookups of a name together; default 2,000 ms. */
  readonly timeoutMs?: number | undefined;
  /** Default `/etc/hosts`. */
  readonly hostsFile?: string | undefined;
}

/** How long an entry of the hosts file may be kept; the file itself is looked at again after that. */
const HOSTS_TTL_SECONDS = 1;

/**
 * Resolves names by the hosts file, then by DNS (A and AAAA, no search domains). Rejects when neither has an address. Throws a
 * `TypeError` for a server that is not an address with a port.
 */
export function createDnsResolver(options: DnsResolverOptions = {}): Resolve {
  const servers = (options.servers ?? []).map(checkServer);
  const timeoutMs = options.timeoutMs ?? 2_000;
  const hosts = openHostsFile(options.hostsFile ?? '/etc/hosts');
  return async (name) => {
    const listed = await hosts.lookUp(name);
    if (listed.length > 0) return { addresses: listed, ttlSeconds: HOSTS_TTL_SECONDS };
    return queryDns(name, servers, timeoutMs);
  };
}

/** A resolver for each name: cancelling it touches no other lookup, and a changed `/etc/resolv.conf` is seen. */
async function queryDns(name: string, servers: readonly string[], timeoutMs: number): Promise<Resolution> {
  // The second try waits twice as long as the first, so both end before the deadline when one family is never answered.
  const resolver = new Resolver({ timeout: Math.ceil(timeoutMs / 4), tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  const timer = setTimeout(() => resolver.cancel(), timeoutMs);
  try {
    const [ipv4, ipv6] = await Promise.allSettled([
      resolver.resolve4(name, { ttl: true }),
      resolver.resolve6(name, { ttl: true }),
    ]);
    if (ipv4.status === 'rejected' && ipv6.status === 'rejected') throw moreTelling(ipv4.reason, ipv6.reason);
    return toResolution([...recordsOf(ipv4), ...recordsOf(ipv6)]);
  } finally {
    clearTimeout(timer);
  }
}

function recordsOf(result: PromiseSettledResult<RecordWithTtl[]>): readonly RecordWithTtl[] {
  return result.status === 'fulfilled' ? result.value : [];
}

function toResolution(records: readonly RecordWithTtl[]): Resolution {
  return {
    addresses: records.map((record) => record.address),
    ttlSeconds: Math.min(...records.map((record) => record.ttl)),
  };
}

/** "No data" of one family says less than the failure of the other. */
function moreTelling(first: unknown, second: unknown): unknown {
  return (first as NodeJS.ErrnoException).code === 'ENODATA' ? second : first;
}

function checkServer(text: string): string {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const isRight = bracketed === undefined ? isIP(plain ?? '') === 4 : isIP(bracketed) === 6;
  if (!isRight || !isPort(Number(port))) {
    throw new TypeError(
      `"${text}" is not a DNS server: it must be an address with a port, like 192.0.2.53:53 or [2001:db8::53]:53`,
    );
  }
  return text;
}
