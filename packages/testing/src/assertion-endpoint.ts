import type { KeyObject } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { errors, type JWTVerifyResult, jwtVerify } from 'jose';
import { answerStubJson } from './stub-api.ts';
import { type RecordedRequest, startUpstream, type Upstream } from './upstream.ts';

/** What the assertions must say; all of it is checked. */
export interface AssertionTerms {
  readonly publicKey: KeyObject;
  readonly algorithm: string;
  readonly issuer: string;
  readonly subject?: string;
  /** Default: this endpoint's own URL. */
  readonly audience?: string;
  readonly keyId?: string;
  readonly scope?: string;
}

export interface AssertionEndpoint extends Upstream {
  readonly tokenUrl: string;
  /** Tokens given out, newest last. */
  readonly tokens: readonly string[];
  /** Claims of the assertions that were taken. */
  readonly claims: readonly JWTVerifyResult['payload'][];
}

export interface TlsPair {
  readonly key: string;
  readonly cert: string;
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** A token endpoint for signed assertions (RFC 7523): it verifies them with jose, and takes each `jti` once. */
export async function startAssertionEndpoint(terms: AssertionTerms, tls?: TlsPair): Promise<AssertionEndpoint> {
  const tokens: string[] = [];
  const claims: JWTVerifyResult['payload'][] = [];
  const seen = new Set<unknown>();
  const upstream = await startUpstream(tls === undefined ? {} : { tls });
  const tokenUrl = `${upstream.url}/token`;
  upstream.answerWith(async (request, response) => {
    const form = new URLSearchParams(Buffer.from(request.body).toString());
    const isAsked = request.method === 'POST' && request.url === '/token' && form.get('grant_type') === GRANT_TYPE;
    if (!isAsked) return answerStubJson(response, 400, { error: 'unsupported_grant_type' });
    const fault = await verify(form.get('assertion') ?? '', { audience: tokenUrl, ...terms }).then(
      (payload) => {
        if (seen.has(payload.jti)) return 'invalid_grant';
        seen.add(payload.jti);
        claims.push(payload);
        return undefined;
      },
      (error: unknown) => (error instanceof errors.JOSEError ? 'invalid_grant' : 'server_error'),
    );
    if (fault !== undefined) return answerStubJson(response, 400, { error: fault });
    const token = `assertion-token-${tokens.length + 1}-of-${terms.issuer}`;
    tokens.push(token);
    return answerStubJson(response, 200, { access_token: token, token_type: 'Bearer', expires_in: 3_599 });
  });
  return Object.assign(Object.create(upstream) as Upstream, { tokenUrl, tokens, claims });
}

async function verify(assertion: string, terms: AssertionTerms): Promise<JWTVerifyResult['payload']> {
  const { publicKey, algorithm, issuer, subject, audience, keyId, scope } = terms;
  const { payload, protectedHeader } = await jwtVerify(assertion, publicKey, {
    algorithms: [algorithm],
    issuer,
    maxTokenAge: '10m',
    requiredClaims: ['exp', 'iat', 'jti'],
    ...(subject === undefined ? {} : { subject }),
    ...(audience === undefined ? {} : { audience }),
  });
  if (protectedHeader.kid !== keyId) throw new errors.JWSInvalid('the key id is another one');
  if (payload['scope'] !== scope) throw new errors.JWTClaimValidationFailed('the scope is another one', payload);
  return payload;
}

export interface AppTerms {
  readonly publicKey: KeyObject;
  readonly appId: string;
  readonly installationId: string;
}

/** `POST /app/installations/{id}/access_tokens` as GitHub answers it, for a JWT of the app that jose can verify. */
export async function startInstallationEndpoint(
  terms: AppTerms,
  tls?: TlsPair,
): Promise<Upstream & { readonly tokens: readonly string[] }> {
  const tokens: string[] = [];
  const upstream = await startUpstream(tls === undefined ? {} : { tls });
  upstream.answerWith(async (request, response) => {
    if (request.url !== `/app/installations/${terms.installationId}/access_tokens` || request.method !== 'POST') {
      return answerStubJson(response, 404, { message: 'Not Found' });
    }
    if (!(await isOfApp(request, terms))) return refuseApp(response);
    const token = `ghs_installation${tokens.length + 1}token`;
    tokens.push(token);
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d{3}/, '');
    return answerStubJson(response, 201, { token, expires_at: expiresAt, permissions: { contents: 'read' } });
  });
  return Object.assign(Object.create(upstream) as Upstream, { tokens });
}

function refuseApp(response: ServerResponse): void {
  answerStubJson(response, 401, { message: 'A JSON web token could not be decoded' });
}

/** GitHub takes RS256 alone, of a life of at most ten minutes, not from the future. */
async function isOfApp(request: RecordedRequest, { publicKey, appId }: AppTerms): Promise<boolean> {
  const [scheme, jwt = ''] = (request.headers['authorization'] ?? '').split(' ');
  if (scheme !== 'Bearer') return false;
  try {
    const options = { algorithms: ['RS256'], issuer: appId, maxTokenAge: '10m', requiredClaims: ['exp', 'iat'] };
    const { payload } = await jwtVerify(jwt, publicKey, options);
    return Number(payload.exp) - Number(payload.iat) <= 600;
  } catch {
    return false;
  }
}
