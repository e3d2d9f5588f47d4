/** Headers that differ between two sendings of one call (specification section 9) and so are no part of its descriptor. Sorted. */
export const VOLATILE_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'accept-language',
  'content-length',
  'date',
  'priority',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-request-id',
]);

/** True for a lower-case header name that every descriptor leaves out: the list above and `x-stainless-*`. */
export function isVolatileHeader(name: string): boolean {
  return VOLATILE_HEADERS.has(name) || name.startsWith('x-stainless-');
}
