import { describe, expect, test } from 'vitest';
import { createArrivalHosts, hostOfAuthority } from './arrival-hosts.ts';

describe('the hosts a listener answers for', () => {
  const answersFor = createArrivalHosts(() => 'gateway.example.com');

  test.each([
    'localhost',
    'LOCALHOST:8080',
    '127.0.0.1',
    '127.0.0.1:80',
    '8.8.8.8',
    '[::1]',
    '[::1]:8080',
    '[2001:DB8::1]',
    'gateway.example.com',
    'Gateway.Example.COM:443',
  ])('%s is answered for', (authority) => {
    expect(answersFor(authority)).toBe(true);
    expect(answersFor(authority)).toBe(true);
  });

  test.each([
    '',
    ' ',
    ':80',
    'evil.test',
    'localhost.',
    'localhost.evil.test',
    'gateway.example.com.',
    'gateway.example.com.evil.test',
    'agateway.example.com',
    'localhost@evil.test',
    'localhost,evil.test',
    'localhost evil.test',
    'localhost/evil',
    'localhost:80:80',
    'localhost:port',
    'localhost:',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.0.0.1.evil.test',
    '::1',
    '[::1',
    '[::1%25eth0]',
    '[localhost]',
    'ｌocalhost',
    'localhost\n',
  ])('%j is not', (authority) => {
    expect(answersFor(authority)).toBe(false);
    expect(answersFor(authority)).toBe(false);
  });

  test('a name that was asked for before the public URL was known is answered for once it is', () => {
    let publicHost: string | undefined;
    const answers = createArrivalHosts(() => publicHost);
    expect(answers('gateway.test')).toBe(false);
    publicHost = 'gateway.test';
    expect(answers('gateway.test')).toBe(true);
  });

  test('callers cannot fill the memory so that answers change', () => {
    const answers = createArrivalHosts(() => 'gateway.test');
    for (let port = 0; port < 1_000; port += 1) expect(answers(`localhost:${port}`)).toBe(true);
    for (let number = 0; number < 1_000; number += 1) expect(answers(`evil-${number}.test`)).toBe(false);
    expect(answers('gateway.test:1')).toBe(true);
    expect(answers('localhost:1001')).toBe(true);
  });
});

test.each([
  ['Example.TEST:80', 'example.test'],
  ['[::A]:1', '::a'],
  ['a_b', 'a_b'],
  ['a:b', undefined],
  ['a:123456', undefined],
  ['[a]', 'a'],
  ['', undefined],
])('the host of %j is %j', (authority, host) => {
  expect(hostOfAuthority(authority)).toBe(host);
});
