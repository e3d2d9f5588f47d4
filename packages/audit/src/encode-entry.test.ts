import { createHash } from 'node:crypto';
import { ENTRY_TYPES, type Entry, OUTCOME_RESULTS } from '@postern/schemas';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEntry, ENTRY_BYTES_MAX, encodeEntry, encodeEntryText } from './encode-entry.ts';

const FULL: { [Name in keyof Required<Entry>]: NonNullable<Entry[Name]> } = {
  v: 1,
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  seq: 7,
  at: 1_767_225_600_000,
  tenant: 'default',
  type: 'intent',
  requestId: 'r-1',
  argsHash: `sha-256:${'0'.repeat(64)}`,
  agent: 'coder',
  environment: 'dev',
  integration: 'github',
  action: 'issues.read',
  kind: 'http',
  method: 'GET',
  url: 'https://api.github.com/repos/a/b/issues',
  intent: 'to read',
  decision: 'allow',
  rule: 'reads',
  reason: 'the rule reads allows it',
  policyVersion: 'ab12',
  risk: { score: 0.7, labels: ['shell', 'pii'] },
  versions: { from: { number: 3, contentHash: 'a'.repeat(64) }, to: { number: 4, contentHash: 'b'.repeat(64) } },
  fingerprint: 'f'.repeat(64),
  approval: 'a-1',
  grant: 'g-1',
  credential: 'github-token',
  actor: 'alice',
  subject: 'agent:coder',
  node: 'node-1',
  attempt: 1,
  result: 'done',
  status: 200,
  code: 'denied',
  latencyMs: 12,
  addresses: ['192.0.2.1', '2001:db8::1'],
  count: 3,
};

const MINIMAL: Entry = { v: 1, id: 'a', seq: 0, at: 0, tenant: 't', type: 'denied' };

const text = fc.string({ unit: 'binary', maxLength: 40 });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const count = fc.nat(Number.MAX_SAFE_INTEGER);

const anyEntry = fc.record({
  v: fc.constant(1 as const),
  id: text,
  seq: count,
  at: count,
  tenant: text,
  type: fc.constantFrom(...ENTRY_TYPES),
  requestId: optional(text),
  agent: optional(text),
  url: optional(fc.webUrl()),
  intent: optional(text),
  decision: optional(fc.constantFrom('allow' as const, 'deny' as const, 'require_approval' as const)),
  reason: optional(text),
  risk: optional(
    fc.record({ score: fc.nat(10).map((tenths) => tenths / 10), labels: fc.array(text, { maxLength: 3 }) }),
  ),
  versions: optional(
    fc.record(
      {
        to: fc.record({ number: count, contentHash: text }),
        from: fc.record({ contentHash: text, number: count }),
      },
      { requiredKeys: ['to'] },
    ),
  ),
  result: optional(fc.constantFrom(...OUTCOME_RESULTS)),
  status: optional(count),
  latencyMs: optional(count),
  addresses: optional(fc.array(text, { maxLength: 3 })),
});

function withoutAbsent(entry: Entry): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
}

function encodedLength(entry: Entry): number {
  return encodeEntry(entry).length;
}

describe('the encoding of an audit entry', () => {
  test('is the RFC 8785 form, whatever the members hold', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect(encodeEntryText(entry)).toBe(canonicalize(withoutAbsent(entry)));
      }),
      { numRuns: 1_000 },
    );
  });

  test('is the RFC 8785 form with every member there is', () => {
    expect(encodeEntryText(FULL)).toBe(canonicalize(FULL));
    expect(Object.keys(JSON.parse(encodeEntryText(FULL)))).toHaveLength(Object.keys(FULL).length);
  });

  test('does not depend on the order in which members were set', () => {
    const reversed = Object.fromEntries(Object.entries(FULL).reverse()) as unknown as Entry;
    expect(encodeEntryText(reversed)).toBe(encodeEntryText(FULL));
  });

  test('gives the bytes that decode to the same entry', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        expect(decodeEntry(encodeEntry(entry))).toEqual(withoutAbsent(entry));
      }),
    );
  });

  test.each([
    ['\ud800', '\ufffd'],
    ['a\udc00b', 'a\ufffdb'],
    ['\ud83d\ude00', '\ud83d\ude00'],
    ['\\ud800', '\\ud800'],
  ])('writes %j as %j', (given, stored) => {
    const entry = { ...MINIMAL, reason: given, addresses: [given] };
    expect(decodeEntry(encodeEntry(entry))).toEqual({ ...MINIMAL, reason: stored, addresses: [stored] });
  });

  test.each(['at', 'seq', 'attempt', 'count', 'latencyMs', 'status'])('refuses a %s that is no integer', (member) => {
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => encodeEntry({ ...MINIMAL, [member]: value })).toThrow(TypeError);
    }
  });
});

