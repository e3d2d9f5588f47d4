import { decodeStoredAnswer, openBytes, type StoredAnswerForm, sealedReference } from '@postern/approvals';
import type { ClaimRecord } from '@postern/db/ports';
import type { Gateway } from '../gateway.ts';

/**
 * The answer that a claim keeps, opened; undefined when there is none.
 *
 * @throws DbError, SealError, StoredFormError
 */
export async function readStoredAnswer(gateway: Gateway, claim: ClaimRecord): Promise<StoredAnswerForm | undefined> {
  const { tenant, answer, requestId } = claim;
  if (answer === undefined || requestId === undefined) return undefined;
  const sealed = answer.sealed ?? (await gateway.claims.readAnswer(tenant, answer.id));
  if (sealed === undefined) return undefined;
  const reference = sealedReference('answer', tenant, requestId);
  return decodeStoredAnswer(openBytes(sealed, { vault: gateway.vault, reference }));
}
