import { type Address, parseAddress, type Words } from './parse-address.ts';

/** The one canonical text of an address: dotted decimal, or RFC 5952 without its dotted forms. */
export function formatAddress(address: Address): string {
  return address.family === 4 ? formatIpv4(address.bits) : formatIpv6(address.words);
}

/**
 * The canonical text of the address that a socket to `text` really talks to: IPv4-mapped IPv6 becomes IPv4. Undefined when
 * `text` is no address. Two texts of one address have one canonical text.
 */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : formatAddress(unmapped(address));
}

/** `::ffff:a.b.c.d` as the IPv4 address it is on the wire (RFC 4291 section 2.5.5.2); any other address as it is. */
export function unmapped(address: Address): Address {
  if (address.family === 4) return address;
  const [first, second, third, fourth] = address.words;
  return first === 0 && second === 0 && third === 0xffff ? { family: 4, bits: fourth } : address;
}

function formatIpv4(bits: number): string {
  return `${bits >>> 24}.${(bits >>> 16) & 0xff}.${(bits >>> 8) & 0xff}.${bits & 0xff}`;
}

function formatIpv6(words: Words): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  const { start, length } = longestZeroRun(groups);
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** The first of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  }
  return best;
}