test('a score that is no number is refused', () => {
  for (const score of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => encodeEntry({ ...MINIMAL, risk: { score, labels: [] } })).toThrow(TypeError);
  }
  const versions = { to: { number: 1.5, contentHash: 'x' } };
  expect(() => encodeEntry({ ...MINIMAL, versions })).toThrow(TypeError);
});

describe('an entry that is too long', () => {
  const overhead = encodedLength({ ...MINIMAL, url: '' });

  test('is kept as it is at exactly the limit, and loses its longest value one byte above', () => {
    const longest = 'x'.repeat(ENTRY_BYTES_MAX - overhead);
    expect(encodedLength({ ...MINIMAL, url: longest })).toBe(ENTRY_BYTES_MAX);
    expect(decodeEntry(encodeEntry({ ...MINIMAL, url: longest })).url).toBe(longest);
    const digest = createHash('sha256').update(`${longest}x`).digest('hex');
    expect(decodeEntry(encodeEntry({ ...MINIMAL, url: `${longest}x` })).url).toBe(
      `sha-256:${digest}:${longest.length + 1}`,
    );
  });

  test('is measured in bytes of UTF-8, not in characters', () => {
    const fits = 'ä'.repeat(Math.floor((ENTRY_BYTES_MAX - overhead) / 2));
    expect(decodeEntry(encodeEntry({ ...MINIMAL, url: fits })).url).toBe(fits);
    expect(decodeEntry(encodeEntry({ ...MINIMAL, url: `${fits}ä` })).url).toMatch(/^sha-256:[0-9a-f]{64}:\d+$/);
  });

  test('keeps the shorter values when replacing the longer ones is enough', () => {
    const entry = { ...MINIMAL, url: 'u'.repeat(60_000), intent: 'i'.repeat(50_000), reason: 'r'.repeat(10_000) };
    const stored = decodeEntry(encodeEntry(entry));
    expect(stored.url).toMatch(/^sha-256:/);
    expect(stored.intent).toBe(entry.intent);
    expect(stored.reason).toBe(entry.reason);
  });

  test('replaces a long list of addresses by the digest of the list', () => {
    const stored = decodeEntry(encodeEntry({ ...MINIMAL, addresses: Array(10_000).fill('192.0.2.1') }));
    expect(stored.addresses).toEqual([expect.stringMatching(/^sha-256:[0-9a-f]{64}:\d+$/)]);
  });

  test('is never longer than the limit, equal entries give equal bytes, and who and where stays', () => {
    const long = fc.string({ unit: 'binary', minLength: 0, maxLength: 40_000, size: 'max' });
    fc.assert(
      fc.property(long, long, long, (url, intent, reason) => {
        const entry = { ...MINIMAL, requestId: 'r-1', url, intent, reason };
        const bytes = encodeEntry(entry);
        expect(bytes.length).toBeLessThanOrEqual(ENTRY_BYTES_MAX);
        expect(encodeEntry({ ...entry })).toEqual(bytes);
        expect(decodeEntry(bytes)).toMatchObject({ tenant: 't', requestId: 'r-1', id: 'a', type: 'denied' });
      }),
      { numRuns: 30 },
    );
  });

  test('is refused when even digests cannot make it short enough', () => {
    expect(() => encodeEntry({ ...MINIMAL, requestId: 'r'.repeat(70_000) })).toThrow(RangeError);
  });
});

describe('decoding', () => {
  test('refuses an entry of another version', () => {
    expect(() => decodeEntry(JSON.stringify({ ...MINIMAL, v: 2 }))).toThrow(SyntaxError);
    expect(decodeEntry(JSON.stringify(MINIMAL))).toEqual(MINIMAL);
  });

  test.each(['', 'null', '[]', '{"v":1}', '{', '"x"'])('refuses %j', (bytes) => {
    expect(() => decodeEntry(bytes)).toThrow(SyntaxError);
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(() => decodeEntry(Uint8Array.of(0x7b, 0xff, 0x7d))).toThrow(TypeError);
  });
});
