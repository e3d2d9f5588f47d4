import { BlockList, isIPv6 } from 'node:net';
import type { AgentKeyRecord, AgentRecord } from '@postern/db/ports';
import { type KeyScope, trustNumber } from '@postern/schemas';
import type { AgentHosts } from './known-hosts.ts';

/** An agent as a call sees it: made once per verified key, and immutable but for its hosts. */
export interface AgentIdentity {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly owner: string | undefined;
  readonly roles: readonly string[];
  readonly trustName: AgentRecord['trust'];
  /** 0..4 */
  readonly trust: number;
  readonly environment: string | undefined;
  readonly disabled: boolean;
  readonly keyId: string;
  readonly scopes: readonly KeyScope[];
  /** Milliseconds since the epoch; Infinity: never. */
  readonly keyExpiresAt: number;
  /** undefined: from anywhere. */
  readonly addresses: BlockList | undefined;
  /** Shared by all that is known of the agent, and the one thing about it that calls change. */
  readonly knownHosts: AgentHosts;
}

export function makeIdentity(key: AgentKeyRecord, agent: AgentRecord, knownHosts: AgentHosts): AgentIdentity {
  return {
    tenant: agent.tenant,
    id: agent.id,
    name: agent.name,
    owner: agent.owner,
    roles: agent.roles,
    trustName: agent.trust,
    trust: trustNumber(agent.trust),
    environment: agent.environment,
    disabled: agent.disabled,
    keyId: key.id,
    scopes: key.scopes,
    keyExpiresAt: key.expiresAt ?? Number.POSITIVE_INFINITY,
    addresses: agent.addresses === undefined ? undefined : compileNetworks(agent.addresses),
    knownHosts,
  };
}

export function compileNetworks(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family);
  }
  return list;
}

/** IPv4-mapped addresses (a dual-stack listener's) are judged as the IPv4 address they hold. */
export function isInNetworks(address: string, list: BlockList): boolean {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}
