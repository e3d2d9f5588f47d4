import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EchoMatcher } from './echo-matcher.ts';
import { referenceHeld, referenceScrub } from './reference-scrubber.fixture.ts';
import { StreamScrubber } from './stream-scrubber.ts';

function matcherOf(...echoes: string[]): EchoMatcher {
  const matcher = EchoMatcher.compile(echoes);
  if (matcher === undefined) throw new Error('no echo is long enough');
  return matcher;
}

/** The pieces as they come out, the last one at the end. */
function scrubPieces(matcher: EchoMatcher, pieces: readonly string[]): string[] {
  const scrubber = new StreamScrubber(matcher);
  const out = pieces.map((piece) => scrubber.push(Buffer.from(piece, 'latin1')));
  return [...out, scrubber.end()].map((passed) => Buffer.concat(passed).toString('latin1'));
}

function cut(text: string, places: readonly number[]): string[] {
  const sorted = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((place, index) => text.slice(place, sorted[index]));
}

const SECRET = 'tok-3a7c/5e9f+1b2d "q" 4680';

/** Every way the specification names in which an upstream may write a secret. */
function formsOfSecret(secret: string): [string, string][] {
  const bytes = Buffer.from(secret);
  const percent = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const unicode = [...secret]
    .flatMap((character) => character.split(''))
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
  const alignments = ['', 'x', 'xy'].flatMap((before) => {
    const shifted = Buffer.concat([Buffer.from(before), bytes, Buffer.from('z')]);
    return [
      [`base64 after ${before.length}`, shifted.toString('base64')],
      [`base64url after ${before.length}`, shifted.toString('base64url')],
      [`base64 in a URL after ${before.length}`, encodeURIComponent(shifted.toString('base64'))],
      [`base64 in JSON after ${before.length}`, shifted.toString('base64').replaceAll('/', '\\/')],
    ] as [string, string][];
  });
  return [
    ['raw', bytes.toString('latin1')],
    ['hex', bytes.toString('hex')],
    ['upper hex', bytes.toString('hex').toUpperCase()],
    ['mixed hex', bytes.toString('hex').replace(/[a-f]/, (digit) => digit.toUpperCase())],
    ...alignments,
    ['encodeURIComponent', encodeURIComponent(secret)],
    ['encodeURI', encodeURI(secret)],
    ['a form field', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['every byte as %hh', percent],
    ['every byte as %HH', percent.toUpperCase()],
    ['JSON', Buffer.from(JSON.stringify(secret).slice(1, -1)).toString('latin1')],
    ['JSON with \\/', Buffer.from(JSON.stringify(secret).slice(1, -1).replaceAll('/', '\\/')).toString('latin1')],
    ['every character as \\uhhhh', unicode],
    ['every character as \\uHHHH', unicode.toUpperCase().replaceAll('\\U', '\\u')],
  ];
}

describe.each([SECRET, 'pass:word-77', 'q&=+ %/ü-0f1e2d3c', 'пароль-密碼-🔑-x', 'a'.repeat(40)])(
  'a secret like %j',
  (secret) => {
    const matcher = matcherOf(secret);

    test.each(formsOfSecret(secret))('%s: is replaced, wherever the pieces are cut', (_form, form) => {
      const text = `{"a": "${form}", "b": 1}`;
      const expected = referenceScrub(text, [secret]);
      expect(expected).not.toBe(text);
      for (let place = 0; place <= text.length; place += 1) {
        expect(scrubPieces(matcher, [text.slice(0, place), text.slice(place)]).join('')).toBe(expected);
      }
      expect(scrubPieces(matcher, [...text]).join('')).toBe(expected);
      expect(Buffer.from(matcher.scrubBytes(Buffer.from(text, 'latin1'))).toString('latin1')).toBe(expected);
      expect(matcher.scrubText(text)).toBe(expected);
    });
  },
);

test('what stands around an echo stays, and its place is kept', () => {
  const matcher = matcherOf('Bearer 0123456789', '0123456789');
  expect(matcher.scrubText('{"authorization":"Bearer 0123456789"}')).toBe('{"authorization":"*****************"}');
  expect(matcher.scrubText('{"x":"0123456789"}')).toBe('{"x":"**********"}');
  expect(matcher.scrubText('{"x":"012345678"}')).toBe('{"x":"012345678"}');
});

test('echoes under eight characters are not searched for', () => {
  expect(EchoMatcher.compile(['1234567', ''])).toBeUndefined();
  expect(matcherOf('1234567', '12345678').scrubText('1234567 12345678')).toBe('1234567 ********');
});

describe('what is held', () => {
  const matcher = matcherOf('tok-3a7c5e9f1b2d4680');

  test.each([
    ['data: {"a":1}\n\n', 0],
    ['data: tok', 3],
    ['data: tok-3a7c5e9f1b2d468', 19],
    ['data: tok-3a7c5e9f1b2d4680\n', 0],
    ['data: tok-3a7c5e9f1b2d4681', 0],
    ['data: tok-tok-', 4],
    ['data: 746f6b2', 7],
    ['data: dG9rLTNh', 8],
    ['100 %', 1],
    ['100 %7', 2],
    ['100 %74', 3],
    ['100 %9', 0],
    ['100 %7x', 0],
    ['"\\', 1],
    ['"\\u007', 5],
    ['"\\u00e', 0],
    ['"\\n', 0],
    ['', 0],
  ])('after %j: %i bytes, and nothing more', (text, held) => {
    const [passed = '', rest] = scrubPieces(matcher, [text]);
    expect(text.length - passed.length).toBe(held);
    expect(passed + rest).toBe(held > 0 ? text : referenceScrub(text, ['tok-3a7c5e9f1b2d4680']));
  });

  test('the end sets free what never became an echo', () => {
    expect(scrubPieces(matcher, ['a tok', '-3a7c', '5'])).toEqual(['a ', '', '', 'tok-3a7c5']);
  });
});

describe('a large piece behind held bytes', () => {
  const secret = 'tok-3a7c5e9f1b2d4680';
  const matcher = matcherOf(secret);
  const rest = 'x'.repeat(1_000);

  test('is passed as it is when they turn out to be nothing', () => {
    const scrubber = new StreamScrubber(matcher);
    expect(Buffer.concat(scrubber.push(Buffer.from('a tok-'))).toString()).toBe('a ');
    const large = Buffer.from(`3b${rest}`);
    const [held, passed] = scrubber.push(large);
    expect(Buffer.from(held as Uint8Array).toString()).toBe('tok-');
    expect(passed).toBe(large);
  });

  test.each([
    ['tok-', `3a7c5e9f1b2d4680${rest}`],
    ['tok-3a7c5e9f1b2d468', `0${rest}`],
    ['tok', `-tok-3a7c5e9f1b2d4680${rest}`],
    ['tok-3a7c5e9f1b2d4680tok-', `3a7c5e9f1b2d4680${rest}`],
    ['\\u0074', [...'ok-3a7c5e9f1b2d4680'].map((each) => `\\u00${each.charCodeAt(0).toString(16)}`).join('') + rest],
    ['%', `74ok-3a7c5e9f1b2d4680${rest}`],
    ['tok-', `${'x'.repeat(60)}tok-3a7c5e9f1b2d4680${rest}`],
    ['tok-', `${'x'.repeat(63)}tok-3a7c5e9f1b2d4680${rest}tok-`],
  ])('%s and %s are what they are in one piece', (first, second) => {
    expect(scrubPieces(matcher, [first, second]).join('')).toBe(referenceScrub(first + second, [secret]));
  });
});

const alphabet = fc.constantFrom('a', 'b', '1', '%', '\\', '/', '+', ' ', '"', 'u', '0', '6', 'é', '🔑');
const secrets = fc.oneof(
  fc.string({ unit: alphabet, minLength: 8, maxLength: 16 }),
  fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 8, maxLength: 45 }),
  fc.string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 50 }),
  fc.string({ unit: 'grapheme', minLength: 8, maxLength: 12 }).filter((text) => text.isWellFormed()),
);

