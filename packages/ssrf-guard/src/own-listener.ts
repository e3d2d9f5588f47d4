import { networkInterfaces } from 'node:os';
import { classifyAddress } from './classify.ts';
import { canonicalAddress } from './format-address.ts';

/** A bound socket, as `server.address()` tells of it. */
export interface Listener {
  readonly address: string;
  readonly port: number;
}

/**
 * Whether a connection to `address`:`port` from this machine would reach one of `listeners`. A wildcard listener (`0.0.0.0`,
 * `::`) is reached by loopback and by every address of a local interface; `::` takes IPv4 as well. Text that is no IP address
 * throws a `TypeError`. `localAddresses` is asked only when a port fits; default: those of the network interfaces now.
 */
export function isOwnListener(
  address: string,
  port: number,
  listeners: readonly Listener[],
  localAddresses: () => Iterable<string> = interfaceAddresses,
): boolean {
  const target = canonical(address);
  return listeners.some((listener) => {
    if (listener.port !== port) return false;
    const bound = canonical(listener.address);
    if (target === bound) return true;
    // The system connects to its loopback address when asked for the unspecified one.
    if (isWildcard(target)) return isWildcard(bound) || classifyAddress(bound) === 'loopback';
    return isWildcard(bound) && takesFamily(bound, target) && isLocal(target, localAddresses);
  });
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function takesFamily(wildcard: string, address: string): boolean {
  return wildcard === '::' || !address.includes(':');
}

function isLocal(address: string, localAddresses: () => Iterable<string>): boolean {
  if (classifyAddress(address) === 'loopback') return true;
  for (const local of localAddresses()) if (canonicalAddress(local) === address) return true;
  return false;
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map((entry) => entry.address));
}

function canonical(text: string): string {
  const address = canonicalAddress(text);
  if (address === undefined) throw new TypeError(`"${text}" is not an IP address`);
  return address;
}
