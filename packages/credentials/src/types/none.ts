import type { NoCredential } from '../credential.ts';
import type { CredentialKind } from '../credential-kind.ts';

export const none: CredentialKind<NoCredential> = {
  findIssues: () => [],
  apply: () => ({ headers: [], echoes: [] }),
};
