import type { CredentialOf } from '../credential.ts';
import type { StaticKind } from '../credential-kind.ts';
import { checkHeaderSecret } from '../secret-text.ts';

export const bearer: StaticKind<CredentialOf<'bearer'>> = {
  shape: 'static',
  findIssues: () => [],
  writesHeaders: () => ['authorization'],
  apply: (_credential, secretText) => {
    checkHeaderSecret(secretText);
    const value = `Bearer ${secretText}`;
    return { headers: [['authorization', value]], echoes: [value, secretText] };
  },
};
