import { createTargetCanonicaliser } from '@postern/canonicalizer';
import type { NotificationEndpointRecord } from '@postern/db/ports';
import { createLane, type PinnedTarget, poolKey, type Transport, type UpstreamLane } from '@postern/proxy-runtime';
import { type AllowVerdict, type CanonicalTarget, compileTargetPolicy, type TargetPolicy } from '@postern/ssrf-guard';

/** A receiver made ready for one message: where it lies, what the guard permits, its budgets. */
export interface WebhookEndpoint {
  readonly tenant: string;
  readonly target: CanonicalTarget;
  readonly policy: TargetPolicy;
  /** Whether the message would cross networks that nobody has named in clear. */
  readonly isCleartext: boolean;
  readonly lane: UpstreamLane;
  /** Without the query, which may hold a receiver's token. */
  readonly loggedUrl: string;
  readonly hostField: string;
  readonly pathAndQuery: string;
  readonly secretName: string;
  pin(verdict: AllowVerdict): PinnedTarget;
}

const CONNECT_MS = 5_000;
/** A receiver that took the message took it, however long what it says: nothing beyond the head is read, or kept. */
const ANSWER_BYTES_MAX = Number.MAX_SAFE_INTEGER;

/**
 * @param totalMs from the begin of the connection to the head of the answer
 * @throws CanonicalUrlError, TypeError when the URL cannot be used; it was checked when it was saved.
 */
export function compileWebhookEndpoint(
  { tenant, id, spec }: NotificationEndpointRecord,
  transport: Transport,
  totalMs: number,
): WebhookEndpoint {
  const { origin } = new URL(spec.url);
  const canonicaliser = createTargetCanonicaliser(origin);
  const { scheme, port, host: bracketed, url, path, pathAndQuery } = canonicaliser.fromPath(restOf(spec.url, origin));
  const host = bracketed.replace(/^\[|\]$/g, '');
  const authority = new URL(url).host;
  const connectMs = Math.min(CONNECT_MS, totalMs);
  const timeouts = { connectMs, firstByteMs: totalMs, totalMs, idleMs: totalMs, streamMs: totalMs };
  const limits = { responseBytes: ANSWER_BYTES_MAX, streamBytes: ANSWER_BYTES_MAX, concurrency: 1 };
  // The id in brackets is no name of an integration; endpoints share no connection.
  const key = poolKey({ tenant, integration: `(webhook ${id})`, scheme, host, port });
  return {
    tenant,
    target: { scheme, host, port },
    policy: compileTargetPolicy({
      hosts: [host],
      ports: [port],
      schemes: [scheme],
      unsafeAllowAddresses: spec.unsafeAllowAddresses,
    }),
    isCleartext: scheme === 'http',
    lane: createLane({ transport, timeouts, limits, baseUrl: `${scheme}://${authority}` }),
    loggedUrl: `${scheme}://${authority}${path}`,
    hostField: authority,
    pathAndQuery,
    secretName: spec.secret,
    pin: ({ address }) => ({ poolKey: key, scheme, host, port, address, connectTimeoutMs: connectMs }),
  };
}

/** The stored URL is canonical, so it begins with its origin. */
function restOf(url: string, origin: string): string {
  if (!url.startsWith(origin)) throw new TypeError('the stored URL of an endpoint is not canonical');
  return url.slice(origin.length);
}
