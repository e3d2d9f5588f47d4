import { describe, expect, test } from 'vitest';
import { readerOf, toParameter } from './column-values.ts';

const INT8 = 20;

describe('parameters', () => {
  test.each([
    ['text', { type: 0, value: 'text' }],
    ['', { type: 0, value: '' }],
    [7, { type: INT8, value: '7' }],
    [-0, { type: INT8, value: '0' }],
    [Number.MAX_SAFE_INTEGER, { type: INT8, value: '9007199254740991' }],
    [0.5, { type: 701, value: '0.5' }],
    [7n, { type: INT8, value: '7' }],
    [true, { type: 0, value: '1' }],
    [false, { type: 0, value: '0' }],
    [null, { type: 0, value: null }],
    [undefined, { type: 0, value: null }],
    [new Uint8Array([1, 2]), { type: 17, value: Buffer.from([1, 2]) }],
  ])('%s is sent as what it is', (value, parameter) => {
    expect(toParameter(value)).toEqual(parameter);
  });

  test('of bytes that are part of more are those bytes alone', () => {
    const part = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    expect(toParameter(part).value).toEqual(Buffer.from([2, 3]));
  });

  test.each([[Number.NaN], [Number.POSITIVE_INFINITY], [{}], [[1]], [Symbol('x')], [new Date(0)]])(
    '%s is none that a column holds',
    (value) => {
      expect(() => toParameter(value)).toThrow(expect.objectContaining({ code: 'invalid' }));
    },
  );
});

describe('columns', () => {
  test.each([
    [INT8, '9007199254740991', 9_007_199_254_740_991],
    [INT8, '-5', -5],
    [23, '7', 7],
    [701, '0.1', 0.1],
    [16, 't', true],
    [16, 'f', false],
    [17, '\\x00ff', new Uint8Array([0, 255])],
    [17, '\\x', new Uint8Array()],
    [25, 'text', 'text'],
    [3802, '{"a": 1}', '{"a": 1}'],
  ])('type %i reads %s', (type, text, value) => {
    expect(readerOf(type)(text)).toEqual(value);
  });

  test.each([['9007199254740992'], ['-9007199254740992'], ['9223372036854775807']])(
    'the number %s is refused, for it would be read as another',
    (text) => {
      expect(() => readerOf(INT8)(text)).toThrow(expect.objectContaining({ code: 'invalid' }));
    },
  );

  test('bytes have memory of their own', () => {
    const bytes = readerOf(17)('\\x0102') as Uint8Array;
    expect([bytes.byteLength, bytes.buffer.byteLength]).toEqual([2, 2]);
  });
});
