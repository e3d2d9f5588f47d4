import { format, inspect } from 'node:util';
import { Rejection } from '@postern/schemas';
import { Secret } from '@postern/vault';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyCredential } from './apply-credential.ts';
import type { Credential } from './credential.ts';

const request = { method: 'GET', url: 'https://api.example.com/v1/items?page=2' };
const SECRET = 'sk-0123/56+89=';

const bearer: Credential = { type: 'bearer', secret: 'token' };
const header: Credential = { type: 'header', secret: 'token', name: 'X-Api-Key' };
const query: Credential = { type: 'query', secret: 'token', name: 'api_key' };
const basic: Credential = { type: 'basic', secret: 'token', username: 'robot' };
const carriers = [bearer, header, query, basic];
const headerCarriers = [bearer, header];

function rejectionOf(credential: Credential, secret: string, url = request.url): Rejection {
  try {
    applyCredential({ method: 'GET', url }, credential, secret);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

describe('what a call gets', () => {
  test('none adds nothing and needs no secret', () => {
    expect(applyCredential(request, { type: 'none' }, '')).toEqual({ headers: [], echoes: [], url: request.url });
  });

  test('bearer', () => {
    expect(applyCredential(request, bearer, SECRET)).toEqual({
      headers: [['authorization', `Bearer ${SECRET}`]],
      echoes: [`Bearer ${SECRET}`, SECRET],
      url: request.url,
    });
  });

  test('header, without and with a prefix that is taken as it is written', () => {
    expect(applyCredential(request, header, SECRET)).toEqual({
      headers: [['x-api-key', SECRET]],
      echoes: [SECRET],
      url: request.url,
    });
    const prefixed: Credential = { ...header, name: 'Authorization', prefix: 'Token token=' };
    expect(applyCredential(request, prefixed, SECRET)).toEqual({
      headers: [['authorization', `Token token=${SECRET}`]],
      echoes: [`Token token=${SECRET}`, SECRET],
      url: request.url,
    });
  });

  test('query, percent-encoded and last', () => {
    expect(applyCredential(request, query, SECRET)).toEqual({
      headers: [],
      query: 'api_key=sk-0123%2F56%2B89%3D',
      echoes: ['sk-0123%2F56%2B89%3D', SECRET],
      url: `${request.url}&api_key=sk-0123%2F56%2B89%3D`,
    });
  });

  test('basic', () => {
    const token = Buffer.from(`robot:${SECRET}`).toString('base64');
    expect(applyCredential(request, basic, SECRET)).toEqual({
      headers: [['authorization', `Basic ${token}`]],
      echoes: [`Basic ${token}`, token, `robot:${SECRET}`, SECRET],
      url: request.url,
    });
  });

  test('basic with an empty user and with text beyond Latin-1, as UTF-8', () => {
    const { headers } = applyCredential(request, { ...basic, username: '' }, 'пароль-密碼');
    expect(headers).toEqual([['authorization', `Basic ${Buffer.from(':пароль-密碼').toString('base64')}`]]);
  });

  test.each(carriers)('a secret of the vault gives the same as its text ($type)', (credential) => {
    const secret = new Secret(new TextEncoder().encode(SECRET));
    expect(applyCredential(request, credential, secret)).toEqual(applyCredential(request, credential, SECRET));
  });

  test('the request is left as it was', () => {
    const frozen = Object.freeze({ ...request });
    applyCredential(frozen, query, SECRET);
    expect(frozen).toEqual(request);
  });
});

describe('the query parameter', () => {
  test.each([
    ['/v1/items', '/v1/items?api_key=password'],
    ['/v1/items?', '/v1/items?api_key=password'],
    ['/v1/items?a=1', '/v1/items?a=1&api_key=password'],
    ['/v1/items?a=1&', '/v1/items?a=1&api_key=password'],
    ['https://h/?a=%2F?b', 'https://h/?a=%2F?b&api_key=password'],
  ])('is added to %s as %s', (url, expected) => {
    expect(applyCredential({ method: 'GET', url }, query, 'password').url).toBe(expected);
  });

  test('comes back from any parser as the same secret, and what was before it stays byte for byte', () => {
    const secrets = fc
      .string({ unit: 'grapheme', minLength: 8 })
      .filter((text) => text.isWellFormed() && !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(secrets, (secret) => {
        fc.pre(Array.from(secret).length >= 8);
        const { url } = applyCredential(request, query, secret);
        expect(url.startsWith(`${request.url}&`)).toBe(true);
        expect(url).toMatch(/&api_key=(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+$/);
        expect(new URL(url).searchParams.getAll('api_key')).toEqual([secret]);
      }),
    );
  });

  test.each([
    '?api_key=x',
    '?api_key',
    '?api_key=',
    '?a=1&api_key=x',
    '?a=1&b=2&api_key=x&c',
    '?%61pi_key=x',
    '?api%5Fkey=x',
    '?api%5fkey',
    '?%61%70%69%5f%6b%65%79=x',
    '?a=1;api_key=x',
    '??a&api_key=1',
  ])('is refused when the call has one of the name: %s', (search) => {
    expect(rejectionOf(query, 'password', `https://h/p${search}`)).toMatchObject({
      code: 'target_invalid',
      status: 400,
    });
  });

  test.each([
    '?api_keys=x',
    '?xapi_key=x',
    '?a=api_key',
    '?a=1%26api_key=x',
    '?a=1%3Bapi_key=x',
    '?API_KEY=x',
    '?api%255fkey=x',
    '?api%5key=x',
    '?api+key=x',
    '?api_key%20=x',
    '?',
    '/api_key=x',
  ])('is added when names only resemble it: %s', (search) => {
    const url = `https://h/p${search}`;
    expect(applyCredential({ method: 'GET', url }, query, 'password').url).toMatch(/[?&]api_key=password$/);
  });

  test('is not searched for when the credential writes none', () => {
    const url = 'https://h/p?api_key=x';
    for (const credential of [bearer, header, basic]) {
      expect(applyCredential({ method: 'GET', url }, credential, 'password').url).toBe(url);
    }
  });

  test('is not appended behind a fragment, where it would not be sent', () => {
    expect(rejectionOf(query, 'password', 'https://h/p#f').code).toBe('target_invalid');
  });
});

describe('secrets that are refused', () => {
  test.each(carriers)('7 characters are too few, 8 pass ($type)', (credential) => {
    expect(rejectionOf(credential, 'abcdefg')).toMatchObject({ code: 'credential_unavailable', status: 503 });
    expect(rejectionOf(credential, '').code).toBe('credential_unavailable');
    expect(applyCredential(request, credential, 'abcdefgh').echoes).toContain('abcdefgh');
  });

  test('characters are counted, not UTF-16 units', () => {
    expect(rejectionOf(basic, '\u{1f511}'.repeat(7)).code).toBe('credential_unavailable');
    expect(applyCredential(request, basic, '\u{1f511}'.repeat(8)).headers).toHaveLength(1);
  });

  const controls = ['\n', '\r', '\r\nX-Injected: 1', '\t', '\u0000', '\u001f', '\u007f', '\u0080', '\u009f'];
  test.each(
    carriers.flatMap((credential) => controls.map((control) => [credential.type, control, credential] as const)),
  )('%s: the control character %j, wherever it stands', (_type, control, credential) => {
    for (const secret of [`pass${control}word`, `password${control}`, `${control}password`]) {
      const rejection = rejectionOf(credential, secret);
      expect(rejection.code).toBe('credential_unavailable');
      expect(rejection.message).not.toContain('pass');
    }
  });

  test.each(headerCarriers)(
    'characters beyond Latin-1 in a header; the last one before passes ($type)',
    (credential) => {
      expect(rejectionOf(credential, 'password\u0100').code).toBe('credential_unavailable');
      expect(rejectionOf(credential, 'password\u{1f511}').code).toBe('credential_unavailable');
      expect(applyCredential(request, credential, 'pass \u00a0word\u00ff').echoes).toContain('pass \u00a0word\u00ff');
    },
  );

  test.each(headerCarriers)('spaces at the ends in a header, which receivers strip ($type)', (credential) => {
    expect(rejectionOf(credential, ' password').code).toBe('credential_unavailable');
    expect(rejectionOf(credential, 'password ').code).toBe('credential_unavailable');
    expect(applyCredential(request, query, ' password ').query).toBe('api_key=%20password%20');
  });

  test.each(carriers)('half a surrogate pair ($type)', (credential) => {
    expect(rejectionOf(credential, 'password\ud800').code).toBe('credential_unavailable');
  });
});

test('what a call gets does not print its secret', () => {
  for (const credential of carriers) {
    const applied = applyCredential(request, credential, 'password');
    const printed = [
      JSON.stringify({ applied }),
      inspect({ applied }, { depth: null }),
      format('%s %o %j', applied, applied, applied),
    ];
    expect(printed.join()).not.toMatch(/password|cGFzc3/);
    expect(JSON.stringify(applied)).toBe('"[secret]"');
  }
});
