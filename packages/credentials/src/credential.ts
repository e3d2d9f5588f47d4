import type { Credential } from '@postern/schemas';

/**
 * How an integration authenticates at its upstream. `secret` is the name of a secret of the tenant, never its value.
 *
 * - `bearer`: `Authorization: Bearer {secret}` (RFC 6750 section 2.1).
 * - `header`: `{name}: {prefix}{secret}`; a space after the prefix is part of the prefix.
 * - `query`: `{name}={secret}`, appended to the URL last.
 * - `basic`: `Authorization: Basic …` of `{username}:{secret}` in UTF-8 (RFC 7617).
 * - `hmac`: `{header}: t={unix seconds},v1={hex HMAC}` over time, method, path with query, and body.
 * - `aws_sigv4`: Signature Version 4 of AWS for `service` and `region`; the secret is JSON with the keys.
 * - `oauth2_client_credentials`: a token by the client credentials grant (RFC 6749 section 4.4); the secret is the client's.
 * - `oauth2_refresh`: a token by a refresh token (RFC 6749 section 6), which is the secret.
 * - `jwt_bearer`: a token by a signed assertion (RFC 7523 section 2.1); the secret is a private key or a Google service account.
 * - `github_app`: the token of an installation of a GitHub App; the secret is the app's private key.
 * - `mtls`: a client certificate in the TLS handshake; the secret is chain and private key in PEM.
 *
 * Minted tokens go out as `Authorization: Bearer {token}`.
 */
export type { Credential } from '@postern/schemas';

export type CredentialType = Credential['type'];

/** The member of the union of one type. */
export type CredentialOf<T extends CredentialType> = Extract<Credential, { type: T }>;
