import { formatAddress } from './format-address.ts';
import { parseAddress } from './parse-address.ts';

/**
 * The one spelling of a host: a lower-case ASCII name without a dot at the end, a dotted IPv4 literal, or an RFC 5952 IPv6
 * literal without brackets. Number forms (decimal, octal, hex, short) and international names become what the WHATWG URL
 * standard makes of them, which is what every JavaScript client would dial. Undefined for everything else: percent-encoding, dots at
 * the end, dots that are not ASCII, zone ids, user names, ports.
 */
export function canonicalHost(text: string): string | undefined {
  if (text === '' || text.length > 1024 || FORBIDDEN.test(text)) return undefined;
  if (text.includes(':')) return canonicalIpv6(text);
  const lower = text.toLowerCase();
  if (isCanonicalHost(lower) && !lower.includes('xn--')) return lower;
  const host = hostOfUrl(lower);
  return host !== undefined && isCanonicalHost(host) ? host : undefined;
}

/** Whether `text` is already what `canonicalHost` gives, but for the validity of Punycode labels. */
export function isCanonicalHost(text: string): boolean {
  const address = parseAddress(text);
  if (address !== undefined) return formatAddress(address) === text;
  return text.length <= 253 && NAME.test(text) && !NUMBER.test(text);
}

/** Space, control characters, URL delimiters, `%`, the IDNA dots U+3002, U+FF0E, U+FF61, and an ASCII dot at the end. */
const FORBIDDEN = /[\u0000-\u0020\u007f-\u00a0"#%/<>?@\\^`{|}\u3002\uff0e\uff61]|\.$/u;

/** RFC 1123 section 2.1 names, with the underscore that DNS allows and internal services use. */
const NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** The WHATWG "ends in a number" rule: such a host is an IPv4 address or nothing. */
const NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;

function canonicalIpv6(text: string): string | undefined {
  const bracketed = text.startsWith('[') && text.endsWith(']');
  const address = parseAddress(bracketed ? text.slice(1, -1) : text);
  return address?.family === 6 ? formatAddress(address) : undefined;
}

function hostOfUrl(text: string): string | undefined {
  return URL.parse(`http://${text}/`)?.hostname;
}
