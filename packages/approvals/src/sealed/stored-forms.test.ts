import { describeCall, fingerprint } from '@postern/canonicalizer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeSealedRequest,
  encodeSealedRequest,
  encodeSealedRequestHead,
  readSealedRequest,
  type SealedRequest,
} from './sealed-request.ts';
import { decodeStoredAnswer, encodeStoredAnswer, STORED_ANSWER_BODY_BYTES_MAX } from './stored-answer.ts';
import { StoredFormError } from './stored-form.ts';
import { verifyStoredRequest } from './verify-stored-request.ts';

const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed());
const headers = fc.array(fc.tuple(text, text));
const requests: fc.Arbitrary<SealedRequest> = fc.record({
  method: text,
  url: text,
  headers,
  body: fc.option(fc.uint8Array({ maxLength: 500 }), { nil: null }),
});
const example: SealedRequest = {
  method: 'POST',
  url: 'https://a.test/x?y',
  headers: [
    ['content-type', 'text/plain'],
    ['x-twice', 'caf\u00e9'],
    ['X-Twice', ''],
  ],
  body: Uint8Array.of(0, 1, 255),
};

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function bodyOf(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

describe('a stored request', () => {
  test('comes back as it was, in memory and in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 1, max: 64 }), async (request, size) => {
        const bytes = encodeSealedRequest(request);
        const decoded = decodeSealedRequest(bytes);
        expect({ ...decoded, body: decoded.body && [...decoded.body] }).toEqual({
          ...request,
          body: request.body && [...request.body],
        });
        const read = await readSealedRequest(cut(bytes, size));
        expect({ method: read.method, url: read.url, headers: read.headers }).toEqual({
          method: request.method,
          url: request.url,
          headers: request.headers,
        });
        expect(read.bodyBytes).toBe(request.body?.length ?? null);
        expect([...(await bodyOf(read.body))]).toEqual([...(request.body ?? [])]);
      }),
    );
  });

  test('has one form, and no other request has it', () => {
    fc.assert(
      fc.property(requests, requests, (one, other) => {
        const isSame =
          JSON.stringify({ ...one, body: one.body && [...one.body] }) ===
          JSON.stringify({ ...other, body: other.body && [...other.body] });
        expect(Buffer.from(encodeSealedRequest(one)).equals(encodeSealedRequest(other))).toBe(isSame);
      }),
    );
  });

  test('with an empty body is not one without', () => {
    const [none, empty] = [null, new Uint8Array(0)].map((body) =>
      decodeSealedRequest(encodeSealedRequest({ ...example, body })),
    );
    expect(none?.body).toBeNull();
    expect(empty?.body).toHaveLength(0);
  });

  test('can be written head first, with the body after it', async () => {
    const head = encodeSealedRequestHead({ ...example, bodyBytes: 3 });
    expect(decodeSealedRequest(Buffer.concat([head, Uint8Array.of(0, 1, 255)])).body).toEqual(Buffer.of(0, 1, 255));
  });

  test('that is cut off anywhere, or has more behind it, is refused', async () => {
    const bytes = encodeSealedRequest(example);
    for (let end = 0; end < bytes.length; end += 1) {
      const broken = bytes.subarray(0, end);
      expect(() => decodeSealedRequest(broken)).toThrow(StoredFormError);
      await expect(readSealedRequest(cut(broken, 7)).then(({ body }) => bodyOf(body))).rejects.toThrow(StoredFormError);
    }
    const longer = Buffer.concat([bytes, Uint8Array.of(0)]);
    expect(() => decodeSealedRequest(longer)).toThrow(StoredFormError);
    await expect(readSealedRequest(cut(longer, 7)).then(({ body }) => bodyOf(body))).rejects.toThrow(StoredFormError);
    await expect(readSealedRequest(cut(longer, 500)).then(({ body }) => bodyOf(body))).rejects.toThrow(StoredFormError);
  });

  test('of any bytes is a request or a StoredFormError, and never takes long', () => {
    const valid = encodeSealedRequest(example);
    const changed = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) => {
      const bytes = Uint8Array.from(valid);
      bytes[at] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), changed), (bytes) => {
        try {
          const request = decodeSealedRequest(bytes);
          expect(Buffer.from(encodeSealedRequest(request)).equals(bytes)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(StoredFormError);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('of another version, another kind or an endless head is told apart', () => {
    const bytes = encodeSealedRequest(example);
    const withByte = (at: number, byte: number) => Buffer.from(bytes).fill(byte, at, at + 1);
    expect(() => decodeSealedRequest(withByte(1, 2))).toThrow(expect.objectContaining({ fault: 'unknown_version' }));
    expect(() => decodeSealedRequest(withByte(0, 0))).toThrow(expect.objectContaining({ fault: 'not_this_kind' }));
    expect(() => decodeSealedRequest(withByte(2, 255))).toThrow(expect.objectContaining({ fault: 'malformed' }));
    expect(() => decodeStoredAnswer(bytes)).toThrow(expect.objectContaining({ fault: 'not_this_kind' }));
  });

  test('with something behind the fields of its head is refused', () => {
    const head = Buffer.from(encodeSealedRequestHead({ ...example, bodyBytes: null }));
    const longer = Buffer.concat([head, Uint8Array.of(0)]);
    longer.writeUInt32BE(head.readUInt32BE(2) + 1, 2);
    expect(decodeSealedRequest(head).body).toBeNull();
    expect(() => decodeSealedRequest(longer)).toThrow(expect.objectContaining({ fault: 'malformed' }));
  });

  test('with text that has no UTF-8 is not written', () => {
    expect(() => encodeSealedRequest({ ...example, url: 'a\ud800' })).toThrow(TypeError);
  });
});

describe('a stored answer', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), headers, fc.uint8Array(), (status, fields, body) => {
        const answer = decodeStoredAnswer(encodeStoredAnswer({ status, headers: fields, body }));
        expect({ ...answer, body: [...answer.body] }).toEqual({ status, headers: fields, body: [...body] });
      }),
    );
  });

  test('has a body of at most 1 MiB', () => {
    const answer = (length: number) => ({ status: 200, headers: [], body: new Uint8Array(length) });
    expect(STORED_ANSWER_BODY_BYTES_MAX).toBe(1_048_576);
    expect(decodeStoredAnswer(encodeStoredAnswer(answer(1_048_576))).body.length).toBe(1_048_576);
    expect(() => encodeStoredAnswer(answer(1_048_577))).toThrow(TypeError);
  });

  test.each([99, 600, 200.5, Number.NaN])('has no status %d', (status) => {
    expect(() => encodeStoredAnswer({ status, headers: [], body: new Uint8Array(0) })).toThrow(TypeError);
  });

  test('that is cut off is refused', () => {
    const bytes = encodeStoredAnswer({ status: 200, headers: [['a', 'b']], body: Uint8Array.of(1, 2) });
    for (let end = 0; end < bytes.length; end += 1) {
      expect(() => decodeStoredAnswer(bytes.subarray(0, end))).toThrow(StoredFormError);
    }
  });
});

