import { type Block, parseCidr } from './cidr.ts';
import type { AddressClass } from './classify.ts';

/**
 * Every block that is not plain global unicast. The IANA special-purpose registries as of 2025-10-09 are in here row by row or
 * inside a wider row of the same class (`iana-registries.fixture.ts` holds them against `classifyAddress`); multicast, the
 * unassigned IPv6 space and the metadata addresses are added.
 *
 * Rows that IANA marks as globally reachable (AS112, AMT, PCP and TURN anycast, ORCHIDv2, drone tags) are `reserved` too: no
 * HTTP upstream lives there, and the PCP and TURN addresses lead to the local network's own gear (RFC 7723, RFC 8155).
 */
const IPV4_TABLE: readonly (readonly [string, AddressClass])[] = [
  ['0.0.0.0/8', 'unspecified'], // RFC 791 section 3.2; Linux takes 0.0.0.0 for the machine itself
  ['10.0.0.0/8', 'private'], // RFC 1918
  ['100.64.0.0/10', 'shared'], // RFC 6598
  ['127.0.0.0/8', 'loopback'], // RFC 1122 section 3.2.1.3
  ['169.254.0.0/16', 'link_local'], // RFC 3927
  ['172.16.0.0/12', 'private'], // RFC 1918
  ['192.0.0.0/24', 'reserved'], // RFC 6890 section 2.1, with its rows /29 and 8, 9, 10, 170, 171
  ['192.0.2.0/24', 'documentation'], // RFC 5737
  ['192.31.196.0/24', 'reserved'], // AS112, RFC 7535
  ['192.52.193.0/24', 'reserved'], // AMT, RFC 7450
  ['192.88.99.0/24', 'reserved'], // 6to4 relays, RFC 7526, and 6a44 relay, RFC 6751
  ['192.168.0.0/16', 'private'], // RFC 1918
  ['192.175.48.0/24', 'reserved'], // AS112, RFC 7534
  ['198.18.0.0/15', 'benchmark'], // RFC 2544
  ['198.51.100.0/24', 'documentation'], // RFC 5737
  ['203.0.113.0/24', 'documentation'], // RFC 5737
  ['224.0.0.0/4', 'multicast'], // RFC 5771
  ['240.0.0.0/4', 'reserved'], // RFC 1112 section 4
  ['255.255.255.255/32', 'broadcast'], // RFC 919 section 7
];

/** What lies in none of these and outside `2000::/3` is unassigned by IANA and `reserved`. */
const IPV6_TABLE: readonly (readonly [string, AddressClass])[] = [
  ['::/128', 'unspecified'], // RFC 4291
  ['::1/128', 'loopback'], // RFC 4291
  ['2000::/3', 'global'], // RFC 4291
  ['2001::/23', 'reserved'], // RFC 2928, with PCP, TURN and DNS-SD anycast, AMT, AS112, ORCHID, ORCHIDv2, drone tags
  ['2001:2::/48', 'benchmark'], // RFC 5180
  ['2001:db8::/32', 'documentation'], // RFC 3849
  ['2620:4f:8000::/48', 'reserved'], // AS112, RFC 7534
  ['3fff::/20', 'documentation'], // RFC 9637
  ['fc00::/7', 'unique_local'], // RFC 4193
  ['fe80::/10', 'link_local'], // RFC 4291
  ['ff00::/8', 'multicast'], // RFC 4291
];

/** Where clouds hand out credentials of the machine or steer its agent. No option opens these. */
const METADATA_ADDRESSES: readonly string[] = [
  '169.254.169.254', // AWS, Google, Azure, Oracle, DigitalOcean, Hetzner, OpenStack and most others
  '169.254.170.2', // AWS ECS task credentials
  '169.254.170.23', // AWS EKS pod identity
  '169.254.0.23', // Tencent
  '169.254.10.10', // Tencent
  '169.254.42.42', // Scaleway
  '100.100.100.200', // Alibaba
  '168.63.129.16', // Azure wire server
  '192.0.0.192', // Oracle classic
  'fd00:ec2::254', // AWS
  'fd00:ec2::23', // AWS EKS pod identity
  'fd20:ce::254', // Google
  'fd00:c1::a9fe:a9fe', // Oracle
  'fd00:42::42', // Scaleway
  'fd00:a9fe:a9fe::1', // Linode
  'fd00:100::100:200', // Alibaba
  'fe80::a9fe:a9fe', // OpenStack
];

export interface ClassifiedBlock<Family extends 4 | 6> {
  readonly block: Extract<Block, { family: Family }>;
  readonly class: AddressClass;
}

/** Most specific first, so that the first match is the answer. */
export const IPV4_BLOCKS: readonly ClassifiedBlock<4>[] = compile(4, IPV4_TABLE);
export const IPV6_BLOCKS: readonly ClassifiedBlock<6>[] = compile(6, IPV6_TABLE);

function compile<Family extends 4 | 6>(
  family: Family,
  table: readonly (readonly [string, AddressClass])[],
): readonly ClassifiedBlock<Family>[] {
  const metadata = METADATA_ADDRESSES.map((address) => [address, 'metadata'] as const);
  return [...table, ...metadata]
    .map(([cidr, className]) => ({ block: parseCidr(cidr), class: className }))
    .filter((row): row is ClassifiedBlock<Family> => row.block.family === family)
    .sort((a, b) => b.block.length - a.block.length);
}
