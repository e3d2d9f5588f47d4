import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPrefer } from './read-prefer.ts';

describe('readPrefer', () => {
  test.each([
    ['wait=10', 10, false, []],
    ['Wait = "10"', 10, false, []],
    ['wait=0', 0, false, []],
    ['wait=300', 300, false, []],
    ['wait=301', 300, false, []],
    ['wait=9999999999', 300, false, []],
    ['wait=99999999999', undefined, false, []],
    ['wait', undefined, false, []],
    ['wait=-1', undefined, false, []],
    ['wait=1.5', undefined, false, []],
    ['wait=ten', undefined, false, []],
    ['wait=10;x=y', 10, false, []],
    ['wait=10, wait=20', 10, false, []],
    ['wait=x, wait=20', undefined, false, []],
    ['respond-async', undefined, true, []],
    ['RESPOND-ASYNC, wait=5', 5, true, []],
    ['respond-async;a=b', undefined, true, []],
    ['return=minimal', undefined, false, ['return=minimal']],
    ['return=representation, wait=5, handling=lenient', 5, false, ['return=representation', 'handling=lenient']],
    ['x="a, wait=5"', undefined, false, ['x="a, wait=5"']],
    ['x="a\\", wait=5"', undefined, false, ['x="a\\", wait=5"']],
    ['waiting=5', undefined, false, ['waiting=5']],
    ['', undefined, false, []],
    [' , ,', undefined, false, []],
  ])('of %j', (value, waitSeconds, respondAsync, forwarded) => {
    expect(readPrefer(value)).toEqual({ waitSeconds, respondAsync, forwarded });
    expect(readPrefer([value])).toEqual({ waitSeconds, respondAsync, forwarded });
  });

  test('reads several field lines as one', () => {
    expect(readPrefer(['return=minimal', 'respond-async, wait=7', 'wait=9'])).toEqual({
      waitSeconds: 7,
      respondAsync: true,
      forwarded: ['return=minimal'],
    });
  });

  test('forwards none of its own, and keeps to its bounds, whatever comes', () => {
    const piece = fc.constantFrom('wait', '=', '5', '"', '\\', ',', ';', ' ', 'respond-async', 'x');
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join('')),
        (value) => {
          const { waitSeconds, forwarded } = readPrefer(value);
          expect(waitSeconds === undefined || (waitSeconds >= 0 && waitSeconds <= 300)).toBe(true);
          expect(readPrefer(forwarded)).toEqual({ waitSeconds: undefined, respondAsync: false, forwarded });
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
