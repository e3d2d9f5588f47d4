import type { AddressClass } from './classify.ts';

/** Date of both registries: "Last Updated" on their pages at iana.org/assignments/iana-ipv4-special-registry and …ipv6…. */
export const REGISTRIES_UPDATED = '2025-10-09';

/** One block of a registry and what `classifyAddress` must say inside and on both sides of it. */
export interface RegistryRow {
  readonly block: string;
  /** As in the registry, with its first reference. */
  readonly name: string;
  /** Class of the first and of the last address. */
  readonly first: AddressClass;
  readonly last: AddressClass;
  /** Class of the address before the first and after the last; undefined at an end of the address space. */
  readonly before: AddressClass | undefined;
  readonly after: AddressClass | undefined;
}

type Neighbours = readonly [before: AddressClass | undefined, after: AddressClass | undefined];

function row(
  block: string,
  name: string,
  classes: AddressClass | readonly [first: AddressClass, last: AddressClass],
  [before, after]: Neighbours = ['global', 'global'],
): RegistryRow {
  const [first, last] = typeof classes === 'string' ? [classes, classes] : classes;
  return { block, name, first, last, before, after };
}

/** The 25 records of the IPv4 registry (its NAT64/DNS64 record has two blocks). */
export const IPV4_SPECIAL_PURPOSE: readonly RegistryRow[] = [
  row('0.0.0.0/8', '"This network", RFC 791', 'unspecified', [undefined, 'global']),
  row('0.0.0.0/32', '"This host on this network", RFC 1122', 'unspecified', [undefined, 'unspecified']),
  row('10.0.0.0/8', 'Private-Use, RFC 1918', 'private'),
  row('100.64.0.0/10', 'Shared Address Space, RFC 6598', 'shared'),
  row('127.0.0.0/8', 'Loopback, RFC 1122', 'loopback'),
  row('169.254.0.0/16', 'Link Local, RFC 3927', 'link_local'),
  row('172.16.0.0/12', 'Private-Use, RFC 1918', 'private'),
  row('192.0.0.0/24', 'IETF Protocol Assignments, RFC 6890', 'reserved'),
  row('192.0.0.0/29', 'IPv4 Service Continuity Prefix, RFC 7335', 'reserved', ['global', 'reserved']),
  row('192.0.0.8/32', 'IPv4 dummy address, RFC 7600', 'reserved', ['reserved', 'reserved']),
  row('192.0.0.9/32', 'Port Control Protocol Anycast, RFC 7723', 'reserved', ['reserved', 'reserved']),
  row('192.0.0.10/32', 'Traversal Using Relays around NAT Anycast, RFC 8155', 'reserved', ['reserved', 'reserved']),
  row('192.0.0.170/32', 'NAT64/DNS64 Discovery, RFC 8880', 'reserved', ['reserved', 'reserved']),
  row('192.0.0.171/32', 'NAT64/DNS64 Discovery, RFC 8880', 'reserved', ['reserved', 'reserved']),
  row('192.0.2.0/24', 'Documentation (TEST-NET-1), RFC 5737', 'documentation'),
  row('192.31.196.0/24', 'AS112-v4, RFC 7535', 'reserved'),
  row('192.52.193.0/24', 'AMT, RFC 7450', 'reserved'),
  row('192.88.99.0/24', 'Deprecated (6to4 Relay Anycast), RFC 7526', 'reserved'),
  row('192.88.99.2/32', '6a44-relay anycast address, RFC 6751', 'reserved', ['reserved', 'reserved']),
  row('192.168.0.0/16', 'Private-Use, RFC 1918', 'private'),
  row('192.175.48.0/24', 'Direct Delegation AS112 Service, RFC 7534', 'reserved'),
  row('198.18.0.0/15', 'Benchmarking, RFC 2544', 'benchmark'),
  row('198.51.100.0/24', 'Documentation (TEST-NET-2), RFC 5737', 'documentation'),
  row('203.0.113.0/24', 'Documentation (TEST-NET-3), RFC 5737', 'documentation'),
  row('240.0.0.0/4', 'Reserved, RFC 1112', ['reserved', 'broadcast'], ['multicast', undefined]),
  row('255.255.255.255/32', 'Limited Broadcast, RFC 919', 'broadcast', ['reserved', undefined]),
];

const WITHIN_RESERVED: Neighbours = ['reserved', 'reserved'];

