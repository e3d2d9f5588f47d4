import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createCertificateAuthority, type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Environment, EnvironmentError } from './environment.ts';
import { readSettings, type Settings } from './settings.ts';

let folder: TemporaryFolder;
const file = (name: string) => path.join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder();
  const authority = createCertificateAuthority();
  const { cert, key } = authority.issue(['127.0.0.1']);
  const other = authority.issue(['127.0.0.1']);
  const files = { cert, key, 'other-key': other.key, ca: authority.cert, noise: 'noise\n', 'master-key': 'k1:AAAA\n' };
  for (const [name, text] of Object.entries(files)) writeFileSync(file(name), text);
});

afterAll(async () => {
  await folder?.remove();
});

test('nothing set means loopback, a folder here, and nothing unsafe', () => {
  expect(readSettings({})).toMatchObject({
    dataFolder: path.resolve('.postern'),
    data: { bind: { address: '127.0.0.1', port: 8080 }, tls: undefined, publicUrl: undefined },
    admin: { bind: { address: '127.0.0.1', port: 8081 }, tls: undefined, publicUrl: undefined },
    trustedProxies: [],
    database: { kind: 'sqlite', file: path.resolve('.postern/postern.db') },
    redisUrl: undefined,
    masterKey: undefined,
    adminToken: undefined,
    configFile: undefined,
    environment: undefined,
    dnsServers: undefined,
    unsafeAllowAddresses: undefined,
    logLevel: 'info',
    logFormat: undefined,
  } satisfies Partial<Settings>);
});

test('an empty variable is one that is not set, but for the one that says there is no file', () => {
  const names = [
    'DATA_DIR',
    'LISTEN',
    'PUBLIC_URL',
    'TRUSTED_PROXIES',
    'DATABASE_URL',
    'MASTER_KEY',
    'DNS_SERVERS',
    'LOG_LEVEL',
  ];
  const empty = Object.fromEntries(names.map((name) => [`POSTERN_${name}`, '']));
  expect(readSettings(empty)).toEqual(readSettings({}));
  expect(readSettings({ POSTERN_CONFIG: '' }).configFile).toBe('');
});

describe.each(['POSTERN_LISTEN', 'POSTERN_ADMIN_LISTEN'] as const)('%s', (name) => {
  const bindOf = (value: string, others: Environment = {}) => {
    const settings = readSettings({ [name]: value, ...others });
    return (name === 'POSTERN_LISTEN' ? settings.data : settings.admin).bind;
  };

  test.each([
    ['127.0.0.1:0', { address: '127.0.0.1', port: 0 }],
    ['127.0.0.1:65535', { address: '127.0.0.1', port: 65_535 }],
    ['127.8.9.10:1', { address: '127.8.9.10', port: 1 }],
    ['[::1]:8080', { address: '::1', port: 8080 }],
    ['localhost:8080', { address: '127.0.0.1', port: 8080 }],
  ])('takes %s', (value, expected) => {
    expect(bindOf(value)).toEqual(expected);
  });

  test.each([
    '8080',
    ':8080',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    '127.0.0.1:-1',
    '::1:8080',
    '[::1]',
    'example.com:80',
    '127.0.0.1:80 ',
    '127.1:80',
    '0x7f.1:80',
  ])('refuses %j and says what would be right', (value) => {
    expect(() => bindOf(value)).toThrow(EnvironmentError);
    expect(() => bindOf(value)).toThrow(new RegExp(`^${name}: .*127\\.0\\.0\\.1:8080`));
  });

  test.each(['0.0.0.0:80', '[::]:80', '10.0.0.1:80', '128.0.0.1:80', '[::ffff:127.0.0.1]:80', '[fe80::1]:80'])(
    'refuses %s in clear, and takes it with TLS or when told that it is unsafe',
    (value) => {
      const prefix = name.replace('LISTEN', '');
      expect(() => bindOf(value)).toThrow(/POSTERN_UNSAFE_ALLOW_CLEARTEXT=1/);
      expect(() => bindOf(value, { POSTERN_UNSAFE_ALLOW_CLEARTEXT: '0' })).toThrow(EnvironmentError);
      expect(bindOf(value, { POSTERN_UNSAFE_ALLOW_CLEARTEXT: '1' }).port).toBe(80);
      const tls = { [`${prefix}TLS_CERT_FILE`]: file('cert'), [`${prefix}TLS_KEY_FILE`]: file('key') };
      expect(bindOf(value, tls).port).toBe(80);
    },
  );
});

describe('TLS', () => {
  test('is read with its authority', () => {
    const { tls } = readSettings({
      POSTERN_TLS_CERT_FILE: file('cert'),
      POSTERN_TLS_KEY_FILE: file('key'),
      POSTERN_CLIENT_CA_FILE: file('ca'),
    }).data;
    expect(tls?.cert).toMatch(/BEGIN CERTIFICATE/);
    expect(tls?.clientCa).toMatch(/BEGIN CERTIFICATE/);
  });

  test.each<[string, string, () => Record<string, string>]>([
    ['a certificate alone', 'POSTERN_TLS_KEY_FILE', () => ({ TLS_CERT_FILE: file('cert') })],
    ['a key alone', 'POSTERN_TLS_CERT_FILE', () => ({ TLS_KEY_FILE: file('key') })],
    ['an authority alone', 'POSTERN_CLIENT_CA_FILE', () => ({ CLIENT_CA_FILE: file('ca') })],
    [
      'a file that is not there',
      'POSTERN_TLS_CERT_FILE',
      () => ({ TLS_CERT_FILE: file('none'), TLS_KEY_FILE: file('key') }),
    ],
    [
      'noise for a certificate',
      'POSTERN_TLS_CERT_FILE',
      () => ({ TLS_CERT_FILE: file('noise'), TLS_KEY_FILE: file('key') }),
    ],
    ['noise for a key', 'POSTERN_TLS_KEY_FILE', () => ({ TLS_CERT_FILE: file('cert'), TLS_KEY_FILE: file('noise') })],
    ["another's key", 'POSTERN_TLS_KEY_FILE', () => ({ TLS_CERT_FILE: file('cert'), TLS_KEY_FILE: file('other-key') })],
  ])('with %s is refused, naming %s', (_what, name, variables) => {
    const environment = Object.fromEntries(
      Object.entries(variables()).map(([key, value]) => [`POSTERN_${key}`, value]),
    );
    expect(() => readSettings(environment)).toThrow(new RegExp(`^${name}: `));
  });
});

