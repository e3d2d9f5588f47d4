import { Rejection, type ValidationIssue } from '@postern/schemas';
import type { Credential, CredentialType } from './credential.ts';
import type { AppliedCredential } from './credential-kind.ts';
import { CREDENTIAL_TYPES, findCredentialKind } from './credential-kinds.ts';
import { hasQueryParameter } from './query-text.ts';
import { makeUnprintable } from './unprintable.ts';

/** A credential made ready once, when its integration is loaded. Holds no secret. */
export interface CompiledCredential {
  readonly type: CredentialType;
  /** The secret to open, absent for `none`. */
  readonly secretName?: string;
  /** The header that it writes, in lower case: take the caller's off. */
  readonly writesHeader?: string;
  /** The query parameter that it writes. */
  readonly queryName?: string;
  /**
   * Refuses a canonical URL that the credential cannot be added to: its own parameter is already there, or the URL has a fragment. Does
   * nothing for kinds that write no parameter.
   *
   * @throws Rejection `target_invalid`.
   */
  checkTarget(url: string): void;
  /**
   * What to add to a call. It depends on the secret alone, so keep it for as long as the secret and no longer.
   *
   * @throws Rejection `credential_unavailable` when the secret is under 8 characters or cannot be carried this way.
   */
  apply(secretText: string): AppliedCredential;
}

/**
 * Makes a credential ready.
 *
 * @throws Rejection `validation_failed` with the issues that `findCredentialIssues` tells.
 */
export function compileCredential(credential: Credential): CompiledCredential {
  const issues = findCredentialIssues(credential);
  const kind = findCredentialKind(credential);
  if (kind === undefined || issues.length > 0) {
    throw new Rejection('validation_failed', 'The credential of the integration is not valid.', {
      details: { issues },
    });
  }
  const queryName = kind.writesQuery?.(credential);
  const writesHeader = kind.writesHeader?.(credential);
  return {
    type: credential.type,
    ...(credential.type === 'none' ? {} : { secretName: credential.secret }),
    ...(writesHeader === undefined ? {} : { writesHeader }),
    ...(queryName === undefined ? {} : { queryName }),
    checkTarget: queryName === undefined ? () => {} : (url) => checkTarget(url, queryName),
    apply: (secretText) => makeUnprintable(kind.apply(credential, secretText)),
  };
}

/** Faults of a credential's definition, each with its field (`type`, `name`, …); empty when it can be used. */
export function findCredentialIssues(credential: Credential): readonly ValidationIssue[] {
  const kind = findCredentialKind(credential);
  if (kind === undefined) return [{ field: 'type', message: `must be one of ${CREDENTIAL_TYPES.join(', ')}` }];
  const lacksSecret = credential.type !== 'none' && !credential.secret;
  const secretIssues = lacksSecret ? [{ field: 'secret', message: 'must be the name of a secret' }] : [];
  return [...secretIssues, ...kind.findIssues(credential)];
}

function checkTarget(url: string, queryName: string): void {
  if (url.includes('#')) throw new Rejection('target_invalid', 'The target has a fragment.');
  if (hasQueryParameter(url, queryName)) {
    throw new Rejection(
      'target_invalid',
      `The query parameter ${queryName} is set by the gateway and must not be in the call.`,
    );
  }
}
