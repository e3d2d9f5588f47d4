import type { CredentialOf } from '../credential.ts';
import type { MintingKind } from '../credential-kind.ts';
import { checkSecret } from '../secret-text.ts';
import { formRequest } from '../tokens/form-request.ts';
import { readOauthAnswer } from '../tokens/read-oauth-answer.ts';
import { tokenUrlIssues } from '../tokens/token-url.ts';

/** RFC 6749 section 6. The client names itself in every request, for a public client too: endpoints demand it though the RFC does not. */
export const oauth2Refresh: MintingKind<CredentialOf<'oauth2_refresh'>> = {
  shape: 'minting',
  findIssues: ({ tokenUrl, secret, clientSecret }) => [
    ...tokenUrlIssues('tokenUrl', tokenUrl),
    ...(clientSecret === secret
      ? [{ field: 'clientSecret', message: 'must be another secret than the refresh token' }]
      : []),
  ],
  writesHeaders: () => ['authorization'],
  openSource: ({ tokenUrl, clientId, clientSecret: clientSecretName, scope, auth }) => ({
    tokenUrl,
    clientSecretName,
    rotates: true,
    checkSecret,
    tokenRequest: async ({ secret, clientSecret }) => {
      checkSecret(secret);
      if (clientSecret !== undefined) checkSecret(clientSecret);
      const client = { clientId, clientSecret, auth };
      return formRequest(tokenUrl, { grant_type: 'refresh_token', refresh_token: secret, scope }, client);
    },
    readAnswer: (answer) => readOauthAnswer(answer, { isTimed: false, takesRefreshToken: true }),
  }),
};
