import {
  encodeSealedRequestHead,
  openStream,
  type ReadSealedRequest,
  readSealedRequest,
  sealedReference,
  sealStream,
} from '@postern/approvals';
import type { ApprovalRecord, SealedRequestRecord } from '@postern/db/ports';
import type { RequestBody } from '../body/request-body.ts';
import { bodyBytes } from '../body/request-body.ts';
import type { Gateway } from '../gateway.ts';
import { forwardedHeaders } from '../stages/descriptor-of.ts';
import type { ResolvedCall } from '../stages/resolve.ts';

/** Stores the complete request, sealed, piece by piece. Fails with `DbError`. */
export function storeRequest(
  gateway: Gateway,
  call: ResolvedCall,
  { fingerprint, keepUntil }: { readonly fingerprint: string; readonly keepUntil: number },
): Promise<SealedRequestRecord> {
  const tenant = call.caller.tenant.name;
  const reference = sealedReference('request', tenant, fingerprint);
  const sealed = sealStream(piecesOf(call), { vault: gateway.vault, reference });
  return gateway.sealedRequests.write({ tenant, keepUntil }, sealed);
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
  yield* bytesOf(body);
}

async function* bytesOf(body: RequestBody): AsyncGenerator<Uint8Array> {
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
 * @throws DbError, SealError, StoredFormError
 */
export function openRequest(
  gateway: Gateway,
  { tenant, fingerprint, sealedRequest }: Pick<ApprovalRecord, 'tenant' | 'fingerprint' | 'sealedRequest'>,
): Promise<ReadSealedRequest> {
  if (sealedRequest === undefined) throw new TypeError('the approval has no stored request');
  const reference = sealedReference('request', tenant, fingerprint);
  return readSealedRequest(
    openStream(gateway.sealedRequests.read(tenant, sealedRequest), { vault: gateway.vault, reference }),
  );
}
