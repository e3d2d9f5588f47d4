import type { CredentialOf } from '../credential.ts';
import type { StaticKind } from '../credential-kind.ts';
import { encodeQueryText } from '../query-text.ts';
import { checkSecret } from '../secret-text.ts';

/** What providers use. Characters that decoders read differently (`+ % & ; = #`) would make a name that is there look absent. */
const NAME = /^[A-Za-z0-9._~$:@[\]-]{1,128}$/;

export const query: StaticKind<CredentialOf<'query'>> = {
  shape: 'static',
  findIssues: ({ name }) =>
    NAME.test(name) ? [] : [{ field: 'name', message: 'must be 1 to 128 letters, digits or characters of ._~$:@[]-' }],
  refusesQuery: ({ name }) => [name],
  apply: ({ name }, secretText) => {
    checkSecret(secretText);
    const encoded = encodeQueryText(secretText);
    const echoes = encoded === secretText ? [secretText] : [encoded, secretText];
    return { headers: [], query: `${encodeQueryText(name)}=${encoded}`, echoes };
  },
};
