import { readPrefer } from '@postern/approvals';
import type { CanonicalTarget } from '@postern/canonicalizer';
import { Rejection } from '@postern/schemas';
import { type BodyLimits, receiveBody } from '../body/receive-body.ts';
import type { RequestBody } from '../body/request-body.ts';
import { streamBody } from '../body/streamed-body.ts';
import { keyOfRequest } from '../claims/read-key.ts';
import type { ClientExchange } from '../client-exchange.ts';
import type { CompiledIntegration } from '../directory/compiled-tenant.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import type { WideEvent } from '../wide-event.ts';
import { readIntent } from './intent-field.ts';
import { withoutOwnPreferences } from './own-preferences.ts';

/** A caller's request that is forwarded as it is. */
export class ForwardedRequest implements RequestedCall {
  readonly integration: string;
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly intent: string | undefined;
  readonly claimKey: string | undefined;
  readonly waitSeconds: number | undefined;
  readonly respondsAsync: boolean;
  readonly #exchange: ClientExchange;
  readonly #event: WideEvent;
  readonly #pathAndQuery: string;

  /** `pathAndQuery`: what goes below the base URL, as received; may be empty. */
  constructor(request: AdmittedRequest, integration: string, pathAndQuery: string) {
    const { exchange, rawHeaders } = request;
    const isPreferring = exchange.request.headers['prefer'] !== undefined;
    const preferences = isPreferring ? readPrefer(exchange.request.headersDistinct['prefer'] ?? []) : undefined;
    this.claimKey = keyOfRequest(exchange.request);
    this.waitSeconds = preferences?.waitSeconds;
    this.respondsAsync = preferences?.respondAsync === true;
    this.integration = integration;
    this.method = request.method;
    this.rawHeaders = isPreferring ? withoutOwnPreferences(rawHeaders) : rawHeaders;
    this.intent = readIntent(this.rawHeaders);
    this.#exchange = exchange;
    this.#event = request.event;
    this.#pathAndQuery = pathAndQuery;
  }

  target(found: CompiledIntegration): CanonicalTarget {
    return found.canonicaliser.fromPath(this.#pathAndQuery);
  }

  body(limits: BodyLimits): RequestBody | Promise<RequestBody> {
    return receiveBody(this.#exchange, limits);
  }

  streamedBody({ bytesMax }: BodyLimits): RequestBody {
    if (this.claimKey !== undefined) throw noStream('an idempotency key');
    if (this.respondsAsync) throw noStream('an asynchronous answer');
    return streamBody(this.#exchange, bytesMax, (digest) => {
      this.#event.argsHash = digest;
    });
  }
}

/** Specification section 3: what needs the whole body before the call goes out. */
function noStream(what: string): Rejection {
  return new Rejection(
    'target_invalid',
    `The action passes its body on as it comes; it cannot be called with ${what}.`,
  );
}
