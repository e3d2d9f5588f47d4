import type { NotificationEndpoint } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { checkNotification } from './check-notifications.ts';

const check = async (url: string, unsafeAllowAddresses?: readonly string[]) => {
  const endpoint: NotificationEndpoint = {
    url,
    secret: 'webhook-secret',
    events: ['approval.created'],
    ...(unsafeAllowAddresses === undefined ? {} : { unsafeAllowAddresses: [...unsafeAllowAddresses] }),
  };
  const checked = await checkNotification(endpoint);
  return checked.issues[0]?.message ?? checked.endpoint.url;
};

describe('the URL of an endpoint', () => {
  test.each([
    ['https://hooks.example.com/postern', 'https://hooks.example.com/postern'],
    ['https://HOOKS.example.com:443', 'https://hooks.example.com/'],
    ['https://hooks.example.com/a/', 'https://hooks.example.com/a/'],
    ['https://hooks.example.com/a/../b?token=x', 'https://hooks.example.com/b?token=x'],
    ['https://münchen.example/', 'https://xn--mnchen-3ya.example/'],
    ['https://93.184.216.34/', 'https://93.184.216.34/'],
  ])('%s is taken as %s', async (url, canonical) => {
    expect(await check(url)).toBe(canonical);
  });

  test.each([
    ['https://user:password@hooks.example.com/', 'must not hold a user name'],
    ['https://hooks.example.com/#part', 'must not hold a fragment'],
    ['https://hooks.example.com/a b', 'raw space'],
    ['http://hooks.example.com/', 'must be https'],
    ['https://10.0.0.1/', 'the address is private'],
    ['https://127.0.0.1/', 'the address is loopback'],
    ['https://0x7f.1/', 'the address is loopback'],
    ['https://[::1]/', 'the address is loopback'],
    ['https://[::ffff:10.0.0.1]/', 'the address is private'],
    ['https://169.254.169.254/', 'metadata'],
  ])('%s is refused: %s', async (url, message) => {
    expect(await check(url)).toContain(message);
  });

  test('may lie where unsafeAllowAddresses says, in clear too, and nowhere else', async () => {
    expect(await check('http://10.0.0.1/hook', ['10.0.0.0/8'])).toBe('http://10.0.0.1/hook');
    expect(await check('http://hooks.internal/', ['10.0.0.0/8'])).toBe('http://hooks.internal/');
    expect(await check('https://10.0.0.1/', ['10.0.0.0/8'])).toBe('https://10.0.0.1/');
    expect(await check('https://11.0.0.1/', ['10.0.0.0/8'])).toBe('https://11.0.0.1/');
    expect(await check('http://93.184.216.34/', ['10.0.0.0/8'])).toContain('must be https');
    expect(await check('https://192.168.0.1/', ['10.0.0.0/8'])).toContain('does not cover it');
    expect(await check('https://169.254.169.254/', ['0.0.0.0/0'])).toContain('metadata');
    expect(await check('https://hooks.example.com/', ['10.0.0.1/8'])).toContain('is not a CIDR');
  });
});
