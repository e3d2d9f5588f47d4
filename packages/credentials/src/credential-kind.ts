import type { ValidationIssue } from '@postern/schemas';
import type { ClientCertificate } from './client-certificate.ts';
import type { Credential } from './credential.ts';
import type { Signer } from './signer.ts';
import type { TokenSource } from './tokens/token-source.ts';

/** What one call gets beside what it has. It holds the secret: printed, it shows `[secret]`; drop it with the secret. */
export interface AppliedCredential {
  /** `[name, value]` with lower-case names. Each replaces all headers of its name. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `{name}={value}`, percent-encoded, to append to the URL as its last parameter (`appendQuery`). */
  readonly query?: string;
  /** All that an upstream could echo of it, to be scrubbed from answers: the secret, the complete header value, encoded forms. */
  readonly echoes: readonly string[];
}

/** What every kind of credential must tell. Its file lies in `types/`, its entry in the table of `credential-kinds.ts`. */
interface KindBase<C extends Credential> {
  /** Faults of a definition, each with its field; empty when it can be used. */
  readonly findIssues: (credential: C) => readonly ValidationIssue[];
  /** The headers that it writes, in lower case. The same headers of the caller's are always removed. */
  readonly writesHeaders?: (credential: C) => readonly string[];
  /** The query parameters that it writes, or that would contradict it. A call that brings one of that name is refused. */
  readonly refusesQuery?: (credential: C) => readonly string[];
  /**
   * Refuses headers of the caller's that the credential cannot be added to.
   *
   * @throws Rejection `target_invalid`.
   */
  readonly checkHeaders?: (credential: C, rawHeaders: readonly string[]) => void;
}

/** What is added depends on the secret alone. */
export interface StaticKind<C extends Credential> extends KindBase<C> {
  readonly shape: 'static';
  /**
   * What to add for `secretText`.
   *
   * @throws Rejection `credential_unavailable` when the secret cannot be carried this way. The message does not hold it.
   */
  readonly apply: (credential: C, secretText: string) => AppliedCredential;
}

/** What is added depends on the secret and on the request. */
export interface SigningKind<C extends Credential> extends KindBase<C> {
  readonly shape: 'signing';
  /** @throws Rejection `credential_unavailable` when the secret is not such a key. */
  readonly openSigner: (credential: C, secretText: string) => Signer;
}

/** The secret buys a token at an endpoint; the token is what is added. */
export interface MintingKind<C extends Credential> extends KindBase<C> {
  readonly shape: 'minting';
  readonly openSource: (credential: C) => TokenSource;
}

/** The secret belongs into the handshake of the connection. */
export interface TlsKind<C extends Credential> extends KindBase<C> {
  readonly shape: 'tls';
  /** @throws Rejection `credential_unavailable` when the secret is no certificate with its key. */
  readonly openCertificate: (credential: C, secretText: string) => ClientCertificate;
}

export type CredentialKind<C extends Credential> = StaticKind<C> | SigningKind<C> | MintingKind<C> | TlsKind<C>;
