import type { ValidationIssue } from '@postern/schemas';
import type { Credential } from './credential.ts';

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
export interface CredentialKind<C extends Credential> {
  /** Faults of a definition, each with its field; empty when it can be used. */
  readonly findIssues: (credential: C) => readonly ValidationIssue[];
  /** The header that it writes, in lower case. The same header of the caller's is always removed. */
  readonly writesHeader?: (credential: C) => string;
  /** The query parameter that it writes. A call that brings one of that name is refused. */
  readonly writesQuery?: (credential: C) => string;
  /**
   * What to add for `secretText`.
   *
   * @throws Rejection `credential_unavailable` when the secret cannot be carried this way. The message does not hold it.
   */
  readonly apply: (credential: C, secretText: string) => AppliedCredential;
}
