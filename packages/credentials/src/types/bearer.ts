import type { BearerCredential } from '../credential.ts';
import type { CredentialKind } from '../credential-kind.ts';
import { checkHeaderSecret } from '../secret-text.ts';

export const bearer: CredentialKind<BearerCredential> = {
  findIssues: () => [],
  writesHeader: () => 'authorization',
  apply: (_credential, secretText) => {
    checkHeaderSecret(secretText);
    const value = `Bearer ${secretText}`;
    return { headers: [['authorization', value]], echoes: [value, secretText] };
  },
};
