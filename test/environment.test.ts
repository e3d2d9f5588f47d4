import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { createCertificateAuthority, type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { refusedStart } from './support/refused-start.ts';
import { configOf, newAgent } from './support/scenario.ts';
import { startGateway, startRefused } from './support/start-gateway.ts';

let folder: TemporaryFolder;

beforeAll(async () => {
  const authority = createCertificateAuthority();
  const pair = authority.issue(['127.0.0.1']);
  folder = await temporaryFolder();
  const files = {
    'cert.pem': pair.cert,
    'key.pem': pair.key,
    'other-key.pem': authority.issue(['127.0.0.1']).key,
    'ca.pem': authority.cert,
    'garbage.pem': 'this is no certificate\n',
    'a-file': '',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder.path, name), text);
  await mkdir(path.join(folder.path, 'a-folder'));
});

afterAll(async () => {
  await folder?.remove();
});

const base64 = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64');

describe('a bad value is refused with the variable’s name, what was wrong and what would be right', () => {
  /** Variable, value (`FILE:` stands for the folder), what the message says beside the name. */
  const table: [string, string, RegExp, Record<string, string>?][] = [
    ['POSTERN_LISTEN', 'nonsense', /127\.0\.0\.1:8080/],
    ['POSTERN_LISTEN', '127.0.0.1', /127\.0\.0\.1:8080/],
    ['POSTERN_LISTEN', '127.0.0.1:65536', /127\.0\.0\.1:8080/],
    ['POSTERN_LISTEN', '127.0.0.1:-1', /127\.0\.0\.1:8080/],
    ['POSTERN_LISTEN', 'example.com:80', /127\.0\.0\.1:8080/],
    ['POSTERN_LISTEN', '::1:80', /\[::1\]:8080/],
    ['POSTERN_LISTEN', '0.0.0.0:0', /POSTERN_TLS_CERT_FILE.*POSTERN_UNSAFE_ALLOW_CLEARTEXT=1/s],
    ['POSTERN_LISTEN', '[::]:0', /POSTERN_TLS_CERT_FILE.*POSTERN_UNSAFE_ALLOW_CLEARTEXT=1/s],
    ['POSTERN_ADMIN_LISTEN', 'x', /127\.0\.0\.1:8080/],
    ['POSTERN_ADMIN_LISTEN', '0.0.0.0:0', /POSTERN_ADMIN_TLS_CERT_FILE/],
    ['POSTERN_PUBLIC_URL', 'gateway', /https:\/\//],
    ['POSTERN_PUBLIC_URL', 'ftp://gateway', /https:\/\//],
    ['POSTERN_PUBLIC_URL', 'https://gateway?x', /https:\/\//],
    ['POSTERN_PUBLIC_URL', 'https://user:hunter2@gateway', /https:\/\//],
    ['POSTERN_ADMIN_PUBLIC_URL', 'x', /https:\/\//],
    ['POSTERN_TLS_CERT_FILE', 'FILE:missing.pem', /missing\.pem/, { POSTERN_TLS_KEY_FILE: 'FILE:key.pem' }],
    [
      'POSTERN_TLS_CERT_FILE',
      'FILE:garbage.pem',
      /garbage\.pem|PEM|certificate/,
      { POSTERN_TLS_KEY_FILE: 'FILE:key.pem' },
    ],
    ['POSTERN_TLS_KEY_FILE', 'FILE:garbage.pem', /garbage\.pem|PEM|key/, { POSTERN_TLS_CERT_FILE: 'FILE:cert.pem' }],
    ['POSTERN_TLS_KEY_FILE', 'FILE:other-key.pem', /certificate|match/, { POSTERN_TLS_CERT_FILE: 'FILE:cert.pem' }],
    ['POSTERN_TLS_KEY_FILE', '', /certificate/, { POSTERN_TLS_CERT_FILE: 'FILE:cert.pem' }],
    ['POSTERN_TLS_CERT_FILE', '', /certificate/, { POSTERN_TLS_KEY_FILE: 'FILE:key.pem' }],
    ['POSTERN_CLIENT_CA_FILE', 'FILE:ca.pem', /POSTERN_TLS_CERT_FILE/],
    [
      'POSTERN_CLIENT_CA_FILE',
      'FILE:garbage.pem',
      /garbage\.pem|PEM|certificate/,
      { POSTERN_TLS_CERT_FILE: 'FILE:cert.pem', POSTERN_TLS_KEY_FILE: 'FILE:key.pem' },
    ],
    ['POSTERN_ADMIN_TLS_CERT_FILE', 'FILE:missing.pem', /missing\.pem/],
    ['POSTERN_ADMIN_CLIENT_CA_FILE', 'FILE:ca.pem', /POSTERN_ADMIN_TLS_CERT_FILE/],
    ['POSTERN_UNSAFE_ALLOW_CLEARTEXT', 'yes', /1/],
    ['POSTERN_TRUSTED_PROXIES', 'proxy.example.com', /10\.0\.0\.0\/8/],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.0/33', /10\.0\.0\.0\/8/],
    ['POSTERN_TRUSTED_PROXIES', '10.0.0.0/8,', /10\.0\.0\.0\/8/],
    ['POSTERN_TRUSTED_PROXIES', ':::1', /10\.0\.0\.0\/8/],
    ['POSTERN_TRUSTED_PROXIES', '1:2:3/64', /10\.0\.0\.0\/8/],
    ['POSTERN_DATABASE_URL', 'mysql://postern:hunter2@localhost/postern', /sqlite:PATH nor postgres:/],
    ['POSTERN_DATABASE_URL', 'postgres://postern:hunter2@localhost', /no database/],
    ['POSTERN_DATABASE_URL', 'postgres://postern:hunter2@127.0.0.1:1/postern', /nobody listens/],
    ['POSTERN_DATABASE_URL', 'sqlite:/nonexistent/folder/postern.db', /folder|open|write/],
    ['POSTERN_REDIS_URL', 'http://:hunter2@localhost', /redis:\/\//],
    ['POSTERN_HUB_URL', 'https://hub', /unset/],
    ['POSTERN_ENROL_TOKEN', 'x', /unset/],
    ['POSTERN_MASTER_KEY', 'nonsense', /id:base64|32 bytes/],
    ['POSTERN_MASTER_KEY', `k1:${base64(31)}`, /32/],
    ['POSTERN_MASTER_KEY', `k1:${base64(33)}`, /32/],
    ['POSTERN_MASTER_KEY', `k1:${base64(32)},k1:${base64(32)}`, /the id/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:missing', /missing/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:garbage.pem', /id:base64|32 bytes/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:a-file', /empty|id:base64|32 bytes/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:garbage.pem', /POSTERN_MASTER_KEY/, { POSTERN_MASTER_KEY: `k1:${base64(32)}` }],
    ['POSTERN_CONFIG', 'FILE:missing.yaml', /missing\.yaml/],
    ['POSTERN_CONFIG', 'FILE:a-folder', /a-folder/],
    ['POSTERN_ENVIRONMENT', '../dev', /letters/],
    ['POSTERN_DNS_SERVERS', 'dns.example.com:53', /10\.0\.0\.53:53/],
    ['POSTERN_DNS_SERVERS', '10.0.0.53', /10\.0\.0\.53:53/],
    ['POSTERN_DNS_SERVERS', '10.0.0.53:99999', /10\.0\.0\.53:53/],
    ['POSTERN_DNS_SERVERS', '10.0.0.53:53,', /10\.0\.0\.53:53/],
    ['POSTERN_UNSAFE_ALLOW_ADDRESSES', 'localhost', /10\.0\.0\.0\/8/],
    ['POSTERN_LOG_LEVEL', 'loud', /debug/],
    ['POSTERN_LOG_FORMAT', 'xml', /json/],
    ['POSTERN_DATA_DIR', 'FILE:a-file', /a-file/],
  ];

  test.each(table)('%s=%s', async (name, value, says, others = {}) => {
    const real = (text: string) => text.replace('FILE:', `${folder.path}/`);
    const given = Object.entries({ ...others, [name]: value }).map(([key, text]) => [key, real(text)]);
    const message = await refusedStart({ environment: Object.fromEntries(given) });
    expect(message).toContain(name);
    expect(message).toMatch(says);
    expect(message).not.toMatch(/hunter2/);
  });

  test('it goes to stderr, without a stack, and the exit code is 1', async () => {
    const { code, stdout, stderr } = await startRefused({ environment: { POSTERN_LISTEN: 'nonsense' } });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^postern: POSTERN_LISTEN: "nonsense" [^\n]*\n$/);
  });

  test('a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    for (const name of ['POSTERN_LISTEN', 'POSTERN_ADMIN_LISTEN']) {
      const message = await refusedStart({ environment: { [name]: `127.0.0.1:${port}` } });
      expect(message).toMatch(new RegExp(`${name}.*127\\.0\\.0\\.1:${port}`));
    }
    taken.close();
  });

  test('a variable that looks like ours and is none is warned about', async () => {
    await using gateway = await startGateway({ environment: { POSTERN_LISTN: 'x' } });
    await vi.waitFor(() => expect(gateway.stderr()).toContain('POSTERN_LISTN'), 3_000);
  });

  test('a master key that does not fit the data folder is refused, not used', async () => {
    const config = configOf([newAgent('coder')], [], { secrets: { token: { value: 'long-enough-secret' } } });
    await using first = await startGateway({ config, environment: { POSTERN_MASTER_KEY: `k1:${base64(32)}` } });
    await first.kill('SIGTERM');
    const environment = { POSTERN_MASTER_KEY: `k2:${Buffer.alloc(32, 9).toString('base64')}` };
    const second = await startGateway({ dataFolder: first.dataFolder, environment }).catch((error: Error) => error);
    if (second instanceof Error) return expect(second.message).toContain('POSTERN_MASTER_KEY');
    // Where it starts, nothing sealed under the other key may be opened, and the log must say so.
    await using _ = second;
    await vi.waitFor(() => expect(second.stderr()).toContain('POSTERN_MASTER_KEY'), 3_000);
  });
});
