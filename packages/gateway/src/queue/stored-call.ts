import {
  encodeSealedRequestHead,
  openStream,
  type ReadSealedRequest,
  readSealedRequest,
  sealBytes,
  sealedReference,
  sealStream,
} from '@postern/approvals';
import type { QueuedCallRecord, SealedRequestRecord } from '@postern/db/ports';
import { bodyPieces } from '../approvals/stored-request.ts';
import { bodyBytes, type RequestBody } from '../body/request-body.ts';
import type { Gateway } from '../gateway.ts';
import { forwardedHeaders } from '../stages/descriptor-of.ts';
import type { ResolvedCall } from '../stages/resolve.ts';
import { boundsSealedBytes } from '../tenants/stored-bounds.ts';

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

/** Up to here a body is sealed with its head as one piece, for each piece that is stored is a commit of its own. */
const ONE_PIECE_BYTES = 65_536;

/** Stores the complete call, sealed. Fails with `DbError`. */
export function storeCall(
  gateway: Gateway,
  call: ResolvedCall,
  { requestId, terms }: { readonly requestId: string; readonly terms: QueuedTerms },
): Promise<SealedRequestRecord> {
  const tenant = call.caller.tenant.name;
  const sealing = { vault: gateway.vault, reference: sealedReference('request', tenant, requestId) };
  const head = headOf(call, terms);
  const small = smallBody(call.body);
  const sealed =
    small === undefined
      ? sealStream(piecesOf(head, call.body), sealing)
      : [sealBytes(Buffer.concat([head, small]), sealing)];
  const isBounded = boundsSealedBytes(call.caller.tenant);
  return gateway.sealedRequests.write({ tenant, keepUntil: terms.expiresAt + MARGIN_MS, isBounded }, sealed);
}

function smallBody(body: RequestBody): Uint8Array | undefined {
  if (body.kind === 'none') return new Uint8Array(0);
  return body.kind === 'bytes' && body.bytes.byteLength <= ONE_PIECE_BYTES ? body.bytes : undefined;
}

function headOf(call: ResolvedCall, terms: QueuedTerms): Uint8Array {
  const { method, target, body } = call;
  return encodeSealedRequestHead({
    method,
    url: target.url,
    headers: [[TERMS_FIELD, JSON.stringify(terms)], ...forwardedHeaders(call)],
    bodyBytes: body.kind === 'none' ? null : bodyBytes(body),
  });
}

async function* piecesOf(head: Uint8Array, body: RequestBody): AsyncGenerator<Uint8Array> {
  yield head;
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
