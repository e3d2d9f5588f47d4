import { expect, test } from 'vitest';
import { formatListenAddress, listenAddressSchema, parseListenAddress } from './listen-address.ts';

test.each([
  ['127.0.0.1:8101', '127.0.0.1', 8101, '127.0.0.1:8101'],
  ['127.0.0.1:0', '127.0.0.1', 0, '127.0.0.1:0'],
  ['0.0.0.0:65535', '0.0.0.0', 65_535, '0.0.0.0:65535'],
  ['localhost:80', '127.0.0.1', 80, '127.0.0.1:80'],
  ['[::1]:0', '::1', 0, '[::1]:0'],
  ['[::]:8101', '::', 8101, '[::]:8101'],
  ['[FD00::1]:1', 'FD00::1', 1, '[FD00::1]:1'],
])('%s is an address to listen on', (text, address, port, written) => {
  const parsed = parseListenAddress(text);
  expect(parsed).toEqual({ address, port });
  expect(parsed && formatListenAddress(parsed)).toBe(written);
  expect(listenAddressSchema.safeParse(text).success).toBe(true);
});

test.each([
  '',
  '8101',
  ':8101',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:65536',
  '127.0.0.1:-1',
  '127.0.0.1:8101 ',
  '127.1:8101',
  '256.0.0.1:80',
  '0x7f.0.0.1:80',
  'example.com:80',
  '*:80',
  '::1:80',
  '[::1]',
  '[::g]:80',
  '[127.0.0.1]:80',
  '[::1%lo]:80',
  'http://127.0.0.1:80',
  'unix:/tmp/socket',
])('%j is none', (text) => {
  expect(parseListenAddress(text)).toBeUndefined();
  expect(listenAddressSchema.safeParse(text).success).toBe(false);
});
