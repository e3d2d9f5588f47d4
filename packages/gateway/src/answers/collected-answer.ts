import { type Exchange, filterResponseHeaders, UpstreamFailure } from '@postern/proxy-runtime';
import type { ClientExchange } from '../client-exchange.ts';
import type { Gateway } from '../gateway.ts';
import type { GuardedCall } from '../stages/guard-target.ts';
import type { CredentialedCall } from '../stages/inject-credential.ts';
import { type Ending, ForwardRejection, settle } from '../stages/settle.ts';
import { type Answer, type Completion, linkScope } from './answer.ts';
import { rewriteLinks } from './rewrite-links.ts';

export interface CollectedResponse {
  readonly status: number;
  /** Flat name, value pairs that may be passed on. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** Collects the whole answer, within `responseBytes`, for a way in that answers with a document. */
export class CollectedAnswer implements Answer {
  readonly #client: ClientExchange;
  readonly #chunks: Uint8Array[] = [];
  #gateway!: Gateway;
  #call!: GuardedCall;
  #completion!: Completion;
  #exchange: Exchange | undefined;
  #byteLength = 0;
  #status = 0;
  #headers: readonly string[] = [];
  #isOver = false;
  #collected: CollectedResponse | undefined;

  constructor(client: ClientExchange) {
    this.#client = client;
  }

  /** What was collected; only once `forward` has resolved. undefined when the client has left meanwhile. */
  get collected(): CollectedResponse | undefined {
    return this.#collected;
  }

  begin(gateway: Gateway, { intent }: CredentialedCall, completion: Completion): boolean {
    this.#gateway = gateway;
    this.#call = intent.guarded;
    this.#completion = completion;
    this.#client.response.on('close', this.#onClose);
    if (!this.#client.response.destroyed) return true;
    this.#finish({ result: 'not_sent', code: 'client_gone' });
    return false;
  }

  attach(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  onHead(status: number, headers: string[]): void {
    this.#status = status;
    const passed = filterResponseHeaders(headers, this.#call.allowed.call.integration.headerPolicy);
    rewriteLinks(passed, () => linkScope(this.#gateway, this.#call));
    this.#headers = passed;
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#byteLength += chunk.byteLength;
    if (this.#byteLength > this.#call.allowed.call.integration.spec.limits.responseBytes) {
      this.#exchange?.abort();
      this.onFailure(
        new UpstreamFailure({
          code: 'response_too_large',
          sentBytes: 'some',
          headPassed: false,
          detail: 'a stream outgrew responseBytes',
        }),
      );
      return true;
    }
    this.#chunks.push(chunk);
    return true;
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#collected = {
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#chunks, this.#byteLength),
    };
    this.#finish({ result: 'done', status: this.#status });
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#isOver) return;
    this.#gateway.metrics.countUpstreamError(failure.code);
    this.#leave();
    this.#completion.reject(new ForwardRejection(failure));
  }

  #onClose = (): void => {
    if (this.#isOver) return;
    this.#exchange?.abort();
    this.#finish({ result: 'unknown', code: 'client_gone' });
  };

  #finish(ending: Ending): void {
    this.#leave();
    settle(this.#gateway, this.#call.allowed.call.caller.request.event, ending);
    this.#completion.resolve();
  }

  #leave(): void {
    this.#isOver = true;
    this.#client.response.off('close', this.#onClose);
  }
}
