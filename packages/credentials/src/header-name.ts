/** A field name, RFC 9110 section 5.1. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;

/** Headers that belong to the connection, to the gateway, or to what was judged; a credential that wrote one would change them unseen. */
const RESERVED: ReadonlySet<string> = new Set([
  // Hop by hop and framing: RFC 9110 section 7.6.1, RFC 9112 sections 6 and 9
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // How the judged body is read
  'content-encoding',
  'content-type',
  // Which method is meant
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  // What the gateway writes or takes off itself
  'accept-encoding',
  'baggage',
  'forwarded',
  'idempotency-key',
  'traceparent',
  'tracestate',
  'via',
  'x-real-ip',
  'x-request-id',
]);

const RESERVED_PREFIXES = ['postern-', 'proxy-', 'x-forwarded-'];

/** What is wrong with `name` as the header that a credential writes, or `undefined`. Case does not matter. */
export function findHeaderNameIssue(name: string): string | undefined {
  if (!TOKEN.test(name)) return 'must be a header name: 1 to 128 letters, digits, dashes or other token characters';
  const lower = name.toLowerCase();
  if (RESERVED.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix))) {
    return `must not be ${lower}: the connection, the gateway or the judged request owns that header`;
  }
  return undefined;
}
