import { Rejection, type ValidationIssue } from '@postern/schemas';
import type { ClientCertificate } from './client-certificate.ts';
import type { Credential, CredentialType } from './credential.ts';
import type { AppliedCredential, CredentialKind } from './credential-kind.ts';
import { CREDENTIAL_TYPES, findCredentialKind } from './credential-kinds.ts';
import { hasQueryParameter } from './query-text.ts';
import type { Signer } from './signer.ts';
import { applyToken } from './tokens/access-token.ts';
import type { TokenSource } from './tokens/token-source.ts';
import { makeUnprintable } from './unprintable.ts';

/**
 * A credential made ready once, when its integration is loaded. Holds no secret. `shape` tells what its secret is used for: `static`, `signing`
 * and `tls` open it for a call, `minting` buys a token with it that serves many calls. What comes of a secret lives as long as it and no longer.
 */
export type CompiledCredential = StaticCredential | SigningCredential | MintingCredential | TlsCredential;

interface CompiledBase {
  readonly type: CredentialType;
  /** The secret to open, absent for `none`. */
  readonly secretName?: string;
  /** The headers that it writes, in lower case: take the caller's off. */
  readonly writesHeaders: readonly string[];
  /**
   * Refuses a call that the credential cannot be added to: a canonical URL with its own parameter or with a fragment, or a body in a form
   * that it cannot sign. `rawHeaders`: flat pairs as the caller sent them.
   *
   * @throws Rejection `target_invalid`.
   */
  checkTarget(url: string, rawHeaders?: readonly string[]): void;
  /** @throws Rejection `credential_unavailable` when `secretText` cannot be this credential's secret; it says why, without the secret. */
  checkSecret(secretText: string): void;
}

export interface StaticCredential extends CompiledBase {
  readonly shape: 'static';
  /**
   * What to add to a call.
   *
   * @throws Rejection `credential_unavailable` when the secret is under 8 characters or cannot be carried this way.
   */
  apply(secretText: string): AppliedCredential;
}

export interface SigningCredential extends CompiledBase {
  readonly shape: 'signing';
  /** @throws Rejection `credential_unavailable` when the secret is not such a key. */
  openSigner(secretText: string): Signer;
}

export interface MintingCredential extends CompiledBase {
  readonly shape: 'minting';
  readonly secretName: string;
  readonly source: TokenSource;
  /** What a minted token adds to a call. */
  applyToken(accessToken: string): AppliedCredential;
}

export interface TlsCredential extends CompiledBase {
  readonly shape: 'tls';
  /** @throws Rejection `credential_unavailable` when the secret is no certificate with its key. */
  openCertificate(secretText: string): ClientCertificate;
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
  return compileKind(kind, credential);
}

function compileKind(kind: CredentialKind<Credential>, credential: Credential): CompiledCredential {
  const base = compileBase(kind, credential);
  switch (kind.shape) {
    case 'static': {
      const apply = (secretText: string) => makeUnprintable(kind.apply(credential, secretText));
      return { ...base, shape: 'static', apply, checkSecret: (text) => void apply(text) };
    }
    case 'signing': {
      const openSigner = (secretText: string): Signer => {
        const signer = kind.openSigner(credential, secretText);
        return makeUnprintable({ sign: (request) => makeUnprintable(signer.sign(request)) });
      };
      return { ...base, shape: 'signing', openSigner, checkSecret: (text) => void openSigner(text) };
    }
    case 'minting': {
      const source = kind.openSource(credential);
      const secretName = base.secretName ?? '';
      return { ...base, shape: 'minting', secretName, source, applyToken, checkSecret: source.checkSecret };
    }
    case 'tls': {
      const openCertificate = (text: string) => makeUnprintable(kind.openCertificate(credential, text));
      return { ...base, shape: 'tls', openCertificate, checkSecret: (text) => void openCertificate(text) };
    }
  }
}

function compileBase(kind: CredentialKind<Credential>, credential: Credential): Omit<CompiledBase, 'checkSecret'> {
  const refusesQuery = kind.refusesQuery?.(credential) ?? [];
  const { checkHeaders } = kind;
  return {
    type: credential.type,
    ...(credential.type === 'none' ? {} : { secretName: credential.secret }),
    writesHeaders: kind.writesHeaders?.(credential) ?? [],
    checkTarget:
      refusesQuery.length === 0 && checkHeaders === undefined
        ? () => {}
        : (url, rawHeaders = []) => {
            checkUrl(url, refusesQuery);
            checkHeaders?.(credential, rawHeaders);
          },
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

function checkUrl(url: string, refusesQuery: readonly string[]): void {
  if (refusesQuery.length > 0 && url.includes('#')) throw new Rejection('target_invalid', 'The target has a fragment.');
  for (const name of refusesQuery) {
    if (!hasQueryParameter(url, name)) continue;
    throw new Rejection(
      'target_invalid',
      `The query parameter ${name} is set by the gateway and must not be in the call.`,
    );
  }
}
