import { type ClassifiedBlock, IPV4_BLOCKS, IPV6_BLOCKS } from './address-blocks.ts';
import { contains } from './cidr.ts';
import { embeddedIpv4 } from './embedded-ipv4.ts';
import { formatAddress, unmapped } from './format-address.ts';
import { type Address, parseAddress, type Words } from './parse-address.ts';

export type AddressClass =
  | 'global'
  | 'private'
  | 'loopback'
  | 'link_local'
  | 'shared'
  | 'metadata'
  | 'unique_local'
  | 'multicast'
  | 'documentation'
  | 'benchmark'
  | 'reserved'
  | 'unspecified'
  | 'broadcast'
  | 'invalid';

/**
 * What kind of address `address` is: dotted decimal IPv4 or RFC 4291 IPv6 text. Everything else is `invalid`: brackets, zone
 * ids, number forms, names. Only `global` may be dialled without an exception in the configuration.
 */
export function classifyAddress(address: string): AddressClass {
  const parsed = parseAddress(address);
  return parsed === undefined ? 'invalid' : judge(unmapped(parsed)).class;
}

/** An address with what a verdict needs to know of it. */
export interface InspectedAddress {
  /** Canonical text of what a socket would talk to; IPv4-mapped addresses are IPv4 here. */
  readonly text: string;
  readonly class: AddressClass;
  readonly address: Address;
  /** Whether `unsafeAllowAddresses` may open it. */
  readonly isOpenable: boolean;
}

/** Undefined when `text` is no address. */
export function inspectAddress(text: string): InspectedAddress | undefined {
  const parsed = parseAddress(text);
  if (parsed === undefined) return undefined;
  const address = unmapped(parsed);
  return { text: formatAddress(address), address, ...judge(address) };
}

interface Judgement {
  readonly class: AddressClass;
  readonly isOpenable: boolean;
}

function judge(address: Address): Judgement {
  if (address.family === 4) return openableByClass(classifyIpv4(address.bits));
  const own = classifyIpv6(address.words);
  // The list of metadata addresses goes before all forms: some of them lie inside one.
  if (own === 'metadata') return openableByClass(own);
  const embedded = embeddedIpv4(address.words);
  if (embedded === undefined) return openableByClass(own);
  const inner = strictest(embedded.readings.map(classifyIpv4));
  switch (embedded.rule) {
    case 'judged':
      return openableByClass(inner);
    case 'refused':
      return { class: inner === 'global' ? 'reserved' : inner, isOpenable: false };
    case 'isatap':
      // A multicast prefix makes the rest no interface identifier.
      return openableByClass(inner === 'global' || own === 'multicast' ? own : inner);
  }
}

/** The first reading counts, but a metadata address in any of them. */
function strictest(classes: readonly AddressClass[]): AddressClass {
  return classes.includes('metadata') ? 'metadata' : (classes[0] ?? 'reserved');
}

/** An exception opens unicast addresses only, and metadata never. */
const OPENABLE: Record<AddressClass, boolean> = {
  global: true,
  private: true,
  loopback: true,
  link_local: true,
  shared: true,
  metadata: false,
  unique_local: true,
  multicast: false,
  documentation: true,
  benchmark: true,
  reserved: true,
  unspecified: false,
  broadcast: false,
  invalid: false,
};

function openableByClass(className: AddressClass): Judgement {
  return { class: className, isOpenable: OPENABLE[className] };
}

function classifyIpv4(bits: number): AddressClass {
  for (const row of IPV4_BLOCKS) {
    if ((bits & row.block.mask) >>> 0 === row.block.base) return row.class;
  }
  return 'global';
}

function classifyIpv6(words: Words): AddressClass {
  const address: Address = { family: 6, words };
  const row: ClassifiedBlock<6> | undefined = IPV6_BLOCKS.find(({ block }) => contains(block, address));
  return row?.class ?? 'reserved';
}
