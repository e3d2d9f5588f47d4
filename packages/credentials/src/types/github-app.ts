import type { CredentialOf } from '../credential.ts';
import type { MintingKind } from '../credential-kind.ts';
import { readJsonObject } from '../json-object.ts';
import { isTokenText } from '../tokens/access-token.ts';
import { readAssertionKey } from '../tokens/assertion-key.ts';
import { judgeStatus } from '../tokens/judge-status.ts';
import { fittingAlgorithm, signAssertion } from '../tokens/signed-assertion.ts';
import {
  endpointTime,
  LIFETIME_MS_MAX,
  LIFETIME_MS_MIN,
  refusal,
  type TokenAnswer,
  type TokenResult,
} from '../tokens/token-answer.ts';
import { tokenUrlIssues } from '../tokens/token-url.ts';
import { makeUnprintable } from '../unprintable.ts';

/** GitHub takes at most ten minutes, and advises to begin a minute ago against clocks that differ. */
const BEGINS_SECONDS_AGO = 60;
const ENDS_IN_SECONDS = 540;

/** An installation's token, asked for with a JWT of the app ("Generating an installation access token", GitHub REST API). */
export const githubApp: MintingKind<CredentialOf<'github_app'>> = {
  shape: 'minting',
  findIssues: ({ apiUrl }) => tokenUrlIssues('apiUrl', apiUrl),
  writesHeaders: () => ['authorization'],
  openSource: ({ appId, installationId, apiUrl }) => {
    const tokenUrl = `${apiUrl.replace(/\/+$/, '')}/app/installations/${encodeURIComponent(String(installationId))}/access_tokens`;
    return {
      tokenUrl,
      rotates: false,
      checkSecret: (secretText) => void fittingAlgorithm(readAssertionKey(secretText).key),
      tokenRequest: async ({ secret }, now) => {
        const { key } = readAssertionKey(secret);
        const iat = Math.floor(now / 1_000) - BEGINS_SECONDS_AGO;
        const claims = { iss: String(appId), iat, exp: iat + BEGINS_SECONDS_AGO + ENDS_IN_SECONDS };
        const jwt = await signAssertion({ claims, key, algorithm: 'RS256' });
        const headers = [
          ...['accept', 'application/vnd.github+json'],
          ...['authorization', `Bearer ${jwt}`],
          ...['user-agent', 'postern'],
          ...['x-github-api-version', '2022-11-28'],
        ];
        return makeUnprintable({ method: 'POST' as const, url: tokenUrl, headers, body: new Uint8Array(0) });
      },
      readAnswer: readInstallationToken,
    };
  },
};

function readInstallationToken(answer: TokenAnswer): TokenResult {
  const document = readJsonObject(new TextDecoder().decode(answer.body));
  const isGranted = answer.status >= 200 && answer.status < 300;
  if (!isGranted || document === undefined) return judgeStatus(answer, undefined, true);
  const { token, expires_at: expiresAt } = document;
  // Measured by the endpoint's own clock where it tells it: ours may be wrong.
  const lifetimeMs = Date.parse(String(expiresAt)) - (endpointTime(answer) ?? answer.receivedAt);
  if (!isTokenText(token) || !(lifetimeMs >= LIFETIME_MS_MIN)) return refusal('answer_invalid');
  return makeUnprintable({
    kind: 'grant' as const,
    accessToken: token,
    lifetimeMs: Math.min(lifetimeMs, LIFETIME_MS_MAX),
  });
}
