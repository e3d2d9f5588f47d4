/**
 * How an integration authenticates at its upstream. `secret` is the name of a secret of the tenant, never its value.
 *
 * - `bearer`: `Authorization: Bearer {secret}` (RFC 6750 section 2.1).
 * - `header`: `{name}: {prefix}{secret}`; a space after the prefix is part of the prefix.
 * - `query`: `{name}={secret}`, appended to the URL last.
 * - `basic`: `Authorization: Basic …` of `{username}:{secret}` in UTF-8 (RFC 7617).
 */
export type Credential = NoCredential | BearerCredential | HeaderCredential | QueryCredential | BasicCredential;

export interface NoCredential {
  readonly type: 'none';
}

export interface BearerCredential {
  readonly type: 'bearer';
  readonly secret: string;
}

export interface HeaderCredential {
  readonly type: 'header';
  readonly secret: string;
  readonly name: string;
  readonly prefix?: string;
}

export interface QueryCredential {
  readonly type: 'query';
  readonly secret: string;
  readonly name: string;
}

export interface BasicCredential {
  readonly type: 'basic';
  readonly secret: string;
  readonly username: string;
}

export type CredentialType = Credential['type'];
