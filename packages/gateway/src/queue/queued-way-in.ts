import type { ReadSealedRequest } from '@postern/approvals';
import type { CanonicalTarget } from '@postern/canonicalizer';
import type { QueuedCallRecord } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import type { Answer } from '../answers/answer.ts';
import { CollectedAnswer, type CollectedResponse } from '../answers/collected-answer.ts';
import type { BodyLimits } from '../body/receive-body.ts';
import { receivePieces } from '../body/receive-pieces.ts';
import { NO_BODY, type RequestBody } from '../body/request-body.ts';
import type { CompiledIntegration } from '../directory/compiled-tenant.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import type { CallWayIn } from '../ways-in/way-in.ts';
import type { CallLease } from './call-lease.ts';
import type { StoredCall } from './stored-call.ts';

/** The way in of a call that comes out of the queue: read from what is stored, its answer kept for whoever asks. */
export class QueuedWayIn implements CallWayIn {
  readonly kind = 'call';
  readonly #call: QueuedCallRecord;
  readonly #stored: StoredCall;
  readonly #lease: CallLease;
  #answered: CollectedResponse | undefined;

  constructor(call: QueuedCallRecord, stored: StoredCall, lease: CallLease) {
    this.#call = call;
    this.#stored = stored;
    this.#lease = lease;
  }

  /** What the upstream answered, now or at an earlier dispatch of the key. */
  get answered(): CollectedResponse | undefined {
    return this.#answered;
  }

  async read(): Promise<RequestedCall> {
    if (!(await this.#lease.refresh())) throw leaseLost();
    return new QueuedRequest(this.#call, this.#stored);
  }

  /** The last moment before anything is sent. */
  answerFor({ exchange }: AdmittedRequest): Answer {
    if (!this.#lease.isHeld) throw leaseLost();
    return new CollectedAnswer(exchange);
  }

  finish(_request: AdmittedRequest, answer: Answer): void {
    if (answer instanceof CollectedAnswer) this.#answered = answer.collected;
  }

  replay(_request: AdmittedRequest, stored: CollectedResponse): void {
    this.#answered = stored;
  }
}

function leaseLost(): Rejection {
  return new Rejection('in_flight', 'The call may have been taken by another process; this one has not sent it.');
}

/** A stored request, as a call of its own; every stage judges it anew. */
class QueuedRequest implements RequestedCall {
  readonly integration: string;
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly intent: string | undefined;
  readonly claimKey: string;
  readonly #request: ReadSealedRequest;

  constructor(call: QueuedCallRecord, { request, terms }: StoredCall) {
    this.integration = call.integration;
    this.method = request.method;
    this.rawHeaders = request.headers.flat();
    this.intent = terms.intent;
    this.claimKey = call.claimKey;
    this.#request = request;
  }

  target({ canonicaliser, hosts, spec }: CompiledIntegration): CanonicalTarget {
    return canonicaliser.fromUrl(this.#request.url, hosts, spec.network.ports);
  }

  async body(limits: BodyLimits): Promise<RequestBody> {
    const { bodyBytes, body } = this.#request;
    if (bodyBytes !== null) return await receivePieces(body, bodyBytes, limits);
    await body[Symbol.asyncIterator]().return?.();
    return NO_BODY;
  }

  streamedBody(): RequestBody {
    throw new Rejection('target_invalid', 'The action passes its body on as it comes; no such call can be queued.');
  }
}
