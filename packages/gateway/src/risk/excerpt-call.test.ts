import { UNSEEN_CHARACTERS } from '@postern/schemas';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EXCERPT_CHARACTERS_MAX, excerptCall, type ShownCall } from './excerpt-call.ts';

const shown = (changes: Partial<ShownCall> = {}) =>
  excerptCall({ method: 'POST', path: '/v1/charges', query: '', body: undefined, ...changes });
const ofBody = (value: unknown) => shown({ body: { value } });

describe('the excerpt of a call', () => {
  test('is method, path and arguments as JSON', () => {
    expect(shown()).toBe('POST /v1/charges {}');
    expect(shown({ method: 'GET', query: 'a=1&a=2&b=x%20y' })).toBe(
      'GET /v1/charges {"query":{"a":["1","2"],"b":["x y"]}}',
    );
    expect(ofBody({ amount: 5, to: ['a', null, true], note: {} })).toBe(
      'POST /v1/charges {"body":{"amount":5,"to":["a",null,true],"note":{}}}',
    );
    expect(shown({ query: 'a=1', body: { value: 'text' } })).toBe(
      'POST /v1/charges {"query":{"a":["1"]},"body":"text"}',
    );
    expect(shown({ body: { unseen: '9 bytes, not looked into' } })).toContain('{"body":"9 bytes, not looked into"}');
    expect(ofBody(undefined)).toBe('POST /v1/charges {"body":null}');
  });

  test('has at most 500 characters, and says where it was cut', () => {
    const members = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`m${at}`, at]));
    expect(ofBody(members(20))).not.toContain('…');
    const long = ofBody(members(200));
    expect(long).toHaveLength(EXCERPT_CHARACTERS_MAX);
    expect(long.endsWith('…')).toBe(true);
  });

  test('shows beginning and end of a long text, and what comes after it', () => {
    const text = `${'polite words '.repeat(10_000)}rm -rf /`;
    expect(ofBody({ text, amount: 5 })).toMatch(/"polite words .{60,70}….{30,40}rm -rf \/","amount":5\}\}$/);
    expect(shown({ path: `/${'a'.repeat(8_000)}/delete`, body: { value: 1 } })).toMatch(
      /^POST \/a+…a+\/delete \{"body":1\}$/,
    );
  });

  test('does not break a character that takes two units', () => {
    for (let length = 70; length < 90; length += 1) {
      expect(ofBody(`${'x'.repeat(length)}${'😀'.repeat(100)}`)).not.toMatch(/\\u\{d[89a-f]/);
    }
  });

  test('goes no deeper than eight levels, and does not mind a million', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
    expect(ofBody(deep)).toBe('POST /v1/charges {"body":[[[[[[[[…]]]]]]]]}');
  });

  test('takes time by what is shown: a million items, or one text of ten million characters', () => {
    const startedMs = performance.now();
    ofBody(Array(1_000_000).fill(1));
    ofBody({ text: 'a1'.repeat(5_000_000) });
    shown({ query: 'a=1&'.repeat(2_000) });
    expect(performance.now() - startedMs).toBeLessThan(200);
  });

  test('writes out what cannot be seen, or moves what can', () => {
    expect(ofBody('a\nb\tc\u202ed\u200be\u0000f\u007fg\ud800h')).toBe(
      'POST /v1/charges {"body":"a\\nb\\tc\\u{202e}d\\u{200b}e\\u0000f\\u{7f}g\\ud800h"}',
    );
  });

  test('is one line whatever is sent', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), fc.string({ unit: 'binary' }), (value, name) => {
        const text = shown({
          query: new URLSearchParams({ [name.toWellFormed()]: name.toWellFormed() }).toString(),
          body: { value },
        });
        expect(text.length).toBeLessThanOrEqual(EXCERPT_CHARACTERS_MAX);
        expect(text.search(UNSEEN_CHARACTERS)).toBe(-1);
      }),
    );
  });
});

describe('what looks like a secret is masked:', () => {
  test.each([
    'ghp_abcdefghijklmnopqrstuvwxyz0123456789',
    'sk-ant-api03-abcdefghijklmnop1234',
    'AKIAIOSFODNN7EXAMPLE',
    'xoxb-1234567890-abc',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
    'Bearer abcdefghijk',
    'basic dXNlcjpwYXNz',
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    '-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----',
  ])('%j', (secret) => {
    for (const text of [secret, `before ${secret}`, `${secret} after`, `${'words '.repeat(500)}${secret}`]) {
      for (const excerpt of [
        ofBody(text),
        ofBody({ note: [text] }),
        shown({ query: `q=${encodeURIComponent(text)}` }),
      ]) {
        expect(excerpt).toContain('[masked]');
        for (let at = 0; at + 12 <= secret.length; at += 1) expect(excerpt).not.toContain(secret.slice(at, at + 12));
      }
    }
  });

  test.each(['password', 'client_secret', 'access_token', 'apiKey', 'X-Api-Key', 'Authorization', 'sessionId', 'pin'])(
    'the member %s, whatever it holds',
    (name) => {
      expect(ofBody({ [name]: 'hunter2', other: 'kept' })).toBe(
        `POST /v1/charges {"body":{"${name}":"[masked]","other":"kept"}}`,
      );
      expect(ofBody({ [name]: { value: 'hunter2' } })).not.toContain('hunter2');
      expect(shown({ query: `${name}=hunter2` })).not.toContain('hunter2');
    },
  );

  test('in the path and in URLs', () => {
    expect(shown({ path: '/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/send' })).not.toContain('AAHdqTcvCH1');
    expect(ofBody('https://user:pa55word@example.com/x')).toBe(
      'POST /v1/charges {"body":"https://[masked]example.com/x"}',
    );
  });

  test.each([
    'an ordinary sentence about the token of our appreciation',
    'order 12345',
    '2026-03-01T10:00:00Z',
    'user@example.com',
    'a-rather-long-name-without-a-digit-in-it',
  ])('not %j', (text) => {
    expect(ofBody(text)).toBe(`POST /v1/charges {"body":${JSON.stringify(text)}}`);
  });
});
