import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CanonicalUrlError } from './canonical-url-error.ts';
import { canonicaliseUrl } from './canonicalise-url.ts';
import { createTargetCanonicaliser } from './target-canonicaliser.ts';

const BASE = 'https://api.example.com/v1';

/** Pieces that have fooled URL parsers, and plain ones. */
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('/', 'a', 'v1', 'B', '~', '-', '.', '..', '?', '&', '=', '+', 'x=1') },
  {
    weight: 4,
    arbitrary: fc.constantFrom('%2e', '%2E', '%2f', '%2F', '%5c', '%5C', ';', '%3b', '%41', '%7e', '%c3%bc'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('//', '\\', ' ', '#', '%', '%zz', '%00', '%0a', '%c0%ae', '\0', '\t', '@', ':'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom("'", '"', '[', ']', '{', '}', '|', '^', '`', '<', '>', '*', 'é', '😀', '%25'),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
);
const anyTarget = fc.array(piece, { maxLength: 14 }).map((pieces) => `/${pieces.join('')}`);

function attempt<T>(operation: () => T): { value: T } | { code: string } {
  try {
    return { value: operation() };
  } catch (error) {
    if (error instanceof CanonicalUrlError) return { code: error.code };
    throw error;
  }
}

describe('any target', () => {
  const { fromPath, fromUrl } = createTargetCanonicaliser(BASE);

  it('is refused, or its canonical form is a fixed point that every way in gives', () => {
    fc.assert(
      fc.property(anyTarget, (text) => {
        const result = attempt(() => fromPath(text, 'unicode'));
        if ('code' in result) return;
        const { url } = result.value;
        expect(canonicaliseUrl(url)).toBe(url);
        expect(canonicaliseUrl(url, BASE)).toBe(url);
        expect(fromUrl(url, ['api.example.com'])).toEqual(result.value);
        expect(fromPath(url.slice(BASE.length))).toEqual(result.value);
      }),
      { numRuns: 5_000 },
    );
  });

  it('is refused, or reads back from the URL standard parser byte for byte, under the base', () => {
    fc.assert(
      fc.property(anyTarget, (text) => {
        const result = attempt(() => fromPath(text, 'unicode'));
        if ('code' in result) return;
        const target = result.value;
        const parsed = new URL(target.url);
        expect(parsed.href).toBe(target.url);
        expect(parsed.origin).toBe('https://api.example.com');
        expect(parsed.pathname).toBe(target.path);
        expect(parsed.search).toBe(target.query === '' ? '' : `?${target.query}`);
        expect(target.pathAndQuery).toMatch(/^\/v1(?:[/?]|$)/);
        // The characters of RFC 3986 section 3.3 and 3.4, so no HTTP client rewrites or refuses the request line.
        expect(target.pathAndQuery).toMatch(/^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})+$/);
      }),
      { numRuns: 5_000 },
    );
  });

  it('holds no dot segment even for an upstream that decodes separators and drops path parameters', () => {
    fc.assert(
      fc.property(anyTarget, (text) => {
        const result = attempt(() => fromPath(text, 'unicode'));
        if ('code' in result) return;
        const lenient = decodeURIComponent(result.value.path.replace(/%(?=[89A-F])/g, '_')).split(/[/\\]/);
        expect(lenient.map((segment) => segment.split(';')[0])).not.toContain('..');
        expect(lenient.map((segment) => segment.split(';')[0])).not.toContain('.');
      }),
      { numRuns: 5_000 },
    );
  });

  it('gets one answer from the short and the long way', () => {
    const bare = createTargetCanonicaliser('https://a.test');
    fc.assert(
      fc.property(anyTarget, (text) => {
        // An absolute URL always takes the long way.
        const long = attempt(() => bare.fromUrl(`https://a.test${text}`, ['a.test']));
        expect(attempt(() => bare.fromPath(text, 'unicode'))).toEqual(long);
      }),
      { numRuns: 5_000 },
    );
  });

  it('gets one answer from both ways for every octet, raw and escaped, and every overlong form', () => {
    const bare = createTargetCanonicaliser('https://a.test');
    const hex = (octet: number) => octet.toString(16).padStart(2, '0');
    const octets = Array.from({ length: 256 }, (_, octet) => octet);
    const texts = octets.flatMap((octet) => [
      String.fromCharCode(octet),
      ...['c0', 'c1', 'e0', 'f0'].map((lead) => `%${lead}%${hex(octet)}`.toUpperCase()),
      `%${hex(octet)}`,
      `%${hex(octet).toUpperCase()}`,
      `.%${hex(octet).toUpperCase()}`,
    ]);
    for (const target of texts.flatMap((text) => [`/a/${text}/b`, `/a${text}`, `/a?${text}`])) {
      const long = attempt(() => bare.fromUrl(`https://a.test${target}`, ['a.test']));
      expect(
        attempt(() => bare.fromPath(target, 'unicode')),
        target,
      ).toEqual(long);
    }
  });

  it('passes any text that was encoded component by component, and nothing of it is lost', () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !/^\.\.?(?:;|$)|[\0-\x1f\x7f\\/]/.test(text));
    fc.assert(
      fc.property(word, fc.string({ unit: 'grapheme' }), (segment, value) => {
        const target = fromPath(`/${encodeURIComponent(segment)}/x?q=${encodeURIComponent(value)}`);
        expect(decodeURIComponent(target.path)).toBe(`/v1/${segment}/x`);
        expect(new URLSearchParams(target.query).get('q')).toBe(value);
      }),
    );
  });
});

