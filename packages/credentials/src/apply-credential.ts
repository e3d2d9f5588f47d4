import type { Secret } from '@postern/vault';
import { type CompiledCredential, compileCredential } from './compile-credential.ts';
import type { Credential } from './credential.ts';
import type { AppliedCredential } from './credential-kind.ts';
import { appendQuery } from './query-text.ts';
import { makeUnprintable } from './unprintable.ts';

/** What of a call a credential may look at. `url` is canonical: absolute, or a path with its query. */
export interface CredentialRequest {
  readonly method: string;
  readonly url: string;
}

export interface CredentialApplication extends AppliedCredential {
  /** The URL to send: that of the request, with the credential's parameter last where it writes one. Then it holds the secret. */
  readonly url: string;
}

/**
 * What one call gets from a credential: the headers to add (each replaces all of its name) and the URL to send. Changes nothing in `request`.
 * For many calls, `compileCredential` once and keep what `apply` answers.
 *
 * @throws Rejection `validation_failed` for a faulty definition, `target_invalid` when the URL already has the credential's parameter,
 * `credential_unavailable` when the secret is under 8 characters or cannot be carried. No message holds the secret.
 */
export function applyCredential(
  request: CredentialRequest,
  credential: Credential,
  secret: string | Secret,
): CredentialApplication {
  const compiled = compileCredential(credential);
  compiled.checkTarget(request.url);
  const applied = compiled.apply(revealText(compiled, secret));
  const url = applied.query === undefined ? request.url : appendQuery(request.url, applied.query);
  return makeUnprintable({ ...applied, url });
}

function revealText(compiled: CompiledCredential, secret: string | Secret): string {
  if (compiled.type === 'none') return '';
  return typeof secret === 'string' ? secret : secret.reveal();
}
