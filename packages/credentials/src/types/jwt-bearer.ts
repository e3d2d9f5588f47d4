import { randomUUID } from 'node:crypto';
import type { CredentialOf } from '../credential.ts';
import type { MintingKind } from '../credential-kind.ts';
import { unfit } from '../secret-text.ts';
import { type AssertionKey, readAssertionKey } from '../tokens/assertion-key.ts';
import { formRequest } from '../tokens/form-request.ts';
import { readOauthAnswer } from '../tokens/read-oauth-answer.ts';
import { fittingAlgorithm, signAssertion } from '../tokens/signed-assertion.ts';
import { tokenUrlIssues } from '../tokens/token-url.ts';

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
/** Long enough for a slow endpoint, short enough to be worthless when stolen. */
const ASSERTION_SECONDS = 300;

/** RFC 7523 section 2.1. The scope goes into the assertion, where Google reads it, and beside it, where RFC 7521 section 4.1 has it. */
export const jwtBearer: MintingKind<CredentialOf<'jwt_bearer'>> = {
  shape: 'minting',
  findIssues: ({ tokenUrl, issuer, clientEmail }) => [
    ...tokenUrlIssues('tokenUrl', tokenUrl),
    ...(issuer !== undefined && clientEmail !== undefined && issuer !== clientEmail
      ? [{ field: 'clientEmail', message: 'is another name of issuer: give one of them' }]
      : []),
  ],
  writesHeaders: () => ['authorization'],
  openSource: (credential) => ({
    tokenUrl: credential.tokenUrl,
    rotates: false,
    checkSecret: (secretText) => {
      const known = readAssertionKey(secretText);
      if (credential.algorithm === undefined) fittingAlgorithm(known.key);
      issuerOf(credential, known);
    },
    tokenRequest: async ({ secret }, now) => {
      const assertion = await makeAssertion(credential, readAssertionKey(secret), now);
      return formRequest(credential.tokenUrl, { grant_type: GRANT_TYPE, assertion, scope: credential.scope });
    },
    readAnswer: (answer) => readOauthAnswer(answer, { isTimed: true, takesRefreshToken: false }),
  }),
};

function makeAssertion(credential: CredentialOf<'jwt_bearer'>, known: AssertionKey, now: number): Promise<string> {
  const { tokenUrl, audience = tokenUrl, scope, keyId = known.keyId, algorithm } = credential;
  const iss = issuerOf(credential, known);
  // RFC 7523 section 3 demands a subject; Google takes one only for somebody else than the account itself.
  const sub = credential.subject ?? (known.issuer === undefined ? iss : undefined);
  const iat = Math.floor(now / 1_000);
  const claims = {
    iss,
    ...(sub === undefined ? {} : { sub }),
    aud: audience,
    iat,
    exp: iat + ASSERTION_SECONDS,
    jti: randomUUID(),
    ...(scope === undefined ? {} : { scope }),
  };
  return signAssertion({ claims, key: known.key, keyId, algorithm });
}

function issuerOf({ issuer, clientEmail }: CredentialOf<'jwt_bearer'>, known: AssertionKey): string {
  const iss = issuer ?? clientEmail ?? known.issuer;
  if (iss === undefined) throw unfit('names no issuer, and neither does the credential: set credential.issuer');
  return iss;
}
