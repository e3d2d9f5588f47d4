import { inspect } from 'node:util';
import { credentialSchema, Rejection } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { compileCredential, findCredentialIssues } from './compile-credential.ts';
import type { Credential } from './credential.ts';
import { CREDENTIAL_TYPES } from './credential-kinds.ts';
import { findHeaderNameIssue } from './header-name.ts';

const header = (name: string, prefix?: string): Credential => ({
  type: 'header',
  secret: 's',
  name,
  ...(prefix === undefined ? {} : { prefix }),
});
const query = (name: string): Credential => ({ type: 'query', secret: 's', name });
const hmac = (name: string): Credential => ({ type: 'hmac', secret: 's', header: name, algorithm: 'sha256' });
const aws: Credential = { type: 'aws_sigv4', secret: 's', service: 's3', region: 'eu-central-1' };
const clientCredentials: Credential = {
  type: 'oauth2_client_credentials',
  secret: 's',
  tokenUrl: 'https://id.example.com/token',
  clientId: 'postern',
  auth: 'basic',
};
const basic = (username: string): Credential => ({ type: 'basic', secret: 's', username });

describe('compileCredential', () => {
  test.each<[Credential, object]>([
    [{ type: 'none' }, { shape: 'static', writesHeaders: [] }],
    [
      { type: 'bearer', secret: 's' },
      { shape: 'static', secretName: 's', writesHeaders: ['authorization'] },
    ],
    [header('X-Api-Key'), { shape: 'static', secretName: 's', writesHeaders: ['x-api-key'] }],
    [query('Key'), { shape: 'static', secretName: 's', writesHeaders: [] }],
    [basic('robot'), { shape: 'static', secretName: 's', writesHeaders: ['authorization'] }],
    [hmac('X-Sig'), { shape: 'signing', secretName: 's', writesHeaders: ['x-sig'] }],
    [
      aws,
      {
        shape: 'signing',
        secretName: 's',
        writesHeaders: ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'],
      },
    ],
    [clientCredentials, { shape: 'minting', secretName: 's', writesHeaders: ['authorization'] }],
    [
      { type: 'mtls', secret: 's' },
      { shape: 'tls', secretName: 's', writesHeaders: [] },
    ],
  ])('tells before any call what it writes and which secret it needs: %j', (credential, facts) => {
    const told = Object.entries(compileCredential(credential)).filter(([, value]) => typeof value !== 'function');
    const { source: _source, ...plain } = Object.fromEntries(told);
    expect(plain).toEqual({ type: credential.type, ...facts });
  });

  test('judges a target before the secret is opened', () => {
    expect(() => compileCredential(query('key')).checkTarget('/p?a=1&%6bey=2')).toThrow(
      expect.objectContaining({ code: 'target_invalid' }),
    );
    expect(() => compileCredential(query('key')).checkTarget('/p?a=key')).not.toThrow();
    expect(() => compileCredential({ type: 'bearer', secret: 's' }).checkTarget('/p?key=2')).not.toThrow();
  });

  test('what apply answers does not print its secret', () => {
    const compiled = compileCredential({ type: 'bearer', secret: 's' });
    if (compiled.shape !== 'static') throw new Error('a bearer token depends on nothing but the secret');
    const applied = compiled.apply('password');
    expect(JSON.stringify(applied) + inspect(applied)).not.toContain('password');
    expect(applied.headers).toEqual([['authorization', 'Bearer password']]);
  });

  test('a faulty definition is refused with its issues', () => {
    let caught: unknown;
    try {
      compileCredential(header('Host'));
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Rejection);
    expect(caught).toMatchObject({ code: 'validation_failed', details: { issues: [{ field: 'name' }] } });
  });

  test.each(['kerberos', 'toString', '__proto__', ''])('a type that no kind has is refused: %j', (type) => {
    const credential = { type, secret: 's' } as unknown as Credential;
    expect(findCredentialIssues(credential)).toEqual([
      { field: 'type', message: `must be one of ${CREDENTIAL_TYPES.join(', ')}` },
    ]);
    expect(() => compileCredential(credential)).toThrow(expect.objectContaining({ code: 'validation_failed' }));
  });

  test('the types are those of the union', () => {
    const inSchema = credentialSchema.options.map((option) => option.shape.type.value);
    expect(CREDENTIAL_TYPES.toSorted()).toEqual(inSchema.toSorted());
  });
});

