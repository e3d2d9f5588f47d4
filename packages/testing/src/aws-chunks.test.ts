import { expect, test } from 'vitest';
import { crc32Base64, readAwsChunks } from './aws-chunks.ts';

const read = (text: string) => readAwsChunks(Buffer.from(text, 'latin1'));

test('chunks are put together, trailers told', () => {
  expect(read('5\r\nhello\r\n2\r\n w\r\n0\r\nx-amz-checksum-crc32:AAAA==\r\n\r\n')).toEqual({
    content: Buffer.from('hello w'),
    trailers: { 'x-amz-checksum-crc32': 'AAAA==' },
  });
  expect(read('0\r\n\r\n')).toEqual({ content: Buffer.alloc(0), trailers: {} });
});

test.each([
  ['plain text', 'hello'],
  ['a size that is none', 'x\r\nhello\r\n0\r\n\r\n'],
  ['a chunk longer than its size', '4\r\nhello\r\n0\r\n\r\n'],
  ['a chunk shorter than its size', '6\r\nhello\r\n0\r\n\r\n'],
  ['no last chunk', '5\r\nhello\r\n'],
  ['no end', '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA=='],
])('%s is in no such form', (_what, text) => {
  expect(read(text)).toBeUndefined();
});

test('the checksum is the one of AWS', () => {
  // ISO 3309, the check value of "123456789": cbf43926.
  expect(crc32Base64(Buffer.from('123456789'))).toBe(Buffer.from('cbf43926', 'hex').toString('base64'));
});
