import type { CredentialOf } from '../credential.ts';
import type { MintingKind } from '../credential-kind.ts';
import { checkSecret } from '../secret-text.ts';
import { formRequest } from '../tokens/form-request.ts';
import { readOauthAnswer } from '../tokens/read-oauth-answer.ts';
import { tokenUrlIssues } from '../tokens/token-url.ts';

/** RFC 6749 section 4.4. A refresh token in the answer is not taken: it should not be there, and the client secret is enough. */
export const oauth2ClientCredentials: MintingKind<CredentialOf<'oauth2_client_credentials'>> = {
  shape: 'minting',
  findIssues: ({ tokenUrl }) => tokenUrlIssues('tokenUrl', tokenUrl),
  writesHeaders: () => ['authorization'],
  openSource: ({ tokenUrl, clientId, scope, audience, auth }) => ({
    tokenUrl,
    rotates: false,
    checkSecret,
    tokenRequest: async ({ secret }) => {
      checkSecret(secret);
      const client = { clientId, clientSecret: secret, auth };
      return formRequest(tokenUrl, { grant_type: 'client_credentials', scope, audience }, client);
    },
    readAnswer: (answer) => readOauthAnswer(answer, { isTimed: false, takesRefreshToken: false }),
  }),
};