/** The 25 records of the IPv6 registry. */
export const IPV6_SPECIAL_PURPOSE: readonly RegistryRow[] = [
  // The address after it is IPv4-compatible and embeds 0.0.0.2.
  row('::1/128', 'Loopback Address, RFC 4291', 'loopback', ['unspecified', 'unspecified']),
  row('::/128', 'Unspecified Address, RFC 4291', 'unspecified', [undefined, 'loopback']),
  row('::ffff:0:0/96', 'IPv4-mapped Address, RFC 4291', ['unspecified', 'broadcast'], WITHIN_RESERVED),
  row('64:ff9b::/96', 'IPv4-IPv6 Translat., RFC 6052', ['unspecified', 'broadcast'], WITHIN_RESERVED),
  row('64:ff9b:1::/48', 'IPv4-IPv6 Translat., RFC 8215', ['unspecified', 'broadcast'], WITHIN_RESERVED),
  row('100::/64', 'Discard-Only Address Block, RFC 6666', 'reserved', WITHIN_RESERVED),
  row('100:0:0:1::/64', 'Dummy IPv6 Prefix, RFC 9780', 'reserved', WITHIN_RESERVED),
  // Its first address is also Teredo's first, whose client address is all ones.
  row('2001::/23', 'IETF Protocol Assignments, RFC 2928', ['broadcast', 'reserved']),
  row('2001::/32', 'TEREDO, RFC 4380', ['broadcast', 'unspecified'], ['global', 'reserved']),
  row('2001:1::1/128', 'Port Control Protocol Anycast, RFC 7723', 'reserved', WITHIN_RESERVED),
  row('2001:1::2/128', 'Traversal Using Relays around NAT Anycast, RFC 8155', 'reserved', WITHIN_RESERVED),
  row('2001:1::3/128', 'DNS-SD Service Registration Protocol Anycast, RFC 9665', 'reserved', WITHIN_RESERVED),
  row('2001:2::/48', 'Benchmarking, RFC 5180', 'benchmark', WITHIN_RESERVED),
  row('2001:3::/32', 'AMT, RFC 7450', 'reserved', WITHIN_RESERVED),
  row('2001:4:112::/48', 'AS112-v6, RFC 7535', 'reserved', WITHIN_RESERVED),
  row('2001:10::/28', 'Deprecated (previously ORCHID), RFC 4843', 'reserved', WITHIN_RESERVED),
  row('2001:20::/28', 'ORCHIDv2, RFC 7343', 'reserved', WITHIN_RESERVED),
  row('2001:30::/28', 'Drone Remote ID Protocol Entity Tags (DETs) Prefix, RFC 9374', 'reserved', WITHIN_RESERVED),
  row('2001:db8::/32', 'Documentation, RFC 3849', 'documentation'),
  row('2002::/16', '6to4, RFC 3056', ['unspecified', 'broadcast']),
  row('2620:4f:8000::/48', 'Direct Delegation AS112 Service, RFC 7534', 'reserved'),
  row('3fff::/20', 'Documentation, RFC 9637', 'documentation'),
  row('5f00::/16', 'Segment Routing (SRv6) SIDs, RFC 9602', 'reserved', WITHIN_RESERVED),
  row('fc00::/7', 'Unique-Local, RFC 4193', 'unique_local', WITHIN_RESERVED),
  row('fe80::/10', 'Link-Local Unicast, RFC 4291', 'link_local', WITHIN_RESERVED),
];

/** What the special-purpose registries leave to others: the multicast registries and the IPv6 address space (2025-10-23). */
export const FURTHER_BLOCKS: readonly RegistryRow[] = [
  row('224.0.0.0/4', 'Multicast, RFC 5771', 'multicast', ['global', 'reserved']),
  row('ff00::/8', 'Multicast, RFC 4291', 'multicast', ['reserved', undefined]),
  row('2000::/3', 'Global Unicast, RFC 4291', 'global', WITHIN_RESERVED),
  row('200::/7', 'Reserved by IETF (formerly NSAP), RFC 4048', 'reserved', WITHIN_RESERVED),
  row('fec0::/10', 'Reserved by IETF (formerly site-local), RFC 3879', 'reserved', ['link_local', 'multicast']),
];

/** Addresses at which clouds serve metadata or credentials; neighbours as the block around them is. */
export const METADATA_ROWS: readonly RegistryRow[] = [
  row('169.254.169.254/32', 'AWS, Google, Azure, Oracle, IMDS', 'metadata', ['link_local', 'link_local']),
  row('169.254.170.2/32', 'AWS ECS, task credentials', 'metadata', ['link_local', 'link_local']),
  row('169.254.170.23/32', 'AWS EKS, pod identity', 'metadata', ['link_local', 'link_local']),
  row('169.254.0.23/32', 'Tencent, metadata', 'metadata', ['link_local', 'link_local']),
  row('169.254.10.10/32', 'Tencent, metadata', 'metadata', ['link_local', 'link_local']),
  row('169.254.42.42/32', 'Scaleway, metadata', 'metadata', ['link_local', 'link_local']),
  row('100.100.100.200/32', 'Alibaba, metadata', 'metadata', ['shared', 'shared']),
  row('168.63.129.16/32', 'Azure, wire server', 'metadata'),
  row('192.0.0.192/32', 'Oracle classic, metadata', 'metadata', ['reserved', 'reserved']),
  row('fd00:ec2::254/128', 'AWS, IMDS', 'metadata', ['unique_local', 'unique_local']),
  row('fd00:ec2::23/128', 'AWS EKS, pod identity', 'metadata', ['unique_local', 'unique_local']),
  row('fd20:ce::254/128', 'Google, metadata', 'metadata', ['unique_local', 'unique_local']),
  row('fd00:c1::a9fe:a9fe/128', 'Oracle, IMDS', 'metadata', ['unique_local', 'unique_local']),
  row('fd00:42::42/128', 'Scaleway, metadata', 'metadata', ['unique_local', 'unique_local']),
  row('fd00:a9fe:a9fe::1/128', 'Linode, metadata', 'metadata', ['unique_local', 'unique_local']),
  row('fd00:100::100:200/128', 'Alibaba, metadata', 'metadata', ['unique_local', 'unique_local']),
  row('fe80::a9fe:a9fe/128', 'OpenStack, metadata', 'metadata', ['link_local', 'link_local']),
];
