import { bodyDigest } from '@postern/canonicalizer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderBody } from './render-body.ts';
import { type RequestToRender, renderRequest } from './render-request.ts';
import { summariseCall } from './summarise-call.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const request: RequestToRender = {
  method: 'POST',
  url: 'https://api.github.com/repos/a/b/issues',
  headers: [
    ['content-type', 'application/json'],
    ['X-Note', 'one'],
  ],
  body: bytesOf('{"title":"one"}'),
};
const requestWith = (change: Partial<RequestToRender>) => renderRequest({ ...request, ...change });

describe('renderRequest', () => {
  test('shows the request as it will be sent', () => {
    const rendered = renderRequest(request);
    expect(rendered.warnings).toEqual([]);
    expect(rendered.text).toBe(
      [
        'POST https://api.github.com/repos/a/b/issues',
        '  content-type: application/json',
        '  X-Note: one',
        `Body: 15 bytes, text, ${bodyDigest(bytesOf('{"title":"one"}'))}`,
        '| {"title":"one"}',
      ].join('\n'),
    );
  });

  test('says that there is no body', () => {
    expect(requestWith({ body: null }).text).toMatch(/\nNo body\.$/);
    expect(requestWith({ body: new Uint8Array(0) }).text).toContain('Body: 0 bytes, text');
  });

  test('writes out what hides in URL, headers and body, and says so', () => {
    for (const change of [
      { url: 'https://a.test/\u202e' },
      { headers: [['x', 'a\u00e9']] },
      { headers: [['x\u200b', 'a']] },
      { body: bytesOf('{"to":"p\u0430ypal"}') },
    ] satisfies Partial<RequestToRender>[]) {
      const rendered = requestWith(change);
      expect(rendered.text).toMatch(/\\u\{[0-9a-f]+\}/);
      expect(rendered.warnings).toEqual([expect.stringContaining('do not show or look like others')]);
    }
  });

  test('lets no line of a body or header pass for one of its own', () => {
    const rendered = requestWith({
      headers: [
        ['Body', '0 bytes, text'],
        ['x', 'a\nNo body.'],
      ],
      body: bytesOf('harmless\n! Nothing is hidden.\nPOST https://a.test/'),
    });
    const lines = rendered.text.split('\n');
    expect(lines.filter((line) => /^\S/.test(line) && !line.startsWith('| '))).toEqual([
      'POST https://api.github.com/repos/a/b/issues',
      expect.stringMatching(/^Body: \d+ bytes, text, sha-256:/),
      expect.stringMatching(/^! Some characters/),
    ]);
  });

  test('warns of a body that the receiver may read otherwise', () => {
    expect(requestWith({ headers: [['Content-Encoding', 'gzip']] }).warnings).toEqual([
      expect.stringContaining('encoded (gzip)'),
    ]);
    expect(requestWith({ headers: [['content-encoding', 'identity']] }).warnings).toEqual([]);
    expect(requestWith({ headers: [['content-type', 'text/plain; charset=utf-7']] }).warnings).toEqual([
      expect.stringContaining('utf-7'),
    ]);
    expect(requestWith({ headers: [['content-type', 'text/plain; charset="UTF-8"']] }).warnings).toEqual([]);
  });

  test('shows visible characters and line feeds only, whatever comes', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(
        text,
        fc.array(fc.tuple(text, text)),
        fc.oneof(fc.uint8Array(), text.map(bytesOf)),
        (url, headers, body) => {
          const rendered = requestWith({ url, headers, body });
          const all = [rendered.url, ...rendered.headers.flat(), ...rendered.warnings, rendered.text].join('');
          expect(all.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u);
        },
      ),
    );
  });
});

