import { createVault, generateMasterKey, parseKeyRing } from '@postern/vault';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHUNK_BYTES } from './chunk-cipher.ts';
import { openBytes, openStream, SealError, type Sealing, sealBytes, sealedReference, sealStream } from './seal.ts';

const vault = createVault({ keyRing: parseKeyRing(generateMasterKey()) });
const sealing: Sealing = { vault, reference: sealedReference('request', 'default', 'f00d') };
const bytesOf = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff);

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(Uint8Array.from(piece));
  return Buffer.concat(all);
}

const LENGTHS = [0, 1, 1_000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 17];

describe('sealing', () => {
  test.each(LENGTHS)('gives %i bytes back, in memory and in pieces, each opened by the other', async (length) => {
    const bytes = bytesOf(length);
    const whole = sealBytes(bytes, sealing);
    const streamed = await collect(sealStream(cut(bytes, 10_007), sealing));
    for (const sealed of [whole, streamed]) {
      expect(Buffer.compare(openBytes(sealed, sealing), bytes)).toBe(0);
      for (const size of [65_536, CHUNK_BYTES + 16, sealed.length]) {
        expect(Buffer.compare(await collect(openStream(cut(sealed, size), sealing)), bytes)).toBe(0);
      }
    }
  });

  test('opens what comes byte by byte', async () => {
    const sealed = sealBytes(bytesOf(100), sealing);
    expect(Buffer.compare(await collect(openStream(cut(sealed, 1), sealing)), bytesOf(100))).toBe(0);
  });

  test('gives pieces that a store takes: none empty, none above 262,160 bytes', async () => {
    for (const length of LENGTHS) {
      for await (const piece of sealStream([bytesOf(length)], sealing)) {
        expect(piece.length).toBeGreaterThan(0);
        expect(piece.length).toBeLessThanOrEqual(262_160);
      }
    }
  });

  test('copies what it is given, so that a buffer may be used again', async () => {
    const buffer = new Uint8Array(1_000);
    async function* reused() {
      for (let round = 0; round < 300; round += 1) {
        buffer.fill(round);
        yield buffer;
      }
    }
    const bytes = openBytes(await collect(sealStream(reused(), sealing)), sealing);
    for (let round = 0; round < 300; round += 1) {
      expect(bytes.subarray(round * 1_000, (round + 1) * 1_000).every((byte) => byte === (round & 0xff))).toBe(true);
    }
  });

  test('never gives the same bytes twice, and shows nothing of what is in them', () => {
    const bytes = new TextEncoder().encode('a body that nobody may read');
    const [one, other] = [Buffer.from(sealBytes(bytes, sealing)), Buffer.from(sealBytes(bytes, sealing))];
    expect(one.equals(other)).toBe(false);
    expect(one.includes(Buffer.from(bytes))).toBe(false);
  });
});

describe('what is not as it was sealed', () => {
  const bytes = bytesOf(2 * CHUNK_BYTES + 100);
  const sealed = sealBytes(bytes, sealing);
  const prefix = sealed.length - (bytes.length + 3 * 16);
  const frame = CHUNK_BYTES + 16;
  const part = (from: number, to: number) => sealed.subarray(from, to);
  const frameAt = (index: number) =>
    part(prefix + index * frame, Math.min(prefix + (index + 1) * frame, sealed.length));

  test.each([
    ['cut off within a chunk', part(0, sealed.length - 1)],
    ['cut off behind a chunk', part(0, prefix + 2 * frame)],
    ['cut off behind the first chunk', part(0, prefix + frame)],
    ['cut off within the key', part(0, prefix - 1)],
    ['the key alone', part(0, prefix)],
    ['nothing', new Uint8Array(0)],
    ['longer by a byte', Buffer.concat([sealed, Uint8Array.of(0)])],
    ['without its first chunk', Buffer.concat([part(0, prefix), frameAt(1), frameAt(2)])],
    ['with two chunks exchanged', Buffer.concat([part(0, prefix), frameAt(1), frameAt(0), frameAt(2)])],
    ['with a chunk twice', Buffer.concat([part(0, prefix), frameAt(0), frameAt(0), frameAt(1), frameAt(2)])],
    ['with the last chunk twice', Buffer.concat([sealed, frameAt(2)])],
    ['of another version', Buffer.concat([Uint8Array.of(2), sealed.subarray(1)])],
    ['with a key that would be endless', Buffer.concat([Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff), sealed.subarray(5)])],
  ])('does not open: %s', async (_name, broken) => {
    expect(() => openBytes(broken, sealing)).toThrow(SealError);
    await expect(collect(openStream(cut(broken, 50_000), sealing))).rejects.toThrow(SealError);
  });

  test('does not open with any bit changed', () => {
    const small = sealBytes(bytesOf(40), sealing);
    fc.assert(
      fc.property(fc.nat(small.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(small);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        // A JSON text can have another spelling of the same key; what is inside is the same then.
        let opened: Uint8Array | undefined;
        try {
          opened = openBytes(changed, sealing);
        } catch (error) {
          expect(error).toBeInstanceOf(SealError);
        }
        if (opened !== undefined) expect(Buffer.compare(opened, bytesOf(40))).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['another tenant', { vault, reference: sealedReference('request', 'other', 'f00d') }],
    ['another call', { vault, reference: sealedReference('request', 'default', 'beef') }],
    ['another kind', { vault, reference: sealedReference('answer', 'default', 'f00d') }],
    ['another master key', { ...sealing, vault: createVault({ keyRing: parseKeyRing(generateMasterKey()) }) }],
  ])('does not open for %s', async (_name, other) => {
    expect(() => openBytes(sealed, other)).toThrow(expect.objectContaining({ fault: 'not_sealed_here' }));
    await expect(collect(openStream(cut(sealed, 50_000), other))).rejects.toThrow(SealError);
  });

  test('gives nothing of a chunk that is broken', async () => {
    const changed = Uint8Array.from(sealed);
    changed[prefix + frame + 5] = (changed[prefix + frame + 5] ?? 0) ^ 1;
    const given: Uint8Array[] = [];
    const read = async () => {
      for await (const piece of openStream(cut(changed, 100_000), sealing)) given.push(piece);
    };
    await expect(read()).rejects.toThrow(SealError);
    expect(Buffer.compare(Buffer.concat(given), bytes.subarray(0, CHUNK_BYTES))).toBe(0);
  });

  test('shows nothing of a secret’s place: references of stored things are no names of secrets', () => {
    expect(sealedReference('answer', 'default', 'x').name).toBe('answer:x');
    expect(sealedReference('answer', 'default', 'x').name).not.toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
  });
});
