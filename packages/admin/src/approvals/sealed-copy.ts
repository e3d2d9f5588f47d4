import { createHash } from 'node:crypto';
import {
  openStream,
  type ReadSealedRequest,
  type RenderedRequest,
  readSealedRequest,
  renderRequest,
  SealError,
  StoredFormError,
  sealedReference,
  verifyStoredRequest,
} from '@postern/approvals';
import type { Descriptor } from '@postern/canonicalizer';
import { type ApprovalRecord, DbError } from '@postern/db/ports';
import type { AdminDependencies } from '../dependencies.ts';

/** The stored request of an approval, as it is shown, or why it is not. `words` are for people. */
export type SealedCopy =
  | { readonly isApprovable: true; readonly rendered: RenderedRequest }
  | { readonly isApprovable: false; readonly words: string };

/** What is shown of a body; the digest is always of the whole. */
const SHOWN_BYTES_MAX = 65_536;

/**
 * Opens the sealed request, reads it to its end, and holds it against the fingerprint: what does not open whole, or is not what the
 * approval is bound to, is neither shown nor approved. Fails with `DbError` when the store does not answer.
 */
export async function openSealedCopy(
  { repositories, vault, logger }: Pick<AdminDependencies, 'repositories' | 'vault' | 'logger'>,
  approval: ApprovalRecord,
): Promise<SealedCopy> {
  const { tenant, id, fingerprint, sealedRequest } = approval;
  if (sealedRequest === undefined) return unavailable('No request is stored with this approval.');
  const reference = sealedReference('request', tenant, fingerprint);
  try {
    const pieces = openStream(repositories.sealedRequests.read(tenant, sealedRequest), { vault, reference });
    const { request, shown } = await readWhole(await readSealedRequest(pieces));
    const descriptor = JSON.parse(approval.descriptor) as Descriptor;
    const isBound =
      descriptor.tenant === tenant &&
      descriptor.agent === approval.agent &&
      verifyStoredRequest(request, { descriptor, fingerprint });
    if (isBound) return { isApprovable: true, rendered: renderRequest(shown, { textBytesMax: SHOWN_BYTES_MAX }) };
    logger.error({ tenant, approval: id }, 'the stored request of an approval is not the one it is bound to');
    return unavailable('The stored request is not the one that this approval is bound to.');
  } catch (error) {
    if (error instanceof DbError && error.code === 'not_found') return unavailable('The request is no longer kept.');
    if (!(error instanceof SealError || error instanceof StoredFormError || error instanceof SyntaxError)) throw error;
    logger.error({ tenant, approval: id, fault: error.message }, 'the stored request of an approval does not open');
    return unavailable('The stored request does not open: a master key may be missing, or it was changed.');
  }
}

function unavailable(words: string): SealedCopy {
  return { isApprovable: false, words };
}

/** Reads all of it, and keeps the beginning of its body to be shown. */
async function readWhole({ method, url, headers, bodyBytes, body }: ReadSealedRequest) {
  const hash = createHash('sha256');
  const beginning: Uint8Array[] = [];
  let held = 0;
  for await (const piece of body) {
    hash.update(piece);
    if (held < SHOWN_BYTES_MAX) beginning.push(piece.subarray(0, SHOWN_BYTES_MAX - held));
    held += piece.byteLength;
  }
  const head = { method, url, headers };
  if (bodyBytes === null) return { request: { ...head, bodyDigest: null }, shown: { ...head, body: null } };
  const bodyDigest = `sha-256:${hash.digest('hex')}`;
  return {
    request: { ...head, bodyDigest },
    shown: { ...head, body: Buffer.concat(beginning), bodyBytes, bodyDigest },
  };
}
