import { performance } from 'node:perf_hooks';
import { findAgentKeyText } from '@postern/auth';
import { Rejection } from '@postern/schemas';
import { type Arrival, hostOfAuthority } from '../arrival-hosts.ts';
import type { ClientExchange } from '../client-exchange.ts';
import type { Gateway } from '../gateway.ts';
import { withOneForwardLess } from '../ways-in/last-hop.ts';
import { WideEvent } from '../wide-event.ts';
import { checkFraming, FIELD_FRAME_BYTES, HEAD_BYTES_MAX, requestLineBytes } from './check-framing.ts';

/** Specification section 4: 100 fields and a URL of 8 KiB; the head's 10 s are the listener's to keep. */
const FIELDS_MAX = 100;
const URL_BYTES_MAX = 8_192;

/** A request whose head is well-formed, for an authority that we answer for. */
export interface AdmittedRequest {
  readonly exchange: ClientExchange;
  readonly event: WideEvent;
  readonly method: string;
  /** Origin form: path and query as received. */
  readonly requestTarget: string;
  /** Flat name, value pairs as received, but for `Max-Forwards`. */
  readonly rawHeaders: readonly string[];
  readonly clientAddress: string;
  readonly arrival: Arrival;
  /** Of a call from the queue: the id of the key that it was queued with. No key is looked for in it. */
  readonly queuedKeyId?: string;
}

export function newWideEvent(gateway: Gateway, exchange: ClientExchange): WideEvent {
  const event = new WideEvent(gateway.newRequestId(), gateway.now(), performance.now());
  event.method = exchange.request.method;
  return event;
}

/** Stage 1. Hop-by-hop fields stay in `rawHeaders`; the header policy takes them off where the outgoing head is made. */
export function admit(gateway: Gateway, exchange: ClientExchange, event: WideEvent): AdmittedRequest {
  const { request } = exchange;
  const clientAddress = gateway.trustedProxies(request);
  event.clientAddress = clientAddress;
  checkFraming(exchange);
  const rawHeaders = request.rawHeaders;
  if (rawHeaders.length > FIELDS_MAX * 2)
    throw new Rejection('headers_too_large', `A request may have at most ${FIELDS_MAX} header fields.`);
  const method = request.method as string;
  const url = request.url as string;
  if (url.length > URL_BYTES_MAX)
    throw new Rejection('target_invalid', `The URL may have at most ${URL_BYTES_MAX} bytes.`);
  const fields = checkFields(gateway, rawHeaders, requestLineBytes(request));
  event.correlation = fields.correlation;
  // Until the key is claimed.
  if (request.headers['idempotency-key'] !== undefined) exchange.response.setHeader('postern-idempotency', 'none');
  if (fields.host === undefined) throw new Rejection('malformed_request', 'The request has no Host field.');
  const absolute = url.startsWith('/') ? undefined : splitAbsolute(url);
  const requestTarget = absolute?.requestTarget ?? url;
  const arrival = arrivalAt(gateway, absolute?.authority ?? fields.host);
  const isCounted = method === 'OPTIONS' && request.headers['max-forwards'] !== undefined;
  return {
    exchange,
    event,
    method,
    requestTarget,
    rawHeaders: isCounted ? withOneForwardLess(rawHeaders) : rawHeaders,
    clientAddress,
    arrival,
  };
}

interface HeadFields {
  readonly host: string | undefined;
  readonly correlation: string | undefined;
}

/** One pass: the bytes of the head, exactly one `Host` (RFC 9112 section 3.2), no loop through ourselves (RFC 9110 section 7.6.3). */
function checkFields(gateway: Gateway, rawHeaders: readonly string[], lineBytes: number): HeadFields {
  let headBytes = lineBytes;
  let host: string | undefined;
  let correlation: string | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    headBytes += name.length + value.length + FIELD_FRAME_BYTES;
    switch (name.length) {
      case 4:
        if (isNamed(name, 'host')) {
          if (host !== undefined) throw new Rejection('malformed_request', 'The request has more than one Host field.');
          host = value;
        }
        break;
      case 3:
        if (isNamed(name, 'via') && namesUs(value, gateway.viaName)) {
          throw new Rejection('address_forbidden', 'The call has passed through this gateway already.');
        }
        break;
      case 12:
        if (isNamed(name, 'x-request-id')) correlation = findAgentKeyText(value) ? undefined : value.slice(0, 128);
        break;
    }
  }
  if (headBytes > HEAD_BYTES_MAX)
    throw new Rejection('headers_too_large', `The request head may have at most ${HEAD_BYTES_MAX} bytes.`);
  return { host, correlation };
}

function isNamed(name: string, lower: string): boolean {
  return name === lower || name.toLowerCase() === lower;
}

function namesUs(via: string, viaName: string): boolean {
  return via.split(',').some((hop) => hop.trim().split(/\s+/)[1]?.toLowerCase() === viaName);
}

interface AbsoluteTarget {
  readonly authority: string;
  /** Origin form. */
  readonly requestTarget: string;
}

/** RFC 9112 section 3.2.2: the authority of an absolute-form target counts, not `Host`. */
function splitAbsolute(url: string): AbsoluteTarget {
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url);
  if (absolute === null) throw new Rejection('malformed_request', 'The request target must begin with "/".');
  const rest = absolute[2] as string;
  return { authority: absolute[1] as string, requestTarget: rest.startsWith('/') ? rest : `/${rest}` };
}

function arrivalAt(gateway: Gateway, authority: string): Arrival {
  const arrival = gateway.arrivalHosts(authority);
  if (arrival !== undefined) return arrival;
  if (hostOfAuthority(authority) === undefined)
    throw new Rejection('malformed_request', 'The Host field is not a host with an optional port.');
  throw new Rejection(
    'unknown_host',
    'This gateway answers for IP addresses, localhost, its public URL and the hosts of its integrations alone.',
  );
}
