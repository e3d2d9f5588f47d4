import { inspect } from 'node:util';
import { Rejection } from '@postern/schemas';
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
const basic = (username: string): Credential => ({ type: 'basic', secret: 's', username });

describe('compileCredential', () => {
  test.each<[Credential, object]>([
    [{ type: 'none' }, {}],
    [
      { type: 'bearer', secret: 's' },
      { secretName: 's', writesHeader: 'authorization' },
    ],
    [header('X-Api-Key'), { secretName: 's', writesHeader: 'x-api-key' }],
    [query('Key'), { secretName: 's', queryName: 'Key' }],
    [basic('robot'), { secretName: 's', writesHeader: 'authorization' }],
  ])('tells before any call what it writes and which secret it needs: %j', (credential, facts) => {
    const { checkTarget: _checkTarget, apply: _apply, ...told } = compileCredential(credential);
    expect(told).toEqual({ type: credential.type, ...facts });
  });

  test('judges a target before the secret is opened', () => {
    expect(() => compileCredential(query('key')).checkTarget('/p?a=1&%6bey=2')).toThrow(
      expect.objectContaining({ code: 'target_invalid' }),
    );
    expect(() => compileCredential(query('key')).checkTarget('/p?a=key')).not.toThrow();
    expect(() => compileCredential({ type: 'bearer', secret: 's' }).checkTarget('/p?key=2')).not.toThrow();
  });

  test('what apply answers does not print its secret', () => {
    const applied = compileCredential({ type: 'bearer', secret: 's' }).apply('password');
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

  test.each(['hmac', 'toString', '__proto__', ''])('a type that no kind has is refused: %j', (type) => {
    const credential = { type, secret: 's' } as unknown as Credential;
    expect(findCredentialIssues(credential)).toEqual([
      { field: 'type', message: 'must be one of none, bearer, header, query, basic' },
    ]);
    expect(() => compileCredential(credential)).toThrow(expect.objectContaining({ code: 'validation_failed' }));
  });

  test('the types are those of the union', () => {
    expect(CREDENTIAL_TYPES).toEqual(['none', 'bearer', 'header', 'query', 'basic']);
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
