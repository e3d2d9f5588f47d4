import { describe, expect, it } from 'vitest';
import { CanonicalUrlError } from './canonical-url-error.ts';
import { createTargetCanonicaliser } from './target-canonicaliser.ts';

function codeOf(operation: () => unknown): string {
  try {
    operation();
  } catch (error) {
    if (error instanceof CanonicalUrlError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('createTargetCanonicaliser', () => {
  const { base, fromPath, fromUrl } = createTargetCanonicaliser('https://API.example.com/v1/');

  it('tells the canonical base without its trailing slash', () => {
    expect(base).toMatchObject({ url: 'https://api.example.com/v1', path: '/v1', port: 443 });
    expect(createTargetCanonicaliser('http://a.test').base).toMatchObject({
      url: 'http://a.test/',
      path: '/',
      port: 80,
    });
  });

  it('gives every part of a target', () => {
    expect(fromPath('/a/b?c=d&e')).toEqual({
      url: 'https://api.example.com/v1/a/b?c=d&e',
      scheme: 'https',
      host: 'api.example.com',
      port: 443,
      path: '/v1/a/b',
      query: 'c=d&e',
      hasQuery: true,
      pathAndQuery: '/v1/a/b?c=d&e',
    });
  });

  it('tells an empty query from none', () => {
    expect(fromPath('/a')).toMatchObject({ hasQuery: false, query: '', pathAndQuery: '/v1/a' });
    expect(fromPath('/a?')).toMatchObject({ hasQuery: true, query: '', pathAndQuery: '/v1/a?' });
  });

  it('refuses raw bytes outside ASCII on a request line and encodes characters of a JSON string', () => {
    expect(codeOf(() => fromPath('/\xc3\xbc'))).toBe('non_ascii');
    expect(codeOf(() => fromPath('/\xe2\x82\xac'))).toBe('non_ascii');
    expect(codeOf(() => fromPath('/a?\xff'))).toBe('non_ascii');
    expect(codeOf(() => fromPath('/~'))).toBe('accepted');
    expect(fromPath('/ü', 'unicode').path).toBe('/v1/%C3%BC');
  });

  it('counts the base into the length of a target', () => {
    const room = 8_192 - base.url.length - 1;
    expect(fromPath(`/${'a'.repeat(room)}`).url).toHaveLength(8_192);
    expect(codeOf(() => fromPath(`/${'a'.repeat(room + 1)}`))).toBe('too_long');
    expect(codeOf(() => fromPath(`/./${'a'.repeat(room + 1)}`))).toBe('too_long');
  });

  it('takes the listed hosts only, and binds only the base host to the base path', () => {
    const hosts = ['api.example.com', 'uploads.example.com'];
    expect(fromUrl('https://uploads.example.com/any', hosts)).toMatchObject({
      host: 'uploads.example.com',
      path: '/any',
    });
    expect(fromUrl('https://API.EXAMPLE.com./v1/x', hosts).url).toBe('https://api.example.com/v1/x');
    expect(codeOf(() => fromUrl('https://api.example.com/any', hosts))).toBe('outside_base');
    expect(codeOf(() => fromUrl('https://downloads.example.com/any', hosts))).toBe('bad_host');
    expect(codeOf(() => fromUrl('https://a.uploads.example.com/any', hosts))).toBe('bad_host');
    expect(codeOf(() => fromUrl('https://api.example.com/v1/x', []))).toBe('bad_host');
  });

  it('takes the listed ports only, and binds the base host to the base path on each of them', () => {
    const hosts = ['api.example.com'];
    expect(codeOf(() => fromUrl('https://api.example.com:8443/v1/x', hosts))).toBe('bad_port');
    expect(fromUrl('https://api.example.com:8443/v1/x', hosts, [443, 8443])).toMatchObject({
      port: 8443,
      path: '/v1/x',
    });
    expect(codeOf(() => fromUrl('https://api.example.com:8443/x', hosts, [443, 8443]))).toBe('outside_base');
    expect(codeOf(() => fromUrl('https://api.example.com/v1/x', hosts, [8443]))).toBe('bad_port');
  });

  it('refuses a URL of the other scheme even on the same port', () => {
    expect(codeOf(() => fromUrl('http://api.example.com:443/v1/x', ['api.example.com']))).toBe('bad_scheme');
  });

  it('stays linear on long hostile targets', () => {
    for (const piece of ['/', '/.', '/..', '%2f', '%41', ';', '/a%', '?', '%2e%2f']) {
      expect(typeof codeOf(() => fromPath(`/${piece.repeat(8_000 / piece.length)}\u0001`))).toBe('string');
    }
  });
});
