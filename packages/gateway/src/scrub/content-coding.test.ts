import { describe, expect, test } from 'vitest';
import { contentCoding, narrowAcceptEncoding } from './content-coding.ts';

describe('the coding of an answer', () => {
  test.each([
    [[], 'identity'],
    [['content-type', 'text/plain'], 'identity'],
    [['content-encoding', ''], 'identity'],
    [['content-encoding', 'identity'], 'identity'],
    [['Content-Encoding', 'gzip'], 'gzip'],
    [['content-encoding', ' GZIP '], 'gzip'],
    [['content-encoding', 'x-gzip'], 'gzip'],
    [['content-encoding', 'deflate'], 'deflate'],
    [['content-encoding', 'br'], 'br'],
    [['content-encoding', 'zstd'], 'zstd'],
    [['content-encoding', 'identity, gzip,'], 'gzip'],
    [['content-encoding', 'gzip, gzip'], 'unknown'],
    [['content-encoding', 'gzip', 'content-encoding', 'gzip'], 'unknown'],
    [['content-encoding', 'identity', 'CONTENT-ENCODING', 'br'], 'br'],
    [['content-encoding', 'compress'], 'unknown'],
    [['content-encoding', 'gzip;q=1'], 'unknown'],
    [['content-encoding', 'constructor'], 'unknown'],
    [['content-encoding', 'dcz'], 'unknown'],
    [['transfer-encoding', 'chunked'], 'identity'],
    [['transfer-encoding', ' Chunked'], 'identity'],
    [['transfer-encoding', 'gzip, chunked'], 'unknown'],
    [['transfer-encoding', 'gzip'], 'unknown'],
    [['transfer-encoding', 'chunked', 'content-encoding', 'gzip'], 'gzip'],
  ])('%j: %s', (headers, coding) => {
    expect(contentCoding(headers)).toBe(coding);
  });
});

describe('what is asked for', () => {
  test.each([
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'gzip, deflate, br, zstd'],
    ['gzip;q=1.0, identity; q=0.5, *;q=0', 'gzip;q=1.0, identity; q=0.5, deflate;q=0, br;q=0, zstd;q=0'],
    ['compress, gzip', 'gzip'],
    ['*', 'gzip, deflate, br, zstd'],
    ['x-gzip', 'x-gzip'],
    ['exi', 'identity'],
    ['', 'identity'],
    ['constructor', 'identity'],
  ])('of %j: %j', (given, expected) => {
    const headers = ['accept', '*/*', 'Accept-Encoding', given, 'x-other', 'compress'];
    narrowAcceptEncoding(headers);
    expect(headers).toEqual(['accept', '*/*', 'Accept-Encoding', expected, 'x-other', 'compress']);
  });

  test('nothing is added where nothing was said', () => {
    const headers = ['accept', '*/*'];
    narrowAcceptEncoding(headers);
    expect(headers).toEqual(['accept', '*/*']);
  });
});
