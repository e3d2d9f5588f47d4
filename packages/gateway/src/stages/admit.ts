import { performance } from 'node:perf_hooks';
import { findAgentKeyText } from '@postern/auth';
import { Rejection } from '@postern/schemas';
import { hostOfAuthority } from '../arrival-hosts.ts';
import type { ClientExchange } from '../client-exchange.ts';
import type { Gateway } from '../gateway.ts';
import { WideEvent } from '../wide-event.ts';

/** Specification section 4: 100 fields and a URL of 8 KiB; the head's 32 KiB and 10 s are the listener's to keep. */
const FIELDS_MAX = 100;
const URL_BYTES_MAX = 8_192;

/** A request whose head is well-formed, for an authority that we answer for. */
export interface AdmittedRequest {
  readonly exchange: ClientExchange;
  readonly event: WideEvent;
  readonly method: string;
  /** Origin form: path and query as received. */
  readonly requestTarget: string;
  /** Flat name, value pairs as received. */
  readonly rawHeaders: readonly string[];
  readonly clientAddress: string;
}

export function newWideEvent(gateway: Gateway, exchange: ClientExchange): WideEvent {
  const event = new WideEvent(gateway.newRequestId(), gateway.now(), performance.now());
  event.method = exchange.request.method;
  return event;
}

/** Stage 1. Hop-by-hop fields stay in `rawHeaders`; the header policy takes them off where the outgoing head is made. */
export function admit(gateway: Gateway, exchange: ClientExchange, event: WideEvent): AdmittedRequest {
  const { request } = exchange;
  const rawHeaders = request.rawHeaders;
  if (rawHeaders.length > FIELDS_MAX * 2)
    throw new Rejection('headers_too_large', `A request may have at most ${FIELDS_MAX} header fields.`);
  const method = request.method as string;
  const url = request.url as string;
  if (url.length > URL_BYTES_MAX)
    throw new Rejection('target_invalid', `The URL may have at most ${URL_BYTES_MAX} bytes.`);
  const clientAddress = gateway.trustedProxies(request);
  event.clientAddress = clientAddress;
  const fields = checkFields(gateway, rawHeaders);
  event.correlation = fields.correlation;
  if (request.headers.upgrade !== undefined && !isIgnorableUpgrade(request.headers.upgrade)) {
    throw new Rejection('upgrade_unsupported', 'Protocol upgrades, WebSocket among them, are not supported.');
  }
  // Claims do not exist yet, and whoever sends a key must not believe that they do.
  if (request.headers['idempotency-key'] !== undefined) exchange.response.setHeader('postern-idempotency', 'none');
  const requestTarget = originForm(gateway, url, fields.host);
  return { exchange, event, method, requestTarget, rawHeaders, clientAddress };
}

interface HeadFields {
  readonly host: string | undefined;
  readonly correlation: string | undefined;
}

/** One pass: exactly one `Host` (RFC 9112 section 3.2), no loop through ourselves (RFC 9110 section 7.6.3). */
function checkFields(gateway: Gateway, rawHeaders: readonly string[]): HeadFields {
  let host: string | undefined;
  let correlation: string | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
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
  return { host, correlation };
}

function isNamed(name: string, lower: string): boolean {
  return name === lower || name.toLowerCase() === lower;
}

function namesUs(via: string, viaName: string): boolean {
  return via.split(',').some((hop) => hop.trim().split(/\s+/)[1]?.toLowerCase() === viaName);
}

/** RFC 9110 section 7.8: a server may ignore `Upgrade: h2c`, which some clients always offer. */
function isIgnorableUpgrade(upgrade: string): boolean {
  return upgrade.toLowerCase() === 'h2c';
}

/** RFC 9112 section 3.2.2: the authority of an absolute-form target counts, not `Host`. */
function originForm(gateway: Gateway, url: string, hostField: string | undefined): string {
  if (hostField === undefined) throw new Rejection('malformed_request', 'The request has no Host field.');
  if (url.startsWith('/')) {
    checkAuthority(gateway, hostField);
    return url;
  }
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url);
  if (absolute === null) throw new Rejection('malformed_request', 'The request target must begin with "/".');
  checkAuthority(gateway, absolute[1] as string);
  const rest = absolute[2] as string;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function checkAuthority(gateway: Gateway, authority: string): void {
  if (gateway.arrivalHosts(authority)) return;
  if (hostOfAuthority(authority) === undefined)
    throw new Rejection('malformed_request', 'The Host field is not a host with an optional port.');
  throw new Rejection('unknown_host', 'This gateway answers for IP addresses, localhost and its public URL alone.');
}
