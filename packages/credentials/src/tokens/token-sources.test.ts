import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { compileCredential } from '../compile-credential.ts';
import type { Credential } from '../credential.ts';
import type { TokenAnswer } from './token-answer.ts';
import type { TokenSource } from './token-source.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const RSA_PEM = pem(rsa.privateKey);

function sourceOf(credential: object): TokenSource {
  const compiled = compileCredential({ secret: 's', ...credential } as Credential);
  if (compiled.shape !== 'minting') throw new Error('this kind mints no tokens');
  return compiled.source;
}

const clientCredentials = {
  type: 'oauth2_client_credentials',
  tokenUrl: 'https://id.test/token',
  clientId: 'me',
  auth: 'basic',
};
const refresh = { ...clientCredentials, type: 'oauth2_refresh' };
const jwtBearer = { type: 'jwt_bearer', tokenUrl: 'https://id.test/token', issuer: 'me' };
const githubApp = { type: 'github_app', appId: 42, installationId: 7, apiUrl: 'https://api.github.com/' };

const answer = (status: number, document: unknown, headers: readonly string[] = []): TokenAnswer => ({
  status,
  headers,
  body: new TextEncoder().encode(typeof document === 'string' ? document : JSON.stringify(document)),
  receivedAt: NOW,
});

async function formOf(source: TokenSource, secrets: { secret: string; clientSecret?: string }) {
  const { body } = await source.tokenRequest(secrets, NOW);
  return Object.fromEntries(new URLSearchParams(new TextDecoder().decode(body)));
}

describe('what is asked', () => {
  test('both halves of a client are form-encoded before they are joined (RFC 6749 section 2.3.1)', async () => {
    const source = sourceOf({ ...clientCredentials, clientId: 'a b:c' });
    const { headers } = await source.tokenRequest({ secret: 'p+/%:ä& end' }, NOW);
    const value = headers[headers.indexOf('authorization') + 1] ?? '';
    expect(Buffer.from(value.slice('Basic '.length), 'base64').toString()).toBe('a+b%3Ac:p%2B%2F%25%3A%C3%A4%26+end');
  });

  test('a public client names itself in the body', async () => {
    expect(await formOf(sourceOf(refresh), { secret: 'refresh-token' })).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-token',
      client_id: 'me',
    });
  });

  test('the request prints none of its secrets', async () => {
    const request = await sourceOf(clientCredentials).tokenRequest({ secret: 'secret-of-mine' }, NOW);
    const basic = Buffer.from('me:secret-of-mine').toString('base64');
    const printed = JSON.stringify(request) + inspect(request, { depth: null });
    expect(printed).not.toContain(basic);
    expect(request.headers.join()).toContain(basic);
  });

  test.each(['short', 'with\nbreak', ''])('the secret %j is refused', async (secret) => {
    for (const credential of [clientCredentials, refresh]) {
      const asking = sourceOf(credential).tokenRequest({ secret }, NOW);
      await expect(asking).rejects.toMatchObject({ code: 'credential_unavailable' });
    }
    const asking = sourceOf(refresh).tokenRequest({ secret: 'refresh-token', clientSecret: secret }, NOW);
    await expect(asking).rejects.toMatchObject({ code: 'credential_unavailable' });
  });
});