/** Text that holds forms of the secret, beginnings and ends of them, and its letters. */
function textAbout(secret: string): fc.Arbitrary<string> {
  const forms = formsOfSecret(secret).map(([, form]) => form);
  const form = fc.constantFrom(...forms);
  const part = fc
    .tuple(form, fc.nat(), fc.nat())
    .map(([text, a, b]) =>
      text.slice(Math.min(a % text.length, b % text.length), Math.max(a % text.length, b % text.length)),
    );
  const mixed = fc
    .array(fc.nat(3), { minLength: secret.length, maxLength: secret.length })
    .map((choices) => mixedEscapes(secret, choices));
  const noise = fc.oneof(fc.string({ unit: alphabet, maxLength: 12 }), fc.string({ maxLength: 40 }));
  return fc
    .array(fc.oneof(form, part, mixed, noise), { maxLength: 8 })
    .map((pieces) => Buffer.from(pieces.join(''), 'latin1').toString('latin1'));
}

function mixedEscapes(secret: string, choices: readonly number[]): string {
  return [...secret]
    .map((character, index) => {
      const bytes = Buffer.from(character);
      if (choices[index] === 0) return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
      if (choices[index] === 1) {
        return character
          .split('')
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
          .join('');
      }
      return bytes.toString('latin1');
    })
    .join('');
}

describe('for any secret, text and cutting', () => {
  const cases = secrets.chain((secret) =>
    fc.record({
      secret: fc.constant(secret),
      text: textAbout(secret),
      places: fc.array(fc.nat(), { maxLength: 12 }),
      prefix: fc.constantFrom('', 'Bearer ', 'a', 'robot:', 'x'.repeat(40)),
    }),
  );

  test('it does what the reference does, and gives back as many bytes', () => {
    fc.assert(
      fc.property(cases, ({ secret, text, places, prefix }) => {
        const echoes = prefix === '' ? [secret] : [prefix + secret, secret];
        const expected = referenceScrub(text, echoes);
        const matcher = matcherOf(...echoes);
        expect(scrubPieces(matcher, cut(text, places)).join('')).toBe(expected);
        expect(scrubPieces(matcher, [...text]).join('')).toBe(expected);
        expect(matcher.scrubText(text)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  }, 60_000);

  test('it holds exactly the tail that could begin an echo', () => {
    fc.assert(
      fc.property(cases, ({ secret, text, places }) => {
        const matcher = matcherOf(secret);
        const scrubber = new StreamScrubber(matcher);
        let given = '';
        for (const piece of cut(text, places)) {
          scrubber.push(Buffer.from(piece, 'latin1'));
          given += piece;
          expect(scrubber.heldBytes).toBe(referenceHeld(given, [secret]));
        }
      }),
      { numRuns: 500 },
    );
  }, 60_000);
});
