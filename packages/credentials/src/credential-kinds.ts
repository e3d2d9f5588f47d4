import type { Credential, CredentialOf, CredentialType } from './credential.ts';
import type { CredentialKind } from './credential-kind.ts';
import { awsSigv4 } from './types/aws-sigv4.ts';
import { basic } from './types/basic.ts';
import { bearer } from './types/bearer.ts';
import { githubApp } from './types/github-app.ts';
import { header } from './types/header.ts';
import { hmac } from './types/hmac.ts';
import { jwtBearer } from './types/jwt-bearer.ts';
import { mtls } from './types/mtls.ts';
import { none } from './types/none.ts';
import { oauth2ClientCredentials } from './types/oauth2-client-credentials.ts';
import { oauth2Refresh } from './types/oauth2-refresh.ts';
import { query } from './types/query.ts';

type CredentialKinds = { readonly [T in CredentialType]: CredentialKind<CredentialOf<T>> };

/** Every kind of credential. A new one is a file in `types/`, a member of `credentialSchema` and a line here. */
const CREDENTIAL_KINDS: CredentialKinds = {
  none,
  bearer,
  header,
  query,
  basic,
  hmac,
  oauth2_client_credentials: oauth2ClientCredentials,
  oauth2_refresh: oauth2Refresh,
  aws_sigv4: awsSigv4,
  jwt_bearer: jwtBearer,
  github_app: githubApp,
  mtls,
};

export const CREDENTIAL_TYPES = Object.keys(CREDENTIAL_KINDS) as readonly CredentialType[];

/** The kind of `credential`, or `undefined` for a type that no kind has (data may come from a newer version). */
export function findCredentialKind(credential: Credential): CredentialKind<Credential> | undefined {
  if (!Object.hasOwn(CREDENTIAL_KINDS, credential.type)) return undefined;
  // The table's type ties each kind to its own member of the union; the look-up by `type` keeps that tie but TypeScript cannot see it.
  return CREDENTIAL_KINDS[credential.type] as unknown as CredentialKind<Credential>;
}
