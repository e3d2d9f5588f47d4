import {
  encodeSealedRequestHead,
  openStream,
  type ReadSealedRequest,
  readSealedRequest,
  sealedReference,
  sealStream,
} from '@postern/approvals';
import type { QueuedCallRecord, SealedRequestRecord } from '@postern/db/ports';
import { bodyPieces } from '../approvals/stored-request.ts';
import { bodyBytes } from '../body/request-body.ts';
import type { Gateway } from '../gateway.ts';
import { forwardedHeaders } from '../stages/descriptor-of.ts';
import type { ResolvedCall } from '../stages/resolve.ts';

/** What a queued call is judged by beside its request, as it was when it was asked for. */
export interface QueuedTerms {
  /** The agent key that asked; what has become of it counts when the call runs. */
  readonly keyId: string;
  readonly clientAddress: string;
  readonly intent?: string | undefined;
  /** How long its idempotency key lives, from the time it was asked for and again from its dispatch. */
  readonly ttlMs: number;
  /** When the key ends if it is not dispatched before. */
  readonly expiresAt: number;
}

export interface StoredCall {
  readonly terms: QueuedTerms;
  readonly request: ReadSealedRequest;
}

/** For what is read when its time is over already: so that it is found and told to be late. */
const MARGIN_MS = 60_000;
/** The stored request's first field is the gateway's own: the terms. No caller's field has this name, all `Postern-` ones are taken off. */
const TERMS_FIELD = 'postern-queued-terms';

/** Stores the complete call, sealed, piece by piece. Fails with `DbError`. */
export function storeCall(
  gateway: Gateway,
  call: ResolvedCall,
  { requestId, terms }: { readonly requestId: string; readonly terms: QueuedTerms },
): Promise<SealedRequestRecord> {
  const tenant = call.caller.tenant.name;
  const sealing = { vault: gateway.vault, reference: sealedReference('request', tenant, requestId) };
  const keepUntil = terms.expiresAt + MARGIN_MS;
  return gateway.sealedRequests.write({ tenant, keepUntil }, sealStream(piecesOf(call, terms), sealing));
}

async function* piecesOf(call: ResolvedCall, terms: QueuedTerms): AsyncGenerator<Uint8Array> {
  const { method, target, body } = call;
  yield encodeSealedRequestHead({
    method,
    url: target.url,
    headers: [[TERMS_FIELD, JSON.stringify(terms)], ...forwardedHeaders(call)],
    bodyBytes: body.kind === 'none' ? null : bodyBytes(body),
  });
  yield* bodyPieces(body);
}

/**
 * The stored call, opened; its body is read as it is needed.
 *
 * @throws DbError, SealError, StoredFormError
 */
export async function openCall(
  gateway: Gateway,
  { tenant, requestId, sealedRequest }: QueuedCallRecord,
): Promise<StoredCall> {
  const sealing = { vault: gateway.vault, reference: sealedReference('request', tenant, requestId) };
  const read = await readSealedRequest(openStream(gateway.sealedRequests.read(tenant, sealedRequest), sealing));
  const [first, ...headers] = read.headers;
  if (first?.[0] !== TERMS_FIELD) throw new TypeError('the stored request is no queued call');
  return { terms: JSON.parse(first[1]) as QueuedTerms, request: { ...read, headers } };
}
