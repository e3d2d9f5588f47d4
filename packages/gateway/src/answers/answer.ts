import type { Exchange, ExchangeSink, RedirectScope } from '@postern/proxy-runtime';
import type { Gateway } from '../gateway.ts';
import { linkBase } from '../link-base.ts';
import type { GuardedCall } from '../stages/guard-target.ts';
import type { CredentialedCall } from '../stages/inject-credential.ts';

export interface Completion {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Where the upstream's answer goes: streamed to the client, or collected into a JSON document. Settles the call at its end. */
export interface Answer extends ExchangeSink {
  /** False when the client has left already: the call is settled as not sent then, and nothing must be sent. */
  begin(gateway: Gateway, call: CredentialedCall, completion: Completion): boolean;
  /** Gives the running exchange, to pause, resume and abort it. */
  attach(exchange: Exchange): void;
}

/** Where links of the call's answer may lead, and what they become. */
export function linkScope(gateway: Gateway, { allowed }: GuardedCall): RedirectScope {
  const { caller, integration, target } = allowed.call;
  return {
    requestUrl: target.hasQuery ? target.url.slice(0, target.url.indexOf('?')) : target.url,
    base: integration.lane.base,
    prefix: linkBase(gateway, caller.request.arrival, integration.name),
  };
}

/** Answers to HEAD and with these statuses have no body, whatever their head says (RFC 9110 section 6.4.1). */
export function hasBody(status: number, method: string): boolean {
  return status !== 204 && status !== 304 && method !== 'HEAD';
}

/**
 * How much an encoded body may unfold to while it is searched, for a limit on its encoded bytes. What people send unfolds less: JSON
 * about tenfold. A bomb of gzip unfolds a thousandfold, one of brotli without end.
 */
export function decodedBytesMax(encodedBytesMax: number): number {
  return encodedBytesMax * 16;
}