describe('assertions', () => {
  const claimsOf = async (credential: object, secret: string, key = rsa.publicKey) => {
    const { assertion = '' } = await formOf(sourceOf(credential), { secret });
    const { payload } = await jwtVerify(assertion, key, { currentDate: new Date(NOW) });
    return { ...payload, header: decodeProtectedHeader(assertion) };
  };

  test('say who, for whom, to whom and until when', async () => {
    const { jti, ...claims } = await claimsOf({ ...jwtBearer, scope: 'read', keyId: 'k' }, RSA_PEM);
    expect(claims).toEqual({
      header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
      iss: 'me',
      sub: 'me',
      aud: 'https://id.test/token',
      iat: NOW / 1_000,
      exp: NOW / 1_000 + 300,
      scope: 'read',
    });
    expect(jti).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('of a service account take what its JSON says, and no subject unless one is named', async () => {
    const account = {
      client_email: 'robot@iam',
      private_key: RSA_PEM,
      private_key_id: 'id-1',
      token_uri: 'https://evil.test/',
    };
    const credential = { type: 'jwt_bearer', tokenUrl: 'https://id.test/token' };
    const claims = await claimsOf(credential, JSON.stringify(account));
    expect(claims).toMatchObject({ iss: 'robot@iam', aud: 'https://id.test/token', header: { kid: 'id-1' } });
    expect(claims).not.toHaveProperty('sub');
    const named = await claimsOf({ ...credential, subject: 'alice', audience: 'aud' }, JSON.stringify(account));
    expect(named).toMatchObject({ sub: 'alice', aud: 'aud' });
    const request = await sourceOf(credential).tokenRequest({ secret: JSON.stringify(account) }, NOW);
    expect(request.url).toBe('https://id.test/token');
  });

  test.each<[string, KeyObject, KeyObject]>([
    ['ES256', ...both(generateKeyPairSync('ec', { namedCurve: 'P-256' }))],
    ['ES384', ...both(generateKeyPairSync('ec', { namedCurve: 'P-384' }))],
    ['EdDSA', ...both(generateKeyPairSync('ed25519'))],
    ['PS256', rsa.privateKey, rsa.publicKey],
    ['RS512', rsa.privateKey, rsa.publicKey],
  ])('can be signed with %s', async (algorithm, privateKey, publicKey) => {
    const { header } = await claimsOf({ ...jwtBearer, algorithm }, pem(privateKey), publicKey);
    expect(header['alg']).toBe(algorithm);
    if (algorithm === 'PS256' || algorithm === 'RS512') return;
    expect((await claimsOf(jwtBearer, pem(privateKey), publicKey)).header['alg']).toBe(algorithm);
  });

  test.each<[string, object, string]>([
    ['no key at all', jwtBearer, 'not a key at all'],
    ['a public key', jwtBearer, rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
    ['a broken key', jwtBearer, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'],
    ['an RSA key of 1,024 bits', jwtBearer, pem(generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey)],
    ['JSON without a key', jwtBearer, '{"client_email": "a"}'],
    ['JSON that is none', jwtBearer, '{"private_key": '],
    ['nobody who issues it', { ...jwtBearer, issuer: undefined }, RSA_PEM],
    ['a key of another kind than the algorithm', { ...jwtBearer, algorithm: 'ES256' }, RSA_PEM],
    ['an elliptic key', githubApp, pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)],
  ])('with %s are not made', async (_what, credential, secret) => {
    const asking = sourceOf(credential).tokenRequest({ secret }, NOW);
    const error = await asking.then(
      () => undefined,
      (rejection: unknown) => rejection,
    );
    expect(error).toMatchObject({ code: 'credential_unavailable' });
    expect(String(error)).not.toContain('AAAA');
  });

  test('of a GitHub App name it for ten minutes at most, beginning a minute ago', async () => {
    const source = sourceOf(githubApp);
    expect(source.tokenUrl).toBe('https://api.github.com/app/installations/7/access_tokens');
    for (const format of ['pkcs1', 'pkcs8'] as const) {
      const secret = rsa.privateKey.export({ type: format, format: 'pem' }).toString();
      const { headers, url } = await source.tokenRequest({ secret }, NOW);
      expect(url).toBe(source.tokenUrl);
      const jwt = headers[headers.indexOf('authorization') + 1]?.slice('Bearer '.length) ?? '';
      const { payload } = await jwtVerify(jwt, rsa.publicKey, { currentDate: new Date(NOW), algorithms: ['RS256'] });
      expect(payload).toEqual({ iss: '42', iat: NOW / 1_000 - 60, exp: NOW / 1_000 + 540 });
    }
  });
});

function both({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): [KeyObject, KeyObject] {
  return [privateKey, publicKey];
}

describe('what an answer means', () => {
  const GRANT = { access_token: 'access-token', token_type: 'bearer', expires_in: 60 };
  const read = (status: number, document: unknown, headers: readonly string[] = [], credential: object = refresh) =>
    sourceOf(credential).readAnswer(answer(status, document, headers));

  test('a token, its life, and a new refresh token where one is wanted', () => {
    const document = { ...GRANT, refresh_token: 'next-token' };
    const granted = { kind: 'grant', accessToken: 'access-token', lifetimeMs: 60_000 };
    expect(read(200, document)).toEqual({ ...granted, refreshToken: 'next-token' });
    expect(read(200, document, [], clientCredentials)).toEqual(granted);
    expect(read(200, { ...GRANT, refresh_token: '' })).toEqual(granted);
    expect(JSON.stringify(read(200, document)) + inspect(read(200, document))).not.toMatch(/access-token|next-token/);
  });

  test.each<[number, string[], object]>([
    [500, ['retry-after', '7'], { code: 'endpoint_failing', isPermanent: false, retryAfterMs: 7_000 }],
    [503, ['Retry-After', '100000'], { code: 'endpoint_failing', isPermanent: false, retryAfterMs: 900_000 }],
    [429, ['retry-after', 'soon'], { code: 'rate_limited', isPermanent: false }],
    [
      429,
      ['retry-after', 'Thu, 01 Jan 2026 12:01:00 GMT'],
      { code: 'rate_limited', isPermanent: false, retryAfterMs: 60_000 },
    ],
    [
      429,
      ['retry-after', 'Thu, 01 Jan 2026 12:01:00 GMT', 'date', 'Thu, 01 Jan 2026 12:00:30 GMT'],
      { code: 'rate_limited', isPermanent: false, retryAfterMs: 30_000 },
    ],
    [403, ['retry-after', '60'], { code: 'rate_limited', isPermanent: false, retryAfterMs: 60_000 }],
    [403, ['x-ratelimit-remaining', '0'], { code: 'rate_limited', isPermanent: false }],
    [403, ['x-ratelimit-remaining', '1'], { code: 'token_refused', isPermanent: true }],
    [204, [], { code: 'answer_invalid', isPermanent: false }],
    [302, [], { code: 'redirected', isPermanent: false }],
  ])('status %i with %j', (status, headers, expected) => {
    expect(read(status, '', headers)).toEqual({ kind: 'refusal', ...expected });
  });

  test('a clock that is wrong is told apart from a key that is, where a request is signed for a time', () => {
    const away = (seconds: number) => ['date', new Date(NOW + seconds * 1_000).toUTCString()];
    const refused = { error: 'invalid_grant' };
    for (const seconds of [-31, 31, 86_400]) {
      expect(read(400, refused, away(seconds), jwtBearer)).toMatchObject({ code: 'clock_skew', isPermanent: false });
      expect(read(401, {}, away(seconds), githubApp)).toMatchObject({ code: 'clock_skew' });
    }
    for (const headers of [away(30), away(-30), [], ['date', 'yesterday']]) {
      expect(read(400, refused, headers, jwtBearer)).toMatchObject({ code: 'invalid_grant', isPermanent: true });
    }
    expect(read(400, refused, away(86_400))).toMatchObject({ code: 'invalid_grant', isPermanent: true });
  });

  test('the life of an installation’s token is measured by GitHub’s own clock where it tells it', () => {
    const document = { token: 'ghs_0123456789', expires_at: '2026-01-01T13:00:00Z' };
    const grant = (lifetimeMs: number) => ({ kind: 'grant', accessToken: 'ghs_0123456789', lifetimeMs });
    expect(read(201, document, [], githubApp)).toEqual(grant(3_600_000));
    expect(read(201, document, ['date', 'Thu, 01 Jan 2026 12:30:00 GMT'], githubApp)).toEqual(grant(1_800_000));
    for (const expiresAt of ['2026-01-01T12:00:00Z', 'soon', undefined, 12, null]) {
      expect(read(201, { ...document, expires_at: expiresAt }, [], githubApp)).toMatchObject({
        code: 'answer_invalid',
      });
    }
    expect(read(201, { ...document, token: 'x y' }, [], githubApp)).toMatchObject({ code: 'answer_invalid' });
    expect(read(404, {}, [], githubApp)).toMatchObject({ code: 'token_refused', isPermanent: true });
    expect(read(201, { ...document, expires_at: '2030-01-01T00:00:00Z' }, [], githubApp)).toEqual(grant(86_400_000));
  });

  test('never throws, whatever the bytes', () => {
    for (const body of ['', '\u0000', '[]', 'null', '{"__proto__": 1}', '"text"', '{"access_token": {}}', '\ud800']) {
      for (const status of [200, 400]) {
        for (const credential of [refresh, githubApp, jwtBearer]) {
          expect(read(status, body, [], credential)).toMatchObject({ kind: 'refusal' });
        }
      }
    }
  });
});
