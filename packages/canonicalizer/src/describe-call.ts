import type { CallKind } from '@postern/schemas';
import { canonicaliseUrl } from './canonicalise-url.ts';
import { DescriptorError } from './descriptor-error.ts';
import { bodyDigest } from './fingerprint.ts';
import type { JsonValue } from './json-error.ts';
import { isVolatileHeader } from './volatile-headers.ts';

export interface CalledAction {
  readonly name: string;
  /** More headers to leave out: names, or a prefix followed by `*`. Upper and lower case are the same. */
  readonly volatile?: readonly string[];
}

/** A call as it will be forwarded, before anything is injected. */
export interface CallDescription {
  /** Default `http`. */
  readonly kind?: CallKind;
  readonly tenant: string;
  readonly agent: string;
  readonly action: CalledAction | null;
  /** Upper-case. */
  readonly method: string;
  /** Absolute; made canonical here if it is not. */
  readonly url: string;
  /** The URL came out of this package's canonicaliser, so it is taken as it is. */
  readonly isCanonicalUrl?: boolean;
  /** The caller's headers that the header policy lets through, repeated ones in the order received. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The exact bytes received, null without a body. Ignored when `bodyDigest` is given. */
  readonly body?: Uint8Array | null;
  /** `sha-256:` + hex, for a body that was digested while it came in. */
  readonly bodyDigest?: string | null;
  /** What a tool call names beside its URL. */
  readonly tool?: JsonValue;
}

export interface CalledIntegration {
  readonly name: string;
  /** `name@version`. */
  readonly template?: string | null;
  /** The name of the credential's secret, not its version: rotation undoes no approval, another secret does. */
  readonly credential?: string | null;
}

/** The canonical form of one requested call (specification section 9). */
export interface Descriptor {
  readonly v: 1;
  readonly kind: CallKind;
  readonly tenant: string;
  readonly agent: string;
  readonly integration: string;
  readonly template: string | null;
  readonly action: string | null;
  readonly method: string;
  readonly url: string;
  /** Lower-case names, sorted by name, without `host` and the volatile ones. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `sha-256:` + hex, or null without a body. */
  readonly body: string | null;
  readonly tool?: JsonValue;
  readonly credential: string | null;
  /** What the action leaves out beyond the common list: lower-case, sorted. Absent when it names nothing. */
  readonly volatile?: readonly string[];
}

/** A method in another case is refused: `delete` must not pass a rule about `DELETE` and then be obeyed by a lenient upstream. */
const METHOD = /^[A-Z][A-Z-]{0,31}$/;

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** RFC 9110 section 5.5: visible octets, space, tab, and octets above ASCII, one character each. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * The descriptor of one call.
 *
 * @throws DescriptorError, and CanonicalUrlError for the URL
 */
export function describeCall(call: CallDescription, integration: CalledIntegration): Descriptor {
  if (!METHOD.test(call.method)) throw new DescriptorError('bad_method');
  const volatile = volatileNames(call.action);
  return {
    v: 1,
    kind: call.kind ?? 'http',
    tenant: call.tenant,
    agent: call.agent,
    integration: integration.name,
    template: integration.template ?? null,
    action: call.action?.name ?? null,
    method: call.method,
    url: call.isCanonicalUrl === true ? call.url : canonicaliseUrl(call.url),
    headers: describedHeaders(call.headers, volatile),
    body: describedBody(call),
    ...(call.tool === undefined ? {} : { tool: call.tool }),
    credential: integration.credential ?? null,
    ...(volatile.length === 0 ? {} : { volatile }),
  };
}

function volatileNames(action: CalledAction | null): string[] {
  const names = new Set<string>();
  for (const item of action?.volatile ?? []) {
    if (!TOKEN.test(item.endsWith('*') ? item.slice(0, -1) : item)) throw new DescriptorError('bad_volatile');
    names.add(item.toLowerCase());
  }
  return [...names].sort();
}

function describedHeaders(headers: CallDescription['headers'], volatile: readonly string[]): [string, string][] {
  const kept: [string, string][] = [];
  for (const [written, value] of headers) {
    if (!TOKEN.test(written)) throw new DescriptorError('bad_header_name');
    const name = written.toLowerCase();
    if (name === 'host' || isVolatileHeader(name) || volatile.some((item) => matches(item, name))) continue;
    if (!FIELD_VALUE.test(value)) throw new DescriptorError('bad_header_value');
    kept.push([name, value]);
  }
  // The sort is stable, so repeated headers keep the order they came in.
  return kept.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0));
}

function matches(item: string, name: string): boolean {
  return item.endsWith('*') ? name.startsWith(item.slice(0, -1)) : name === item;
}

function describedBody(call: CallDescription): string | null {
  if (call.bodyDigest === undefined || call.bodyDigest === null) {
    return call.body === undefined || call.body === null ? null : bodyDigest(call.body);
  }
  if (!/^sha-256:[0-9a-f]{64}$/.test(call.bodyDigest)) throw new DescriptorError('bad_body_digest');
  return call.bodyDigest;
}