describe('faults of definitions', () => {
  test.each<[Credential, string[]]>([
    [{ type: 'bearer', secret: '' }, ['secret']],
    [{ type: 'bearer', secret: 's' }, []],
    [header('X-Api-Key', 'Token '), []],
    [header('X-Api-Key', ''), []],
    [header('X-Api-Key', ' Token'), ['prefix']],
    [header('X-Api-Key', 'a\r\nb'), ['prefix']],
    [header('X-Api-Key', 'a\u0100'), ['prefix']],
    [header('', 'a\nb'), ['name', 'prefix']],
    [query('key'), []],
    [query('filter[key].$a:b@c~d-e'), []],
    [query(''), ['name']],
    [query('a b'), ['name']],
    [query('a+b'), ['name']],
    [query('a%20b'), ['name']],
    [query('a&b'), ['name']],
    [query('a;b'), ['name']],
    [query('a=b'), ['name']],
    [query('a#b'), ['name']],
    [query('é'), ['name']],
    [query('k'.repeat(128)), []],
    [query('k'.repeat(129)), ['name']],
    [basic(''), []],
    [basic('rôbot 1'), []],
    [basic('a:b'), ['username']],
    [basic('a\nb'), ['username']],
    [basic('a\ud800'), ['username']],
    [hmac('X-Sig'), []],
    [hmac('Host'), ['header']],
    [aws, []],
    [{ ...aws, service: 'S3' } as Credential, ['service']],
    [{ ...aws, region: 'eu central' } as Credential, ['region']],
    [clientCredentials, []],
    [{ ...clientCredentials, tokenUrl: 'id.example.com/token' } as Credential, ['tokenUrl']],
    [{ ...clientCredentials, tokenUrl: 'ftp://id.example.com/token' } as Credential, ['tokenUrl']],
    [{ ...clientCredentials, tokenUrl: 'https://a:b@id.example.com/token' } as Credential, ['tokenUrl']],
    [{ ...clientCredentials, tokenUrl: 'https://id.example.com/token?a=1' } as Credential, ['tokenUrl']],
    [{ ...clientCredentials, tokenUrl: 'https://id.example.com/token#a' } as Credential, ['tokenUrl']],
    [{ ...clientCredentials, type: 'oauth2_refresh', clientSecret: 's' } as Credential, ['clientSecret']],
    [{ ...clientCredentials, type: 'oauth2_refresh', clientSecret: 't' } as Credential, []],
    [{ type: 'jwt_bearer', secret: 's', tokenUrl: 'https://h/t', issuer: 'a', clientEmail: 'b' }, ['clientEmail']],
    [{ type: 'jwt_bearer', secret: 's', tokenUrl: 'https://h/t', issuer: 'a', clientEmail: 'a' }, []],
    [{ type: 'github_app', secret: 's', appId: 1, installationId: 2, apiUrl: 'api.github.com' }, ['apiUrl']],
    [{ type: 'mtls', secret: 's' }, []],
  ])('%j: %j', (credential, fields) => {
    expect(findCredentialIssues(credential).map(({ field }) => field)).toEqual(fields);
  });
});

describe('header names', () => {
  test.each([
    'Authorization',
    'X-Api-Key',
    'private_token',
    'Cookie',
    'Api-Key',
    'X-Hosts',
    'Content-Types',
    'X-Postern-Key',
    'Forward',
    'X-Forwarded',
    'T',
    'k'.repeat(128),
  ])('%s may be written', (name) => {
    expect(findHeaderNameIssue(name)).toBeUndefined();
  });

  test.each([
    'Host',
    'host',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Postern-Key',
    'POSTERN-ANYTHING',
    'X-Forwarded-For',
    'Forwarded',
    'Via',
    'Content-Type',
    'Content-Encoding',
    'X-HTTP-Method-Override',
    'Idempotency-Key',
    'X-Request-Id',
    'traceparent',
  ])('%s may not: something else owns it', (name) => {
    expect(findHeaderNameIssue(name)).toMatch(/^must not be /);
  });

  test.each(['', ' ', 'X Key', 'X-Key:', 'X-Key\r\n', 'X-Ké', '(x)', 'k'.repeat(129)])(
    '%j is no header name',
    (name) => {
      expect(findHeaderNameIssue(name)).toMatch(/^must be a header name/);
    },
  );
});
