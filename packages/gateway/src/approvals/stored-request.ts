import {
  encodeSealedRequestHead,
  openStream,
  type ReadSealedRequest,
  readSealedRequest,
  sealedReference,
  sealStream,
} from '@postern/approvals';
import { type ApprovalRecord, DbError, type SealedRequestRecord } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import type { RequestBody } from '../body/request-body.ts';
import { bodyBytes } from '../body/request-body.ts';
import type { Gateway } from '../gateway.ts';
import { forwardedHeaders } from '../stages/descriptor-of.ts';
import type { ResolvedCall } from '../stages/resolve.ts';
import { boundsSealedBytes } from '../tenants/stored-bounds.ts';

/** Stores the complete request, sealed, piece by piece. Fails with `DbError`. */
export function storeRequest(
  gateway: Gateway,
  call: ResolvedCall,
  { fingerprint, keepUntil }: { readonly fingerprint: string; readonly keepUntil: number },
): Promise<SealedRequestRecord> {
  const { name: tenant } = call.caller.tenant;
  const reference = sealedReference('request', tenant, fingerprint);
  const sealed = sealStream(piecesOf(call), { vault: gateway.vault, reference });
  const isBounded = boundsSealedBytes(call.caller.tenant);
  return gateway.sealedRequests.write({ tenant, keepUntil, isBounded }, sealed);
}

async function* piecesOf(call: ResolvedCall): AsyncGenerator<Uint8Array> {
  const { method, target, body } = call;
  const hasBody = body.kind !== 'none';
  yield encodeSealedRequestHead({
    method,
    url: target.url,
    headers: forwardedHeaders(call),
    bodyBytes: hasBody ? bodyBytes(body) : null,
  });
  yield* bodyPieces(body);
}

/** The bytes of a body that was received whole. */
export async function* bodyPieces(body: RequestBody): AsyncGenerator<Uint8Array> {
  switch (body.kind) {
    case 'none':
      return;
    case 'bytes':
      yield body.bytes;
      return;
    case 'spooled':
      yield* body.spool.read();
      return;
    case 'stream':
      throw new TypeError('a body that passes as it comes cannot be stored');
  }
}

/**
 * The stored request of an approval, opened; its body is read as it is needed.
 *
 * @throws Rejection `approval_unavailable` when it cannot be read now, `approval_expired` when it is not kept any more
 */
export async function openRequest(
  gateway: Gateway,
  { tenant, fingerprint, sealedRequest }: Pick<ApprovalRecord, 'tenant' | 'fingerprint' | 'sealedRequest'>,
): Promise<ReadSealedRequest> {
  try {
    if (sealedRequest === undefined) throw new TypeError('the approval has no stored request');
    const reference = sealedReference('request', tenant, fingerprint);
    const pieces = openStream(gateway.sealedRequests.read(tenant, sealedRequest), { vault: gateway.vault, reference });
    return await readSealedRequest(pieces);
  } catch (cause) {
    throw cause instanceof DbError && cause.code === 'unavailable'
      ? new Rejection('approval_unavailable', 'The stored request cannot be read at present.', { cause })
      : new Rejection('approval_expired', 'The stored request of this approval is not kept any more.', { cause });
  }
}

/** Its answer can be asked for by the approval's id as long as it is kept, and for that the request is needed. Delays nobody. */
export function keepWithAnswer(gateway: Gateway, { tenant, sealedRequest }: ApprovalRecord, ttlMs: number): void {
  if (sealedRequest === undefined) return;
  gateway.sealedRequests
    .keepUntil(tenant, sealedRequest, gateway.now() + ttlMs)
    .catch((error: unknown) => gateway.log.error(error, 'keep a stored request'));
}
