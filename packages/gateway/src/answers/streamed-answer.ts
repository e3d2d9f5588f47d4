import type { ServerResponse } from 'node:http';
import { type Exchange, filterResponseHeaders, type UpstreamFailure } from '@postern/proxy-runtime';
import type { ClientExchange } from '../client-exchange.ts';
import type { Gateway } from '../gateway.ts';
import { contentCoding } from '../scrub/content-coding.ts';
import type { EchoMatcher } from '../scrub/echo-matcher.ts';
import { EncodedSearch, type EncodedSearchOwner, type SearchFault } from '../scrub/encoded-search.ts';
import { prepareScrub } from '../scrub/prepare-scrub.ts';
import { scrubHeaders } from '../scrub/scrub-headers.ts';
import { StreamScrubber } from '../scrub/stream-scrubber.ts';
import type { GuardedCall } from '../stages/guard-target.ts';
import type { CredentialedCall } from '../stages/inject-credential.ts';
import { codeOf, type Ending, ForwardRejection, isRefusedAnswer, resultOf, settle } from '../stages/settle.ts';
import { quotaFields } from '../stages/spend-quotas.ts';
import { bodyMemoryOf } from '../tenants/tenant-bounds.ts';
import { type Answer, type Completion, decodedBytesMax, hasBody, linkScope } from './answer.ts';
import { AnswerRecord } from './answer-record.ts';
import { passTrailers, takesTrailers } from './pass-trailers.ts';
import { rewriteLinks } from './rewrite-links.ts';
import { sayNothingIsKept } from './say-nothing-is-kept.ts';
import { withhold } from './withheld-answer.ts';

/**
 * Passes the answer on as it comes, at the client's pace.
 *
 * States: waiting → head passed → over. A failure while waiting is thrown to the caller of `forward`; after the head the
 * connection is cut, so that the client can tell. A client that leaves aborts the upstream call.
 *
 * What was injected is taken out on the way. An encoded body is searched aside first, so its end may come after the upstream's.
 */
export class StreamedAnswer implements Answer, EncodedSearchOwner {
  readonly #response: ServerResponse;
  readonly #extraHeaders: readonly string[];
  #gateway!: Gateway;
  #call!: GuardedCall;
  #completion!: Completion;
  #exchange: Exchange | undefined;
  #matcher: EchoMatcher | undefined;
  /** Of a plain body that comes in more than one piece. */
  #scrubber: StreamScrubber | undefined;
  /** Of an encoded body. */
  #search: EncodedSearch | undefined;
  #trailers: string[] | undefined;
  #awaitsDrain = false;
  /** Of a call with a key: what is passed on is kept for re-sends. */
  #record: AnswerRecord | undefined;
  /** The client has left, and the answer is read to its end all the same. */
  #isAlone = false;
  #status: number | undefined;
  #bytesLeft = Number.POSITIVE_INFINITY;
  #isOver = false;

  /** `extraHeaders`: flat pairs of the gateway's own that go with the answer. */
  constructor(client: ClientExchange, extraHeaders: readonly string[]) {
    this.#response = client.response;
    this.#extraHeaders = extraHeaders;
  }