describe('a body', () => {
  test('that is no UTF-8 is shown in hexadecimal', () => {
    const rendered = renderBody({ body: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0xff) });
    expect(rendered).toEqual({
      kind: 'hex',
      text: `00000000  89 50 4e 47 ff${' '.repeat(33)}  .PNG.`,
      bytes: 5,
      shownBytes: 5,
      truncated: false,
      digest: bodyDigest(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0xff)),
      hasHidden: false,
    });
  });

  test('of many lines of hexadecimal counts them', () => {
    const rendered = renderBody({ body: new Uint8Array(600) });
    expect(rendered).toMatchObject({ kind: 'hex', bytes: 600, shownBytes: 512, truncated: true });
    expect(rendered.kind === 'hex' && rendered.text.split('\n').at(-1)).toMatch(/^000001f0 {2}00 00/);
  });

  test('that is UTF-8 and mostly control characters is shown in hexadecimal, and one with few as text', () => {
    expect(renderBody({ body: bytesOf('\0'.repeat(2) + 'a'.repeat(17)) }).kind).toBe('hex');
    expect(renderBody({ body: bytesOf('\0'.repeat(2) + 'a'.repeat(18)) }).kind).toBe('text');
  });

  test('keeps its byte order mark in sight', () => {
    expect(renderBody({ body: bytesOf('\ufeffa') })).toMatchObject({ text: '\\u{feff}a', hasHidden: true });
  });

  test('that is too long is cut between two characters and marked, with the digest of the whole', () => {
    const body = bytesOf('aé€🚪'.repeat(3));
    for (let textBytesMax = 1; textBytesMax < body.length; textBytesMax += 1) {
      const rendered = renderBody({ body }, { textBytesMax });
      expect(rendered).toMatchObject({ kind: 'text', truncated: true, bytes: body.length, digest: bodyDigest(body) });
      const { text, shownBytes } = rendered as { text: string; shownBytes: number };
      expect('aé€🚪'.repeat(3).startsWith(text)).toBe(true);
      expect(shownBytes).toBe(bytesOf(text).length);
      expect(textBytesMax - shownBytes).toBeLessThan(4);
    }
    expect(renderBody({ body }, { textBytesMax: body.length })).toMatchObject({
      truncated: false,
      shownBytes: body.length,
    });
    expect(renderRequest({ ...request, body }, { textBytesMax: 5 }).text).toMatch(
      /Body: 30 bytes, the first 3 are shown, TRUNCATED/,
    );
  });

  test('of which only the beginning is at hand needs the length and digest of the whole', () => {
    const digest = bodyDigest(bytesOf('abcdef'));
    expect(renderBody({ body: bytesOf('abc'), bodyBytes: 6, bodyDigest: digest })).toMatchObject({
      text: 'abc',
      truncated: true,
      bytes: 6,
      digest,
    });
    expect(() => renderBody({ body: bytesOf('abc'), bodyBytes: 6 })).toThrow(TypeError);
    expect(() => renderBody({ body: bytesOf('abc'), bodyBytes: 2, bodyDigest: digest })).toThrow(TypeError);
  });

  test('that breaks off within a character at its own end is no text', () => {
    expect(renderBody({ body: Uint8Array.of(0x61, 0xc3) }).kind).toBe('hex');
  });
});

describe('summariseCall', () => {
  const call = {
    method: 'POST',
    url: 'https://a.test/x',
    integration: 'github',
    action: 'issues.write',
    bodyBytes: 12,
  };

  test('says on one line what was asked', () => {
    expect(summariseCall(call)).toBe('POST https://a.test/x, issues.write of github, body of 12 bytes');
    expect(summariseCall({ ...call, action: null, bodyBytes: null })).toBe('POST https://a.test/x, github, no body');
  });

  test('cuts a long URL and shows nothing that hides', () => {
    const summary = summariseCall({ ...call, url: `https://a.test/${'x'.repeat(9_000)}`, integration: 'a\u202eb' });
    expect(summary.length).toBeLessThan(400);
    expect(summary).toContain('… (cut)');
    expect(summary).toContain('a\\u{202e}b');
  });
});
