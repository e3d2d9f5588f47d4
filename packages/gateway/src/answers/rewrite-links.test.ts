import { describe, expect, it } from 'vitest';
import { rewriteLinks } from './rewrite-links.ts';

const scope = () => ({
  requestUrl: 'https://api.example.com/v1/items',
  base: new URL('https://api.example.com/v1'),
  prefix: 'http://gateway/to/api',
});

function rewritten(name: string, value: string): string {
  const headers = ['x-other', 'https://api.example.com/v1/untouched', name, value];
  rewriteLinks(headers, scope);
  expect(headers.slice(0, 3)).toEqual(['x-other', 'https://api.example.com/v1/untouched', name]);
  return headers[3] as string;
}

describe('links of an answer', () => {
  it.each([
    ['Location', 'https://api.example.com/v1/items/7', 'http://gateway/to/api/items/7'],
    ['location', '/v1/items/7?a=b', 'http://gateway/to/api/items/7?a=b'],
    ['Content-Location', 'items/8', 'http://gateway/to/api/items/8'],
    [
      'Link',
      '<https://api.example.com/v1/items?page=2>; rel="next"',
      '<http://gateway/to/api/items?page=2>; rel="next"',
    ],
    [
      'link',
      '</v1/items?page=1>; rel="prev", <https://docs.example.com/>; rel="help", </v1/items?page=3>; rel="next"',
      '<http://gateway/to/api/items?page=1>; rel="prev", <https://docs.example.com/>; rel="help", <http://gateway/to/api/items?page=3>; rel="next"',
    ],
  ])('%s: %s leads into the gateway', (name, value, expected) => {
    expect(rewritten(name, value)).toBe(expected);
  });

  it.each([
    ['Location', 'https://api.example.com/v1evil/items'],
    ['Location', 'https://other.example.com/v1/items'],
    ['Content-Location', '//other.example.com/v1/items'],
    ['Location', 'http://gateway/to/api/items/7'],
    ['Link', '<https://api.example.com/v2/items>; rel="next"; title="</v1/x"'],
  ])('%s: %s passes as it is', (name, value) => {
    expect(rewritten(name, value)).toBe(value);
  });
});
