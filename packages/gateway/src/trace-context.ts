/** A place in somebody's trace, as `traceparent` names it. */
export interface TracePlace {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** 16 of them: the span that a call is made in. */
  readonly spanId: string;
  /** `SAMPLED`, or 0, with or without the bit that says that the trace id is random. */
  readonly flags: number;
}

/** The caller, or we, record the trace. */
export const SAMPLED = 0x01;
/** Bits that have a meaning: sampled, and (level 2) random trace id. W3C Trace Context section 3.2.2.5: the others are sent as zero. */
const KNOWN_FLAGS = 0x03;

/** W3C Trace Context section 3.2.2: `{version}-{trace id}-{parent id}-{flags}`; only later versions may have more behind it. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
const LENGTH_OF_VERSION_0 = 55;

/**
 * The `traceparent` of flat name, value pairs. undefined when there is none, more than one, or one that is not valid: then a trace
 * begins here, and a `tracestate` beside it means nothing (W3C Trace Context section 3.3).
 */
export function readTraceparent(rawHeaders: readonly string[]): TracePlace | undefined {
  let text: string | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length !== 11 || name.toLowerCase() !== 'traceparent') continue;
    if (text !== undefined) return undefined;
    text = rawHeaders[i + 1] as string;
  }
  return text === undefined ? undefined : parseTraceparent(text);
}

function parseTraceparent(text: string): TracePlace | undefined {
  if (text.startsWith('00') && text.length !== LENGTH_OF_VERSION_0) return undefined;
  const match = TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, traceId = '', spanId = '', flags = ''] = match;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) & KNOWN_FLAGS };
}

const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

export function writeTraceparent({ traceId, spanId, flags }: TracePlace): string {
  return `00-${traceId}-${spanId}-0${flags & KNOWN_FLAGS}`;
}

/** The trace that begins with a call of no trace is called like the request, so log and trace meet. */
export function traceIdOf(requestId: string): string {
  return (
    requestId.slice(0, 8) +
    requestId.slice(9, 13) +
    requestId.slice(14, 18) +
    requestId.slice(19, 23) +
    requestId.slice(24)
  );
}

/**
 * The span of the call to the upstream: the request id's counter within its millisecond, and what is random in it. So no two calls
 * of a trace share one, however many begin in one millisecond.
 */
export function spanIdOf(requestId: string): string {
  return requestId.slice(15, 18) + requestId.slice(22, 23) + requestId.slice(24);
}
