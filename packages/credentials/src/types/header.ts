import type { CredentialOf } from '../credential.ts';
import type { StaticKind } from '../credential-kind.ts';
import { findHeaderNameIssue } from '../header-name.ts';
import { checkHeaderSecret, isHeaderText } from '../secret-text.ts';

export const header: StaticKind<CredentialOf<'header'>> = {
  shape: 'static',
  findIssues: ({ name, prefix = '' }) => {
    const nameIssue = findHeaderNameIssue(name);
    const issues = nameIssue === undefined ? [] : [{ field: 'name', message: nameIssue }];
    if (isHeaderText(prefix) && !prefix.startsWith(' ')) return issues;
    return [
      ...issues,
      { field: 'prefix', message: 'must be text without control characters that does not begin with a space' },
    ];
  },
  writesHeaders: ({ name }) => [name.toLowerCase()],
  apply: ({ name, prefix = '' }, secretText) => {
    checkHeaderSecret(secretText);
    const value = prefix + secretText;
    const echoes = prefix === '' ? [value] : [value, secretText];
    return { headers: [[name.toLowerCase(), value]], echoes };
  },
};
