import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFormBody } from './read-form-body.ts';

const read = (text: string) => readFormBody(new TextEncoder().encode(text));

describe('a form body', () => {
  it.each<[text: string, value: object]>([
    ['', {}],
    ['a=1&b=two+words', { a: '1', b: 'two words' }],
    ['a=1&a=2&a=3', { a: ['1', '2', '3'] }],
    ['a=1&%61=2', { a: ['1', '2'] }],
    ['a=&b&=c&&', { a: '', b: '', '': 'c' }],
    ['a=b=c', { a: 'b=c' }],
    ['a%3Db=%26', { 'a=b': '&' }],
    ['a[b]=1&a.b=2', { 'a[b]': '1', 'a.b': '2' }],
    ['name=%C3%A9%F0%9F%98%80', { name: 'é😀' }],
    ['a=%2B+%20', { a: '+  ' }],
    ['__proto__=1&constructor=2', JSON.parse('{"__proto__":"1","constructor":"2"}')],
  ])('%s', (text, value) => {
    expect({ ...read(text) }).toEqual(value);
  });

  it.each(['a=%', 'a=%4', 'a=%zz', 'a=%C3', 'a=%FF', 'a=%C0%80', '%=a', 'a=1;a=2', ';'])('is refused: %s', (text) => {
    expect(() => read(text)).toThrow(TypeError);
  });

  it('is refused when it is not UTF-8', () => {
    expect(() => readFormBody(Uint8Array.of(0x61, 0x3d, 0xe9))).toThrow(TypeError);
    expect(() => readFormBody(Uint8Array.of(0x61, 0x3d, 0xed, 0xa0, 0x80))).toThrow(TypeError);
  });

  it('has no members of its own making', () => {
    expect('toString' in read('a=1')).toBe(false);
  });

  it('is what URLSearchParams writes and reads', () => {
    const pairs = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })));
    fc.assert(
      fc.property(pairs, (written) => {
        const params = new URLSearchParams(written);
        const form = read(params.toString());
        for (const name of params.keys()) {
          const values = params.getAll(name);
          expect(form[name]).toEqual(values.length === 1 ? values[0] : values);
        }
      }),
    );
  });
});