describe('the rest', () => {
  test.each<[string, Environment, Partial<Settings>]>([
    [
      'networks',
      { POSTERN_TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8,192.0.2.1' },
      { trustedProxies: ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'] },
    ],
    [
      'a ceiling of unsafe addresses',
      { POSTERN_UNSAFE_ALLOW_ADDRESSES: '127.0.0.0/8' },
      { unsafeAllowAddresses: ['127.0.0.0/8'] },
    ],
    [
      'name servers',
      { POSTERN_DNS_SERVERS: '10.0.0.53:53, [::1]:5353' },
      { dnsServers: ['10.0.0.53:53', '[::1]:5353'] },
    ],
    [
      'a database beside the folder',
      { POSTERN_DATABASE_URL: 'sqlite:/tmp/x.db' },
      { database: { kind: 'sqlite', file: '/tmp/x.db' } },
    ],
    [
      'the database of the folder',
      { POSTERN_DATABASE_URL: 'sqlite:', POSTERN_DATA_DIR: '/tmp/d' },
      { database: { kind: 'sqlite', file: '/tmp/d/postern.db' } },
    ],
    [
      'a level and a format',
      { POSTERN_LOG_LEVEL: 'silent', POSTERN_LOG_FORMAT: 'json' },
      { logLevel: 'silent', logFormat: 'json' },
    ],
    ['a master key', { POSTERN_MASTER_KEY: 'k1:AAAA' }, { masterKey: 'k1:AAAA' }],
    ['an environment', { POSTERN_ENVIRONMENT: 'dev' }, { environment: 'dev' }],
  ])('takes %s', (_what, environment, expected) => {
    expect(readSettings(environment)).toMatchObject(expected);
  });

  test('takes public URLs without the slash at their end', () => {
    const { data, admin } = readSettings({
      POSTERN_PUBLIC_URL: 'https://gateway.example.com/postern/',
      POSTERN_ADMIN_PUBLIC_URL: 'http://10.0.0.1:81//',
    });
    expect([data.publicUrl, admin.publicUrl]).toEqual(['https://gateway.example.com/postern', 'http://10.0.0.1:81']);
  });

  test('takes the master key of a file, but not two of them', () => {
    expect(readSettings({ POSTERN_MASTER_KEY_FILE: file('master-key') }).masterKey).toBe('k1:AAAA');
    const both = { POSTERN_MASTER_KEY: 'k1:AAAA', POSTERN_MASTER_KEY_FILE: file('master-key') };
    expect(() => readSettings(both)).toThrow(/^POSTERN_MASTER_KEY_FILE: .*POSTERN_MASTER_KEY/);
  });

  test.each<[string, string]>([
    ['POSTERN_PUBLIC_URL', 'gateway.example.com'],
    ['POSTERN_PUBLIC_URL', 'ftp://gateway.example.com'],
    ['POSTERN_PUBLIC_URL', 'https://gateway.example.com/?'],
    ['POSTERN_PUBLIC_URL', 'https://gateway.example.com/#'],
    ['POSTERN_PUBLIC_URL', 'https://gateway.example.com/?a=b'],
    ['POSTERN_PUBLIC_URL', 'https://user@gateway.example.com'],
    ['POSTERN_PUBLIC_URL', 'https://:password@gateway.example.com'],
    ['POSTERN_ADMIN_PUBLIC_URL', 'javascript:alert(1)'],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.0/8,'],
    ['POSTERN_TRUSTED_PROXIES', '::::/8'],
    ['POSTERN_UNSAFE_ALLOW_ADDRESSES', 'private'],
    ['POSTERN_UNSAFE_ALLOW_CLEARTEXT', 'true'],
    ['POSTERN_DATABASE_URL', '/tmp/x.db'],
    ['POSTERN_DNS_SERVERS', 'dns.example.com:53'],
    ['POSTERN_DNS_SERVERS', '10.0.0.53:0'],
    ['POSTERN_DNS_SERVERS', '10.0.0.53:65536'],
    ['POSTERN_LOG_LEVEL', 'INFO'],
    ['POSTERN_LOG_FORMAT', 'text'],
    ['POSTERN_ENVIRONMENT', '../prod'],
    ['POSTERN_MASTER_KEY_FILE', '/nonexistent/key'],
  ])('refuses %s=%s and names the variable', (name, value) => {
    expect(() => readSettings({ [name]: value })).toThrow(EnvironmentError);
    expect(() => readSettings({ [name]: value })).toThrow(new RegExp(`^${name}: `));
  });
});
