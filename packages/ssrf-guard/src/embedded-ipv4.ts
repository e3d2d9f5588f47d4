import type { Words } from './parse-address.ts';

/**
 * How an IPv6 address carries IPv4 addresses:
 * - `judged`: the network translates, so the address is as good as what it embeds;
 * - `refused`: a tunnel or an obsolete form, never dialled whatever it embeds;
 * - `isatap`: both the embedded address and the address's own prefix count.
 */
export interface EmbeddedIpv4 {
  readonly rule: 'judged' | 'refused' | 'isatap';
  /** The embedded address first, further readings of the same bits after it. */
  readonly readings: readonly number[];
}

const NAT64 = 0x0064ff9b;
const TEREDO = 0x20010000;
const ISATAP = 0x00005efe;
/** The `u` and `g` bits of an interface identifier, which RFC 5214 section 6.1 leaves open. */
const ISATAP_IGNORED = 0x03000000;

/** Undefined when the form carries no IPv4. IPv4-mapped addresses do not come here: they are IPv4 (`unmapped`). */
export function embeddedIpv4(words: Words): EmbeddedIpv4 | undefined {
  const [first, second, third, fourth] = words;
  if (first === 0 && second === 0) {
    // Compatible `::/96`, RFC 4291 section 2.5.5.1, but `::` and `::1`; translated `::ffff:0:0:0/96`, RFC 2765 section 2.1.
    if (third === 0) return fourth <= 1 ? undefined : refused(fourth);
    if (third === 0xffff0000) return refused(fourth);
  }
  if (first === NAT64) {
    if (second === 0 && third === 0) return { rule: 'judged', readings: [fourth] }; // `64:ff9b::/96`, RFC 6052
    if (second >>> 16 === 1) return localNat64(words);
  }
  if (first >>> 16 === 0x2002) return refused(join(first & 0xffff, second >>> 16)); // 6to4, RFC 3056 section 2
  if (first === TEREDO) return refused(~fourth >>> 0); // client address, inverted: RFC 4380 section 4
  if ((third & ~ISATAP_IGNORED) >>> 0 === ISATAP) return { rule: 'isatap', readings: [fourth] };
  return undefined;
}

/**
 * Local-use NAT64 `64:ff9b:1::/48` (RFC 8215): the operator chooses the length of the prefix, so the IPv4 address may lie at any
 * of the places of RFC 6052 section 2.2. The usual /96 is the reading that counts unless those bits are empty.
 */
function localNat64([, second, third, fourth]: Words): EmbeddedIpv4 {
  // Bits 64 to 71 are kept free by RFC 6052 in all but the /96 form.
  const at48 = join(second & 0xffff, (third >>> 8) & 0xffff);
  const at56 = join(((second & 0xff) << 8) | ((third >>> 16) & 0xff), third & 0xffff);
  const at64 = join((third >>> 8) & 0xffff, ((third & 0xff) << 8) | (fourth >>> 24));
  return fourth === 0 ? refused(at48, at56, at64, fourth) : refused(fourth, at48, at56, at64);
}

function refused(...readings: readonly number[]): EmbeddedIpv4 {
  return { rule: 'refused', readings };
}

function join(high: number, low: number): number {
  return high * 0x10000 + low;
}
