import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeEntryId, seqOfEntryId } from './entry-id.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SEQ_MAX = 2 ** 40 - 1;

describe('the id of an entry', () => {
  test('is a UUIDv7 that holds the time and the place in the log', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 48 - 1), fc.nat(SEQ_MAX), (at, seq) => {
        const id = makeEntryId(at, seq);
        expect(id).toMatch(UUID_V7);
        expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toBe(at);
        expect(seqOfEntryId(id)).toBe(seq);
      }),
    );
  });

  test('is another one each time, also for one time and place', () => {
    const ids = Array.from({ length: 5_000 }, () => makeEntryId(1_767_225_600_000, 7));
    expect(new Set(ids).size).toBe(5_000);
  });

  test('reaches to 2^40 - 1, and no further', () => {
    expect(seqOfEntryId(makeEntryId(0, SEQ_MAX))).toBe(SEQ_MAX);
    expect(() => makeEntryId(0, SEQ_MAX + 1)).toThrow(RangeError);
  });

  test.each([
    '',
    '0',
    '01890a5d-ac96-474b-8cce-b302099a8057',
    '01890a5d-ac96-774b-ccce-b302099a8057',
    '01890A5D-AC96-774B-8CCE-B302099A8057',
    '01890a5d-ac96-774b-8cce-b302099a80570',
  ])('%j is no such id', (text) => {
    expect(seqOfEntryId(text)).toBeUndefined();
  });
});
