import { type Exchange, filterResponseHeaders, UpstreamFailure } from '@postern/proxy-runtime';
import type { BodyMemory } from '../body/body-memory.ts';
import { ChunkList } from '../body/chunk-list.ts';
import type { ClientExchange } from '../client-exchange.ts';
import type { Gateway } from '../gateway.ts';
import { type ContentCoding, contentCoding } from '../scrub/content-coding.ts';
import type { EchoMatcher } from '../scrub/echo-matcher.ts';
import { EncodedSearch, type SearchFault } from '../scrub/encoded-search.ts';
import { prepareScrub } from '../scrub/prepare-scrub.ts';
import { scrubHeaders } from '../scrub/scrub-headers.ts';
import type { GuardedCall } from '../stages/guard-target.ts';
import type { CredentialedCall } from '../stages/inject-credential.ts';
import { type Ending, ForwardRejection, settle } from '../stages/settle.ts';
import { bodyMemoryOf } from '../tenants/tenant-bounds.ts';
import { type Answer, type Completion, decodedBytesMax, hasBody, linkScope } from './answer.ts';
import { AnswerRecord } from './answer-record.ts';
import { rewriteLinks } from './rewrite-links.ts';
import { type WithheldReason, withhold } from './withheld-answer.ts';

export interface CollectedResponse {
  readonly status: number;
  /** Flat name, value pairs that may be passed on. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** Collects the whole answer, within `responseBytes`, for a way in that answers with a document. */
export class CollectedAnswer implements Answer {
  readonly #client: ClientExchange;
  readonly #chunks = new ChunkList();
  #gateway!: Gateway;
  #call!: GuardedCall;
  #completion!: Completion;
  #exchange: Exchange | undefined;
  #matcher: EchoMatcher | undefined;
  #coding: ContentCoding = 'identity';
  #search: EncodedSearch | undefined;
  #status = 0;
  #headers: readonly string[] = [];
  #isOver = false;
  #memory!: BodyMemory;
  /** Of that memory; until the document that is made of it has gone out. */
  #heldBytes = 0;
  #collected: CollectedResponse | undefined;
  /** Of a call with a key: kept for re-sends. */
  #record: AnswerRecord | undefined;

  constructor(client: ClientExchange) {
    this.#client = client;
  }

  /** What was collected; only once `forward` has resolved. undefined when the client has left meanwhile. */
  get collected(): CollectedResponse | undefined {
    return this.#collected;
  }

  begin(gateway: Gateway, call: CredentialedCall, completion: Completion): boolean {
    this.#gateway = gateway;
    this.#call = call.intent.guarded;
    this.#completion = completion;
    this.#matcher = prepareScrub(call);
    const { request, tenant } = this.#call.allowed.call.caller;
    this.#memory = bodyMemoryOf(gateway.bodyMemory, tenant);
    const { hold } = request.event;
    if (hold?.hasClaim === true) {
      this.#record = new AnswerRecord(this.#memory);
      hold.record = this.#record;
    }
    this.#client.response.on('close', this.#onClose).once('close', this.#giveMemory);
    if (!this.#client.response.destroyed) return true;
    this.#finish({ result: 'not_sent', code: 'client_gone' });
    return false;
  }

  attach(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  onHead(status: number, headers: string[]): void {
    if (this.#isOver) return;
    this.#status = status;
    const { call } = this.#call.allowed;
    const passed = filterResponseHeaders(headers, call.integration.headerPolicy);
    rewriteLinks(passed, () => linkScope(this.#gateway, this.#call));
    this.#headers = passed;
    if (this.#matcher === undefined) return;
    scrubHeaders(passed, this.#matcher);
    if (!hasBody(status, call.method)) return;
    this.#coding = contentCoding(headers);
    if (this.#coding === 'unknown') this.#withhold('coding');
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    const { responseBytes } = this.#call.allowed.call.integration.spec.limits;
    if (this.#chunks.byteLength + chunk.byteLength > responseBytes)
      return this.#outgrow('a stream outgrew responseBytes');
    if (!this.#memory.take(chunk.byteLength)) return this.#outgrow('the bodies of other calls fill the memory');
    this.#heldBytes += chunk.byteLength;
    this.#chunks.add(chunk);
    return true;
  }

  #outgrow(detail: string): true {
    this.#exchange?.abort();
    this.onFailure(new UpstreamFailure({ code: 'response_too_large', sentBytes: 'some', headPassed: false, detail }));
    return true;
  }

  onEnd(): void {
    if (this.#isOver) return;
    if (this.#coding === 'identity' || this.#coding === 'unknown' || this.#matcher === undefined) {
      this.#complete();
      return;
    }
    const { spec } = this.#call.allowed.call.integration;
    this.#search = new EncodedSearch(
      { matcher: this.#matcher, coding: this.#coding, decodedBytesMax: decodedBytesMax(spec.limits.responseBytes) },
      {
        onPassed: () => undefined,
        onReady: () => undefined,
        onSearched: () => this.#complete(),
        onFault: (fault: SearchFault) => this.#withhold(fault),
      },
    );
    for (const chunk of this.#chunks.pieces) this.#search.push(chunk);
    this.#search.end();
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#isOver) return;
    this.#gateway.metrics.countUpstreamError(failure.code);
    this.#leave();
    this.#completion.reject(new ForwardRejection(failure));
  }

  /** An encoded body was searched, and passes as it is. */
  #complete(): void {
    const collected = this.#chunks.concat();
    const body = this.#coding === 'identity' ? (this.#matcher?.scrubBytes(collected) ?? collected) : collected;
    this.#collected = { status: this.#status, headers: this.#headers, body };
    this.#record?.head(this.#status, this.#headers);
    this.#record?.add(body);
    this.#finish({ result: 'done', status: this.#status });
  }

  #withhold(reason: WithheldReason): void {
    this.#exchange?.abort();
    this.#leave();
    this.#completion.reject(withhold(this.#gateway, this.#call.allowed.call.caller.request.event, reason));
  }

  #onClose = (): void => {
    if (this.#isOver) return;
    // What has a key is read to its end and kept: the caller may ask for it again.
    if (this.#record !== undefined) return;
    this.#exchange?.abort();
    this.#finish({ result: 'unknown', code: 'client_gone' });
  };

  #finish(ending: Ending): void {
    this.#leave();
    settle(this.#gateway, this.#call.allowed.call.caller.request.event, ending);
    this.#completion.resolve();
  }

  /** Once the document that is made of it has gone out, or nobody is there to take it. */
  #giveMemory = (): void => {
    if (!this.#isOver && this.#record !== undefined) return;
    this.#memory.give(this.#heldBytes);
    this.#heldBytes = 0;
  };

  #leave(): void {
    this.#isOver = true;
    if (this.#client.response.destroyed) this.#giveMemory();
    this.#search?.close();
    this.#client.response.off('close', this.#onClose);
  }
}