describe('verifyStoredRequest', () => {
  const descriptor = describeCall(
    {
      tenant: 'default',
      agent: 'coder',
      action: { name: 'write', volatile: ['x-trace'] },
      method: 'POST',
      url: 'https://a.test/x?y=1',
      headers: [
        ['Content-Type', 'text/plain'],
        ['User-Agent', 'one'],
      ],
      body: Uint8Array.of(1, 2, 3),
    },
    { name: 'github', template: 'github@1', credential: 'github-token' },
  );
  const binding = { descriptor, fingerprint: fingerprint(descriptor) };
  const stored = {
    method: 'POST',
    url: 'https://a.test/x?y=1',
    headers: [
      ['Content-Type', 'text/plain'],
      ['User-Agent', 'one'],
      ['X-Trace', '7'],
    ] as [string, string][],
    bodyDigest: descriptor.body,
  };

  test('finds what was approved in what is stored', () => {
    expect(verifyStoredRequest(stored, binding)).toBe(true);
  });

  test('lets volatile headers differ', () => {
    expect(
      verifyStoredRequest(
        {
          ...stored,
          headers: [
            ['content-type', 'text/plain'],
            ['x-trace', '8'],
          ],
        },
        binding,
      ),
    ).toBe(true);
  });

  test.each([
    ['method', { method: 'PUT' }],
    ['URL', { url: 'https://a.test/x?y=2' }],
    ['spelling of the same URL', { url: 'https://A.test/x?y=1' }],
    ['header', { headers: [['content-type', 'text/html']] as [string, string][] }],
    ['header more', { headers: [...stored.headers, ['x-more', '1']] as [string, string][] }],
    ['body', { bodyDigest: `sha-256:${'0'.repeat(64)}` }],
    ['body, namely none', { bodyDigest: null }],
    ['digest that is none', { bodyDigest: 'md5:0' }],
    ['URL that is none', { url: 'nowhere' }],
  ])('refuses another %s', (_name, change) => {
    expect(verifyStoredRequest({ ...stored, ...change }, binding)).toBe(false);
  });

  test('refuses a descriptor that is not the approved one', () => {
    expect(verifyStoredRequest(stored, { ...binding, descriptor: { ...descriptor, agent: 'other' } })).toBe(false);
    expect(verifyStoredRequest(stored, { ...binding, descriptor: { ...descriptor, credential: 'other' } })).toBe(false);
    expect(verifyStoredRequest(stored, { ...binding, fingerprint: '' })).toBe(false);
  });

  test('knows tool calls and calls of no action too', () => {
    for (const change of [{ kind: 'tool' as const, tool: { name: 'x' } }, { action: null }]) {
      const other = describeCall(
        {
          tenant: 'default',
          agent: 'coder',
          action: { name: 'write' },
          method: 'POST',
          url: stored.url,
          headers: [],
          body: null,
          ...change,
        },
        { name: 'github' },
      );
      const request = { method: 'POST', url: stored.url, headers: [], bodyDigest: null };
      expect(verifyStoredRequest(request, { descriptor: other, fingerprint: fingerprint(other) })).toBe(true);
    }
  });
});