  begin(gateway: Gateway, call: CredentialedCall, completion: Completion): boolean {
    this.#gateway = gateway;
    this.#call = call.intent.guarded;
    this.#completion = completion;
    this.#matcher = prepareScrub(call);
    const { request, tenant } = this.#call.allowed.call.caller;
    const { hold } = request.event;
    if (hold?.hasClaim === true) {
      this.#record = new AnswerRecord(bodyMemoryOf(gateway.bodyMemory, tenant));
      hold.record = this.#record;
    }
    this.#response.on('close', this.#onClose);
    if (!this.#response.destroyed) return true;
    this.#finish({ result: 'not_sent', code: 'client_gone' });
    return false;
  }

  attach(exchange: Exchange): void {
    this.#exchange = exchange;
  }

  onHead(status: number, headers: string[], isStream: boolean): void {
    if (this.#isOver) return;
    if (this.#matcher !== undefined && !this.#prepareSearch(this.#matcher, status, headers, isStream)) return;
    this.#status = status;
    const { integration } = this.#call.allowed.call;
    const passed = filterResponseHeaders(headers, integration.headerPolicy);
    rewriteLinks(passed, () => linkScope(this.#gateway, this.#call));
    if (this.#matcher !== undefined) scrubHeaders(passed, this.#matcher);
    // RFC 9110 section 8.6: a 204 has no length, and a client may believe one.
    if (status === 204) removeLength(passed);
    this.#bytesLeft = announcedLength(passed);
    this.#record?.head(status, passed);
    if (this.#isAlone) return;
    for (const item of this.#extraHeaders) passed.push(item);
    const { quota } = this.#call.allowed.call.caller.request.event;
    if (quota !== undefined) passed.push(...quotaFields(quota));
    // It frees the key.
    if (status === 429 && this.#record !== undefined) sayNothingIsKept(this.#response);
    this.#response.writeHead(status, passed);
    // The first event of a stream may be long in coming; else the head goes out with the first bytes.
    if (isStream) this.#response.flushHeaders();
  }

  /** False when the body is encoded in a way that cannot be searched: nothing has been passed yet, and the call fails. */
  #prepareSearch(matcher: EchoMatcher, status: number, headers: readonly string[], isStream: boolean): boolean {
    const { call } = this.#call.allowed;
    const coding = contentCoding(headers);
    if (coding === 'identity' || !hasBody(status, call.method)) return true;
    if (coding === 'unknown') {
      this.#exchange?.abort();
      this.#leave();
      this.#completion.reject(withhold(this.#gateway, call.caller.request.event, 'coding'));
      return false;
    }
    const { limits } = call.integration.spec;
    const bytesMax = decodedBytesMax(isStream ? limits.streamBytes : limits.responseBytes);
    this.#search = new EncodedSearch({ matcher, coding, decodedBytesMax: bytesMax }, this);
    return true;
  }

  onData(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#gateway.onAnswerBytes?.(chunk.byteLength);
    if (this.#search !== undefined) return this.#search.push(chunk) && !this.#isFull;
    this.#bytesLeft -= chunk.byteLength;
    const isLast = this.#bytesLeft === 0;
    if (this.#matcher !== undefined) return this.#scrub(this.#matcher, chunk, isLast);
    return isLast ? this.#passLast(chunk) : this.#pass(chunk);
  }

  get #isFull(): boolean {
    return !this.#isAlone && this.#response.writableNeedDrain;
  }

  #scrub(matcher: EchoMatcher, chunk: Uint8Array, isLast: boolean): boolean {
    if (this.#scrubber === undefined) {
      if (isLast) return this.#passLast(matcher.scrubBytes(chunk));
      this.#scrubber = new StreamScrubber(matcher);
    }
    if (isLast) return this.#passAllAndEnd(this.#scrubber.end(chunk));
    return this.#passAll(this.#scrubber.push(chunk));
  }

  /** In one write to the socket: what was held is a few bytes, and worth no packet of their own. */
  #passAll(pieces: readonly Uint8Array[]): boolean {
    const isOne = pieces.length < 2;
    if (!isOne) this.#response.cork();
    let isTaken = true;
    for (const piece of pieces) isTaken = this.#pass(piece);
    if (isOne) return isTaken;
    this.#response.uncork();
    // It may have drained within that call: who pauses for it now is never resumed.
    return !this.#isFull;
  }

  /** The last announced byte: body and end go in one write. */
  #passLast(bytes: Uint8Array): true {
    this.#record?.add(bytes);
    if (!this.#isAlone) this.#response.end(bytes);
    return true;
  }

  #passAllAndEnd(pieces: readonly Uint8Array[]): true {
    for (const piece of pieces) this.#record?.add(piece);
    if (this.#isAlone) return true;
    const last = pieces.at(-1);
    for (const piece of pieces) if (piece !== last) this.#response.write(piece);
    this.#response.end(last);
    return true;
  }

  /** False when the client has enough: the upstream is resumed when it wants more. */
  #pass(bytes: Uint8Array): boolean {
    this.#record?.add(bytes);
    if (this.#isAlone) return true;
    const isTaken = this.#response.write(bytes);
    // Pieces of a search may come while the client is waited for.
    if (!isTaken && !this.#awaitsDrain) {
      this.#awaitsDrain = true;
      this.#response.once('drain', this.#onDrain);
    }
    return isTaken;
  }

  onEnd(trailers: string[]): void {
    if (this.#isOver) return;
    if (trailers.length > 0) this.#trailers = trailers;
    if (this.#search !== undefined) this.#search.end();
    else this.#end();
  }

  #end(): void {
    if (this.#isAlone || !this.#response.writableEnded) {
      if (this.#trailers !== undefined) this.#passTrailers(this.#trailers);
      this.#passAllAndEnd(this.#scrubber?.end() ?? NOTHING_LEFT);
    }
    this.#finish({ result: 'done', status: this.#status });
  }

  #passTrailers(trailers: string[]): void {
    if (!takesTrailers(this.#response)) return;
    const passed = filterResponseHeaders(trailers, this.#call.allowed.call.integration.headerPolicy);
    if (this.#matcher !== undefined) scrubHeaders(passed, this.#matcher);
    passTrailers(this.#response, passed);
  }

  /** A piece of an encoded body was searched. */
  onPassed(chunk: Uint8Array): void {
    this.#bytesLeft -= chunk.byteLength;
    this.#pass(chunk);
  }

  onReady(): void {
    if (!this.#isFull) this.#exchange?.resume();
  }

  onSearched(): void {
    this.#end();
  }

  onFault(fault: SearchFault): void {
    const { event } = this.#call.allowed.call.caller.request;
    const { code, result, cause } = withhold(this.#gateway, event, fault);
    this.#gateway.log.error(cause, code, event.requestId);
    this.#exchange?.abort();
    if (!this.#isAlone) this.#response.flushHeaders();
    this.#cut();
    this.#finish({ result, status: this.#status, code, isWithheld: true });
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#isOver) return;
    this.#gateway.metrics.countUpstreamError(failure.code);
    if (this.#status === undefined) {
      this.#leave();
      this.#completion.reject(new ForwardRejection(failure));
      return;
    }
    this.#cut();
    this.#finish({
      result: resultOf(failure),
      status: this.#status,
      code: codeOf(failure),
      isWithheld: isRefusedAnswer(failure),
    });
  }

  /** No last chunk, or too few bytes, tell the client. HTTP/1.0 has neither for a body without length: a reset does. */
  #cut(): void {
    const { socket, req } = this.#response;
    if (req.httpVersionMinor === 0 && this.#bytesLeft === Number.POSITIVE_INFINITY) socket?.resetAndDestroy();
    this.#response.destroy();
  }

  #onDrain = (): void => {
    this.#awaitsDrain = false;
    this.#exchange?.resume();
  };

  /** The client's connection is gone before the answer was complete. */
  #onClose = (): void => {
    if (this.#isOver) return;
    if (this.#response.writableFinished) return;
    // What has a key is read to its end and kept: the caller may ask for it again.
    if (this.#record !== undefined) return this.#goOnAlone();
    this.#exchange?.abort();
    this.#finish({
      result: this.#status === undefined ? 'unknown' : 'failed',
      status: this.#status,
      code: 'client_gone',
    });
  };

  #goOnAlone(): void {
    this.#isAlone = true;
    this.#response.off('drain', this.#onDrain);
    this.#exchange?.resume();
  }

  #finish(ending: Ending): void {
    this.#leave();
    settle(this.#gateway, this.#call.allowed.call.caller.request.event, ending);
    this.#completion.resolve();
  }

  #leave(): void {
    // The listener for the end of the connection stays: to take it off is work for each call.
    this.#isOver = true;
    this.#search?.close();
  }
}

/** The body's length as announced; infinite when it is not. */
function announcedLength(headers: readonly string[]): number {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 14 && name.toLowerCase() === 'content-length') return Number(headers[i + 1]);
  }
  return Number.POSITIVE_INFINITY;
}

function removeLength(headers: string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if ((headers[i] as string).toLowerCase() === 'content-length') headers.splice(i, 2);
  }
}

const NOTHING_LEFT: readonly Uint8Array[] = [];
