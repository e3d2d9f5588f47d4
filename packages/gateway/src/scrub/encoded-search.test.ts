import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EchoMatcher } from './echo-matcher.ts';
import { EncodedSearch, type EncodedSearchOptions, type SearchFault } from './encoded-search.ts';

const SECRET = 'tok-3a7c5e9f1b2d4680';
const matcher = EchoMatcher.compile([SECRET]) as EchoMatcher;

type Coding = EncodedSearchOptions['coding'];

/** One search, and what its owner has heard. */
function startSearch(coding: Coding, decodedBytesMax = 10_000_000) {
  const over = Promise.withResolvers<SearchFault | 'searched'>();
  const passed: Uint8Array[] = [];
  let changed = Promise.withResolvers<void>();
  let readies = 0;
  const search = new EncodedSearch(
    { matcher, coding, decodedBytesMax },
    {
      onPassed: (chunk) => {
        passed.push(chunk);
        changed.resolve();
        changed = Promise.withResolvers();
      },
      onReady: () => {
        readies += 1;
      },
      onSearched: () => over.resolve('searched'),
      onFault: over.resolve,
    },
  );
  return {
    search,
    passed: () => Buffer.concat(passed),
    passedAll: async (length: number) => {
      while (Buffer.concat(passed).length < length) await changed.promise;
    },
    readies: () => readies,
    over: over.promise,
  };
}

async function outcomeOf(coding: Coding, pieces: readonly Uint8Array[], decodedBytesMax?: number) {
  const { search, over, passed } = startSearch(coding, decodedBytesMax);
  for (const piece of pieces) search.push(piece);
  search.end();
  return { outcome: await over, passed: passed() };
}

const codings: [string, Coding, (bytes: Uint8Array | string) => Buffer][] = [
  ['gzip', 'gzip', gzipSync],
  ['deflate', 'deflate', deflateSync],
  ['raw deflate', 'deflate', deflateRawSync],
  ['br', 'br', brotliCompressSync],
  ['zstd', 'zstd', zstdCompressSync],
];

describe.each(codings)('%s', (_name, coding, encode) => {
  test('what holds no echo passes, however it is cut', async () => {
    const text = fc.string({ maxLength: 300 }).filter((each) => !each.includes(SECRET));
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(), { maxLength: 5 }), async (plain, cuts) => {
        const encoded = encode(plain);
        const places = [...new Set(cuts.map((cut) => cut % encoded.length))].sort((a, b) => a - b);
        const pieces = [0, ...places].map((place, index) => encoded.subarray(place, places[index]));
        expect(await outcomeOf(coding, pieces)).toEqual({ outcome: 'searched', passed: encoded });
      }),
      { numRuns: 40 },
    );
  });

  test('an echo is found however it is cut, and no piece that holds its end is passed', async () => {
    const encoded = encode(`${'a'.repeat(50)}${SECRET}${'b'.repeat(50)}`);
    for (let place = 0; place < encoded.length; place += 1) {
      const { outcome } = await outcomeOf(coding, [encoded.subarray(0, place), encoded.subarray(place)]);
      expect(outcome).toBe('echo');
    }
    const bytewise = await outcomeOf(
      coding,
      [...encoded].map((byte) => Uint8Array.of(byte)),
    );
    expect(bytewise.outcome).toBe('echo');
    expect(bytewise.passed.length).toBeLessThan(encoded.length);
  });

  test('what is cut short, goes on, or is something else is not readable', async () => {
    const encoded = encode('the small guarded gate '.repeat(40));
    for (const bytes of [
      encoded.subarray(0, encoded.length - 1),
      Buffer.concat([encoded, Buffer.from('and more')]),
      Buffer.from('plain text under a wrong label'),
      randomBytes(100).fill(0xee, 0, 4),
    ]) {
      const { outcome, passed } = await outcomeOf(coding, [bytes]);
      expect(outcome).toBe('unreadable');
      expect(passed).toHaveLength(0);
    }
  });

  test('more than may be unfolded is not', async () => {
    expect((await outcomeOf(coding, [encode(Buffer.alloc(500_000))], 500_000)).outcome).toBe('searched');
    expect((await outcomeOf(coding, [encode(Buffer.alloc(500_001))], 500_000)).outcome).toBe('too_large');
  });

  test('no bytes at all are sound', async () => {
    expect(await outcomeOf(coding, [])).toEqual({ outcome: 'searched', passed: Buffer.alloc(0) });
    expect(await outcomeOf(coding, [Buffer.alloc(0)])).toEqual({ outcome: 'searched', passed: Buffer.alloc(0) });
  });
});

const encoders = [
  ['gzip', () => createGzip(), constants.Z_SYNC_FLUSH],
  ['deflate', () => createDeflate(), constants.Z_SYNC_FLUSH],
  ['br', () => createBrotliCompress(), constants.BROTLI_OPERATION_FLUSH],
  ['zstd', () => createZstdCompress(), constants.ZSTD_e_flush],
] as const;

test.each(encoders)(
  '%s: a flushed event passes before the next is there, unless its end could begin an echo',
  async (coding, create, kind) => {
    const encoder = create();
    const flushed = async (text: string) => {
      encoder.write(text);
      await new Promise<void>((resolve) => encoder.flush(kind, resolve));
      return encoder.read() as Buffer;
    };
    const { search, passed, passedAll, over } = startSearch(coding);
    let length = 0;
    for (const event of ['data: 1\n\n', 'data: 2\n\n', 'data: tok-3a7c\n\n']) {
      const bytes = await flushed(event);
      search.push(bytes);
      length += bytes.length;
      await passedAll(length);
    }
    const [begun, ended, last] = [
      await flushed('data: tok-3a'),
      await flushed('7c\n\n'),
      await flushed('data: tok-3a'),
    ];
    search.push(begun);
    search.push(ended);
    await passedAll(length + begun.length + ended.length);
    search.push(last);
    search.push(await flushed('7c5e9f1b2d4680'));
    expect(await over).toBe('echo');
    expect(passed()).toHaveLength(length + begun.length + ended.length);
  },
);

test('the queue asks for a pause, and says when it may go on', async () => {
  const { search, over, readies } = startSearch('gzip');
  const encoded = gzipSync(randomBytes(1_000_000));
  let pauses = 0;
  for (let at = 0; at < encoded.length; at += 65_536) {
    if (!search.push(encoded.subarray(at, at + 65_536))) pauses += 1;
  }
  search.end();
  expect(await over).toBe('searched');
  expect(pauses).toBeGreaterThan(0);
  expect(readies()).toBe(1);
});

test('bytes that unfold to nothing are not collected for ever behind what could begin an echo', async () => {
  const { search, over } = startSearch('gzip', 10_000_000);
  search.push(gzipSync('tok-3a'));
  const nothing = Buffer.concat(Array.from({ length: 3_000 }, () => gzipSync('')));
  for (let i = 0; i < 20; i += 1) search.push(nothing);
  expect(await over).toBe('unreadable');
});

test('what is closed says nothing more', async () => {
  const { search, passed } = startSearch('gzip');
  const encoder = createGzip();
  encoder.end('x'.repeat(100_000));
  const [encoded] = (await once(encoder, 'data')) as [Buffer];
  search.push(encoded);
  search.close();
  search.push(encoded);
  search.end();
  await new Promise((resolve) => setImmediate(resolve));
  await gzipIsIdle();
  expect(passed()).toHaveLength(0);
});

/** The workers of zlib have done what was asked before. */
function gzipIsIdle(): Promise<unknown> {
  const encoder = createGzip();
  encoder.end('x');
  return encoder.resume() && once(encoder, 'end');
}
