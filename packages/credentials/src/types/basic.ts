import type { CredentialOf } from '../credential.ts';
import type { StaticKind } from '../credential-kind.ts';
import { checkSecret, hasControlCharacter } from '../secret-text.ts';

/** RFC 7617 section 2: no colon in the user, no control characters in either half. The secret may be any other text. */
export const basic: StaticKind<CredentialOf<'basic'>> = {
  shape: 'static',
  findIssues: ({ username }) => {
    if (username.isWellFormed() && !username.includes(':') && !hasControlCharacter(username)) return [];
    return [{ field: 'username', message: 'must be text without a colon and without control characters' }];
  },
  writesHeaders: () => ['authorization'],
  apply: ({ username }, secretText) => {
    checkSecret(secretText);
    const pair = `${username}:${secretText}`;
    const token = Buffer.from(pair, 'utf8').toString('base64');
    const value = `Basic ${token}`;
    return { headers: [['authorization', value]], echoes: [value, token, pair, secretText] };
  },
};
