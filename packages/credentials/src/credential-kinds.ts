import type { Credential, CredentialType } from './credential.ts';
import type { CredentialKind } from './credential-kind.ts';
import { basic } from './types/basic.ts';
import { bearer } from './types/bearer.ts';
import { header } from './types/header.ts';
import { none } from './types/none.ts';
import { query } from './types/query.ts';

type CredentialKinds = { readonly [T in CredentialType]: CredentialKind<Extract<Credential, { type: T }>> };

/** Every kind of credential. A new one is a file in `types/`, a member of `Credential` and a line here. */
const CREDENTIAL_KINDS: CredentialKinds = { none, bearer, header, query, basic };

export const CREDENTIAL_TYPES = Object.keys(CREDENTIAL_KINDS) as readonly CredentialType[];

/** The kind of `credential`, or `undefined` for a type that no kind has (data may come from a newer version). */
export function findCredentialKind(credential: Credential): CredentialKind<Credential> | undefined {
  if (!Object.hasOwn(CREDENTIAL_KINDS, credential.type)) return undefined;
  // The table's type ties each kind to its own member of the union; the look-up by `type` keeps that tie but TypeScript cannot see it.
  return CREDENTIAL_KINDS[credential.type] as unknown as CredentialKind<Credential>;
}
