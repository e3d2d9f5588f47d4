import type { CredentialOf } from '../credential.ts';
import type { StaticKind } from '../credential-kind.ts';

export const none: StaticKind<CredentialOf<'none'>> = {
  shape: 'static',
  findIssues: () => [],
  apply: () => ({ headers: [], echoes: [] }),
};
