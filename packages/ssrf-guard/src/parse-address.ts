/** An address as integers: IPv4 as one, IPv6 as four, all unsigned 32 bits, most significant first. */
export type Address = Ipv4Address | Ipv6Address;

export interface Ipv4Address {
  readonly family: 4;
  readonly bits: number;
}

export interface Ipv6Address {
  readonly family: 6;
  readonly words: Words;
}

export type Words = readonly [number, number, number, number];

const DOT = 0x2e;
const COLON = 0x3a;
const DIGIT_0 = 0x30;

/**
 * Reads dotted decimal IPv4 and RFC 4291 IPv6 text, and nothing else: no leading zeros, number forms, brackets, zone ids or
 * prefix lengths. Undefined when it is not exactly one address. The longest text form of an address has 45 characters.
 */
export function parseAddress(text: string): Address | undefined {
  if (typeof text !== 'string' || text.length < 2 || text.length > 45) return undefined;
  if (text.includes(':')) {
    const words = parseIpv6(text);
    return words === undefined ? undefined : { family: 6, words };
  }
  const bits = parseIpv4(text, 0);
  return bits < 0 ? undefined : { family: 4, bits };
}

/** Four decimal octets from `start` to the end of `text`; -1 when it is anything else. */
function parseIpv4(text: string, start: number): number {
  let bits = 0;
  let octets = 0;
  let position = start;
  while (position < text.length) {
    let octet = 0;
    const first = position;
    for (; position < text.length && text.charCodeAt(position) !== DOT; position += 1) {
      const digit = text.charCodeAt(position) - DIGIT_0;
      if (digit < 0 || digit > 9 || position - first === 3) return -1;
      octet = octet * 10 + digit;
    }
    const digits = position - first;
    if (digits === 0 || octet > 255 || (digits > 1 && text.charCodeAt(first) === DIGIT_0)) return -1;
    bits = bits * 256 + octet;
    octets += 1;
    if (octets > 4) return -1;
    // A dot must be followed by a further octet.
    if (position < text.length && ++position === text.length) return -1;
  }
  return octets === 4 ? bits : -1;
}

function parseIpv6(text: string): Words | undefined {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? toWords(groups) : undefined;
  }
  if (text.indexOf('::', gap + 1) >= 0) return undefined;
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // RFC 5952 section 4.2.2 lets `::` stand for one group on input; it never stands for none.
  return missing < 1 ? undefined : toWords([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

/** Groups of 16 bits between single colons; the last one may be dotted IPv4 where the address ends (RFC 4291 section 2.2). */
function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (mayEndInIpv4 && index === parts.length - 1 && part.includes('.')) {
      const bits = parseIpv4(part, 0);
      if (bits < 0) return undefined;
      groups.push(Math.floor(bits / 0x10000), bits % 0x10000);
      continue;
    }
    const group = parseGroup(part);
    if (group < 0) return undefined;
    groups.push(group);
  }
  return groups.length > 8 ? undefined : groups;
}

function parseGroup(part: string): number {
  if (part.length === 0 || part.length > 4) return -1;
  let value = 0;
  for (let position = 0; position < part.length; position += 1) {
    const code = part.charCodeAt(position);
    if (code >= DIGIT_0 && code < COLON) value = value * 16 + (code - DIGIT_0);
    else if ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66) value = value * 16 + ((code | 0x20) - 0x57);
    else return -1;
  }
  return value;
}

function toWords(groups: readonly number[]): Words {
  const word = (index: number) => (groups[index] ?? 0) * 0x10000 + (groups[index + 1] ?? 0);
  return [word(0), word(2), word(4), word(6)];
}