/** Writes a canonical URL in another way that means the same. `choose` answers one of `count` choices. */
function respell(segments: readonly string[], query: string, choose: (count: number) => number): string {
  const encode = (text: string) =>
    text.replace(/%[0-9A-F]{2}|[A-Za-z0-9\-._~]/g, (token) => {
      const octet = token.startsWith('%') ? token : `%${token.charCodeAt(0).toString(16)}`;
      return [token, octet.toLowerCase(), octet.toUpperCase()][choose(3)] as string;
    });
  const detours = ['', '/.', '/%2e', '/x/..', '/x/%2E.', '/x%2fy/../.', '/a/b/../..', '//..'];
  const path = segments.map((segment) => `${detours[choose(detours.length)]}/${encode(segment)}`).join('');
  const scheme = ['https', 'HTTPS', 'hTTps'][choose(3)];
  const host = ['a.example', 'A.Example', 'a.example.', 'ａ.example', 'a。example'][choose(5)];
  const port = ['', ':', ':443', ':00443'][choose(4)];
  return `${scheme}://${host}${port}${path}?${encode(query)}`;
}

describe('two spellings of one target', () => {
  const character = fc.constantFrom(...'abzAZ059-._~!$&()*+,;=:@', '%20', '%3B', '%25', '%C3%BC', '%2B');
  const segment = fc
    .array(character, { minLength: 1, maxLength: 6 })
    .map((characters) => characters.join(''))
    .filter((text) => !/^\.\.?(?:;|%3B|$)/.test(text));

  it('have one canonical form', () => {
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 5 }),
        fc.array(character, { maxLength: 8 }).map((characters) => characters.join('')),
        fc.infiniteStream(fc.nat()),
        (segments, query, choices) => {
          const choose = (count: number) => (choices.next().value as number) % count;
          const canonical = `https://a.example/${segments.join('/')}?${query}`;
          expect(canonicaliseUrl(canonical)).toBe(canonical);
          expect(canonicaliseUrl(respell(segments, query, choose))).toBe(canonical);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['/a', '/a/'],
    ['/a', '//a'],
    ['/a', '/A'],
    ['/a;b', '/a%3Bb'],
    ['/a%2Fb', '/a/b'],
    ['/a', '/a?'],
    ['/?a=1&b=2', '/?b=2&a=1'],
    ['/?a=+', '/?a=%2B'],
    ['/?a=+', '/?a=%20'],
    ['/?a', '/?a='],
    ['/?a', '/?a&'],
  ])('%s and %s stay two targets', (left, right) => {
    expect(canonicaliseUrl(left, BASE)).not.toBe(canonicaliseUrl(right, BASE));
  });
});
