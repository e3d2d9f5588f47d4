import { describe, expect, test } from 'vitest';
import { type Arrival, createArrivalHosts, createOwnAddressHosts, hostOfAuthority } from './arrival-hosts.ts';

describe('the hosts a listener answers for', () => {
  const answersFor = createArrivalHosts({ publicHost: () => 'gateway.example.com', suffix: 'to.localhost' });

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
    expect(answersFor(authority)).toEqual({ kind: 'gateway' });
    expect(answersFor(authority)).toEqual({ kind: 'gateway' });
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
    expect(answersFor(authority)).toBeUndefined();
    expect(answersFor(authority)).toBeUndefined();
  });

  test('a name that was asked for before the public URL was known is answered for once it is', () => {
    let publicHost: string | undefined;
    const answers = createArrivalHosts({ publicHost: () => publicHost, suffix: 'to.localhost' });
    expect(answers('gateway.test')).toBeUndefined();
    publicHost = 'gateway.test';
    expect(answers('gateway.test')).toEqual({ kind: 'gateway' });
  });

  test('callers cannot fill the memory so that answers change', () => {
    const answers = createArrivalHosts({ publicHost: () => 'gateway.test', suffix: 'to.localhost' });
    for (let port = 0; port < 1_000; port += 1) expect(answers(`localhost:${port}`)?.kind).toBe('gateway');
    for (let number = 0; number < 1_000; number += 1) expect(answers(`evil-${number}.test`)).toBeUndefined();
    expect(answers('gateway.test:1')?.kind).toBe('gateway');
    expect(answers('localhost:1001')?.kind).toBe('gateway');
    expect(answers('api.to.localhost')).toMatchObject({ kind: 'host', integration: 'api' });
  });
});

describe('the hosts under the suffix', () => {
  const answersFor = createArrivalHosts({ publicHost: () => 'gw.to.example.com', suffix: 'to.example.com' });

  test.each([
    ['github.to.example.com', 'github'],
    ['github.to.example.com:8080', 'github'],
    ['github.to.example.com:99999', 'github'],
    ['github.to.example.com.', 'github'],
    ['github.to.example.com.:443', 'github'],
    ['GitHub.TO.Example.com', 'GitHub'],
    ['a.b.to.example.com', 'a.b'],
    ['a_b-c.to.example.com', 'a_b-c'],
    ['1.to.example.com', '1'],
    ['to.example.com.to.example.com', 'to.example.com'],
    ['127.0.0.1.to.example.com', '127.0.0.1'],
  ])('%s means the integration %s', (authority, integration) => {
    expect(answersFor(authority)).toMatchObject({ kind: 'host', integration });
    expect(answersFor(authority)).toMatchObject({ kind: 'host', integration });
  });

  test.each(['to.example.com', 'TO.example.com:80', 'to.example.com.', 'gw.to.example.com'])(
    '%s is the gateway',
    (host) => {
      expect(answersFor(host)).toEqual({ kind: 'gateway' });
    },
  );

  test.each([
    '.to.example.com',
    '-a.to.example.com',
    '..to.example.com',
    'githubto.example.com',
    'github.to.example.com..',
    'github.to.example.com.evil.test',
    'github.xto.example.com',
    'to.example.com.evil.test',
    'example.com',
    'github.to.localhost',
    `${'a'.repeat(65)}.to.example.com`,
    'git hub.to.example.com',
    'git/hub.to.example.com',
    'a@github.to.example.com',
    'github.to.example.com:',
    'github.to.example.com:http',
    '[github.to.example.com]',
    'gïthub.to.example.com',
  ])('%s is not answered for', (authority) => {
    expect(answersFor(authority)).toBeUndefined();
  });

  test.each([
    ['http://127.0.0.1:8080', 'http://github.to.example.com:8080'],
    ['https://gateway.test', 'https://github.to.example.com'],
    ['https://gateway.test:8443/below', 'https://github.to.example.com:8443'],
    ['http://[::1]:80', 'http://github.to.example.com'],
  ])('beside the public URL %s links begin with %s', (publicUrl, base) => {
    const arrival = answersFor('GitHub.to.example.com.:1');
    expect(arrival?.kind === 'host' && arrival.baseUrl('http://127.0.0.1:1')).toBe('http://github.to.example.com:1');
    expect(arrival?.kind === 'host' && arrival.baseUrl(publicUrl)).toBe(base);
  });
});

describe('an own address', () => {
  const arrival: Arrival = { kind: 'own', tenant: 'default', integration: 'api', baseUrl: 'http://127.0.0.1:1' };
  const answersFor = createOwnAddressHosts(arrival);

  test.each(['localhost', '127.0.0.1:8101', 'api.stripe.com', '[::1]', 'github.to.localhost', 'evil.test:1'])(
    'is reached by %s',
    (authority) => {
      expect(answersFor(authority)).toBe(arrival);
    },
  );

  test.each(['', ':80', 'a b', 'a@b', 'a/b', 'a,b', 'a:b'])('is not by %j, which is no authority', (authority) => {
    expect(answersFor(authority)).toBeUndefined();
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
