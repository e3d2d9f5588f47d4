import { z } from 'zod';

/** Names of tenants, integrations, agents, secrets, actions, rules: 1..64 characters, no separators that a path or a key uses. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Method tokens of RFC 9110 section 9.1, upper-case. CONNECT and TRACE are never forwarded. */
const METHOD_PATTERN = /^[A-Z][A-Z-]{0,31}$/;

/** An exact DNS name in lower case, or an IP literal; no port, no wildcard, no trailing dot. */
const HOST_PATTERN = /^(?:(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*|\[[0-9a-f:.]+\])$/;

export const nameSchema = z
  .string()
  .regex(NAME_PATTERN, 'must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit');

export const methodSchema = z
  .string()
  .regex(METHOD_PATTERN, 'must be an upper-case HTTP method such as GET')
  .refine((method) => method !== 'CONNECT' && method !== 'TRACE', 'CONNECT and TRACE are never forwarded');

export const hostSchema = z
  .string()
  .max(253)
  .regex(HOST_PATTERN, 'must be an exact lower-case host name without port, wildcard or trailing dot');

export const environmentSchema = nameSchema;

/** A list without repetitions. */
export function uniqueList<T extends z.ZodType>(item: T) {
  return z.array(item).refine((list) => new Set(list.map((value) => JSON.stringify(value))).size === list.length, {
    message: 'must not repeat an item',
  });
}

const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
export const idSchema = z.string().regex(ID_PATTERN, 'must be an id');

/** Canonical base64 (RFC 4648 section 4) with padding. */
export const base64Schema = z
  .string()
  .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, 'must be base64 with padding');

const CIDR_V4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\/(?:3[0-2]|[12]?\d))?$/;
const CIDR_V6 = /^([0-9A-Fa-f:.]{2,45})(?:\/(?:12[0-8]|1[01]\d|\d?\d))?$/;

function isCidrV6(text: string): boolean {
  const address = CIDR_V6.exec(text)?.[1];
  // The URL parser knows what an IPv6 address is; this package imports no other.
  return address?.includes(':') === true && URL.canParse(`http://[${address}]/`);
}

/** An IPv4 or IPv6 network, `10.0.0.0/8`, or one address. */
export const cidrSchema = z.string().refine((text) => CIDR_V4.test(text) || isCidrV6(text), {
  message: 'must be an address or a network such as 10.0.0.0/8 or fd00::/8',
});
