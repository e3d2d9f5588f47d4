import type { Credential } from '@postern/schemas';

/** Where a credential asks for tokens, and the field that says so; undefined for kinds that ask nobody. */
export function tokenPlaceOf(credential: Credential): { readonly url: string; readonly field: string } | undefined {
  if (credential.type === 'github_app') return { url: credential.apiUrl, field: 'apiUrl' };
  return 'tokenUrl' in credential ? { url: credential.tokenUrl, field: 'tokenUrl' } : undefined;
}
