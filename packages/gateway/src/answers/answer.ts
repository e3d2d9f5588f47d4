import type { Exchange, ExchangeSink, RedirectScope } from '@postern/proxy-runtime';
import type { Gateway } from '../gateway.ts';
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
  const { integration, target } = allowed.call;
  return {
    requestUrl: target.hasQuery ? target.url.slice(0, target.url.indexOf('?')) : target.url,
    base: integration.lane.base,
    prefix: `${gateway.publicUrl()}/to/${integration.name}`,
  };
}
