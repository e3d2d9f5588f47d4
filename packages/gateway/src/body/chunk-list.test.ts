import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkList } from './chunk-list.ts';

/** Sizes around the ones at which something else is done. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom(1, 2_047, 2_048, 2_049, 16_383, 16_384, 16_385),
  fc.integer({ min: 0, max: 40_000 }),
);

describe('a list of chunks', () => {
  test('gives every byte in order, whatever the sizes', () => {
    fc.assert(
      fc.property(fc.array(size, { maxLength: 60 }), fc.nat(60), (sizes, drainedAt) => {
        const chunks = sizes.map((length, index) => Buffer.alloc(length, index + 1));
        const list = new ChunkList();
        const given: Uint8Array[] = [];
        chunks.forEach((chunk, index) => {
          list.add(chunk);
          // What was given is not written to again.
          if (index === drainedAt) given.push(...list.drain());
        });
        const rest = list.byteLength;
        given.push(list.concat());
        expect(given.at(-1)?.byteLength).toBe(rest);
        expect(Buffer.concat(given).equals(Buffer.concat(chunks))).toBe(true);
      }),
    );
  });

  test('keeps what it was given, though the giver goes on using its own memory', () => {
    const list = new ChunkList();
    list.add(Buffer.from('first'));
    const own = Buffer.from('second');
    list.add(own);
    own.fill(0);
    expect(Buffer.from(list.concat()).toString()).toBe('firstsecond');
  });

  test('holds many small pieces in few', () => {
    const list = new ChunkList();
    for (let count = 0; count < 100_000; count += 1) list.add(Buffer.from([count & 0xff]));
    expect(list.drain().length).toBeLessThan(10);
  });

  test('gives the only piece as it came, without a copy', () => {
    const list = new ChunkList();
    const only = Buffer.from('only');
    list.add(only);
    expect(list.concat()).toBe(only);
  });
});
