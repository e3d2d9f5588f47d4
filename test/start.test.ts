import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import path from 'node:path';
import { generateAgentKey } from '@postern/auth';
import { createCertificateAuthority, startUpstream, temporaryFolder, type TemporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway, startRefused } from './support/start-gateway.ts';

const authority = createCertificateAuthority();
const pair = authority.issue(['127.0.0.1', 'localhost']);
const otherPair = authority.issue(['127.0.0.1']);

let folder: TemporaryFolder;
const file = (name: string) => path.join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(file('cert.pem'), pair.cert);
  await writeFile(file('key.pem'), pair.key);
  await writeFile(file('other-key.pem'), otherPair.key);
  await writeFile(file('ca.pem'), authority.cert);
  await writeFile(file('garbage.pem'), 'this is no certificate\n');
  await writeFile(file('a-file'), '');
  await mkdir(file('a-folder'));
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
    ['POSTERN_TLS_CERT_FILE', 'FILE:garbage.pem', /garbage\.pem|PEM|certificate/, { POSTERN_TLS_KEY_FILE: 'FILE:key.pem' }],
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
    ['POSTERN_HOST_SUFFIX', 'to.example.com', /unset/],
    ['POSTERN_DATABASE_URL', 'postgres://localhost/postern', /sqlite/],
    ['POSTERN_DATABASE_URL', 'mysql://localhost', /sqlite/],
    ['POSTERN_DATABASE_URL', 'sqlite:/nonexistent/folder/postern.db', /folder|open|write/],
    ['POSTERN_REDIS_URL', 'redis://localhost', /unset/],
    ['POSTERN_HUB_URL', 'https://hub', /unset/],
    ['POSTERN_ENROL_TOKEN', 'x', /unset/],
    ['POSTERN_MASTER_KEY', 'nonsense', /id:base64|32 bytes/],
    ['POSTERN_MASTER_KEY', `k1:${base64(31)}`, /32/],
    ['POSTERN_MASTER_KEY', `k1:${base64(33)}`, /32/],
    ['POSTERN_MASTER_KEY', `k1:${base64(32)},k1:${base64(32)}`, /k1/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:missing', /missing/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:garbage.pem', /id:base64|32 bytes/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:a-file', /empty|id:base64|32 bytes/],
    ['POSTERN_MASTER_KEY_FILE', 'FILE:garbage.pem', /POSTERN_MASTER_KEY/, { POSTERN_MASTER_KEY: `k1:${base64(32)}` }],
    ['POSTERN_ADMIN_TOKEN', 'short', /characters|token/],
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

  test.concurrent.each(table)('%s=%s', async (name, value, says, others = {}) => {
    const real = (text: string) => text.replace('FILE:', `${folder.path}/`);
    const environment = Object.fromEntries(Object.entries({ ...others, [name]: value }).map(([key, text]) => [key, real(text)]));
    const { code, stdout, stderr } = await startRefused({ environment });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(name);
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/\n {4}at |hunter2/);
  });

  test('a port that is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    for (const name of ['POSTERN_LISTEN', 'POSTERN_ADMIN_LISTEN']) {
      const { code, stderr } = await startRefused({ environment: { [name]: `127.0.0.1:${port}` } });
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`${name}.*127\\.0\\.0\\.1:${port}`));
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

describe('faults of the file', () => {
  const upstream = 'http://127.0.0.1:9';
  const coderKey = generateAgentKey().key;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

  test.concurrent.each<[string, string, RegExp]>([
    ['no YAML', 'version: 1\nintegrations: [\n', /:\d+: /],
    ['two documents', 'version: 1\n---\nversion: 1\n', /:2: |:3: /],
    ['a key twice', 'version: 1\nagents: []\nagents: []\n', /:3: .*twice/],
    ['no version', 'agents: []\n', /version/],
    ['another version', 'version: 2\n', /:1: version/],
    ['an unknown section', 'version: 1\nagent: []\n', /:2: agent.*agents/s],
    ['an unknown member', `version: 1\nintegrations:\n  - name: a\n    baseurl: ${upstream}\n`, /:4: integrations\[0\]\.baseurl.*baseUrl/s],
    ['what a later version has', 'version: 1\nintegrations:\n  - name: a\n    baseUrl: https://example.com\n    retry: { attempts: 2 }\n', /:5: integrations\[0\]\.retry/],
    ['a condition', 'version: 1\nrules:\n  - { id: a, effect: allow, when: "true" }\n', /:3: rules\[0\]\.when/],
    ['a bad effect', 'version: 1\nrules:\n  - id: a\n    effect: permit\n', /:4: rules\[0\]\.effect/],
    ['a number that is too small', 'version: 1\nintegrations:\n  - name: a\n    baseUrl: https://example.com\n    timeouts:\n      connectMs: 0\n', /:6: integrations\[0\]\.timeouts\.connectMs/],
    ['a base URL with a query', 'version: 1\nintegrations:\n  - { name: a, baseUrl: "https://example.com/?x" }\n', /:3: integrations\[0\]\.baseUrl/],
    ['a base URL with a password', 'version: 1\nintegrations:\n  - { name: a, baseUrl: "https://u:hunter2@example.com" }\n', /:3: integrations\[0\]\.baseUrl/],
    ['a private base URL', `version: 1\nintegrations:\n  - { name: a, baseUrl: "${upstream}" }\n`, /:3: integrations\[0\].*unsafeAllowAddresses/s],
    ['a metadata address though all is opened', 'version: 1\nintegrations:\n  - { name: a, baseUrl: "http://169.254.169.254", network: { unsafeAllowAddresses: ["0.0.0.0/0"] } }\n', /:3: integrations\[0\]/],
    ['a short secret for a credential', 'version: 1\nsecrets: { s: { value: "1234567" } }\nintegrations:\n  - { name: a, baseUrl: "https://example.com", credential: { type: bearer, secret: s } }\n', /secret/],
    ['a name twice', 'version: 1\nagents:\n  - { name: a }\n  - { name: a }\n', /:4: agents\[1\]\.name/],
    ['a key that is none', `version: 1\nagents:\n  - { name: a, key: "${coderKey.slice(0, -1)}" }\n`, /:3: agents\[0\]\.key.*postern keys generate/s],
    ['one key for two agents', `version: 1\nagents:\n  - { name: a, key: ${coderKey} }\n  - { name: b, key: ${coderKey} }\n`, /:4: agents\[1\]\.key/],
    ['a variable that is not set', 'version: 1\nagents:\n  - name: a\n    key: { from: env:NOT_SET }\n', /:4: agents\[0\]\.key.*NOT_SET/s],
    ['a variable of the gateway', 'version: 1\nsecrets:\n  s: { from: env:POSTERN_ADMIN_TOKEN }\n', /:3: secrets\.s.*POSTERN_/s],
    ['a file that is not there', 'version: 1\nsecrets:\n  s: { from: "file:/nonexistent" }\n', /:3: secrets\.s.*nonexistent/s],
    ['a file of the data folder', 'version: 1\nsecrets:\n  s: { from: "file:data/admin-token" }\n', /:3: secrets\.s.*data folder/s],
    ['a file of the data folder by a detour', 'version: 1\nsecrets:\n  s: { from: "file:./x/../data/./master-key" }\n', /:3: secrets\.s.*data folder/s],
    ['a rule of an unknown agent', 'version: 1\nrules:\n  - { id: a, effect: allow, agents: [nobody] }\n', /:3: rules\[0\]\.agents.*nobody/s],
    ['a bad pattern', 'version: 1\nrules:\n  - { id: a, effect: deny, paths: ["/a/**b"] }\n', /:3: rules\[0\]\.paths/],
    ['a global rule that allows', 'version: 1\nglobal: { rules: [{ id: a, effect: allow }] }\n', /:2: global\.rules\[0\]/],
    ['a private key for an authority', `version: 1\nintegrations:\n  - { name: a, baseUrl: "https://example.com", tls: { ca: ${JSON.stringify(rsa)} } }\n`, /:3: integrations\[0\]\.tls\.ca/],
  ])('%s: told with line and field', async (_what, config, says) => {
    const { code, stdout, stderr } = await startRefused({ config });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(says);
    expect(stderr).toContain('postern.yaml');
    expect(stderr).not.toMatch(/\n {4}at |hunter2|1234567|PRIVATE KEY/);
    expect(stderr).not.toContain(coderKey.slice(15, -1));
  });

  test('several faults are told at once, and nothing of the file is applied', async () => {
    await using store = await temporaryFolder();
    const dataFolder = path.join(store.path, 'data');
    const config = 'version: 1\nagents:\n  - { name: good }\n  - { name: "" }\nrules:\n  - { id: x, effect: no }\n';
    const { stderr } = await startRefused({ config, dataFolder });
    expect(stderr).toMatch(/:4: agents\[1\]\.name/);
    expect(stderr).toMatch(/:6: rules\[0\]\.effect/);
    await using gateway = await startGateway({ dataFolder });
    expect((await control(gateway, 'GET', '/v1/agents')).json().items).toEqual([]);
  });
});

describe('a start', () => {
  let gateway: RunningGateway;
  const coder = newAgent('coder');

  beforeAll(async () => {
    gateway = await startGateway({ demo: true });
  });

  afterAll(async () => {
    await gateway?.close();
  });

  test('says it is ready in one line, first of all', () => {
    expect(gateway.stdout().split('\n')[0]).toMatch(/^postern ready data=http:\/\/127\.0\.0\.1:\d+ admin=http:\/\/127\.0\.0\.1:\d+$/);
    expect(gateway.stdout().match(/postern ready/g)).toHaveLength(1);
  });

  test('keeps its data folder to itself', async () => {
    const mode = async (name: string) => ((await stat(path.join(gateway.dataFolder, name))).mode & 0o777).toString(8);
    expect(await mode('.')).toBe('700');
    expect(await readFile(path.join(gateway.dataFolder, '.gitignore'), 'utf8')).toBe('*\n');
    const names = await readdir(gateway.dataFolder, { withFileTypes: true });
    const modes = await Promise.all(names.map(async (entry) => [entry.name, await mode(entry.name)]));
    const wrong = modes.filter(([name, found]) => found !== (name === 'spool' ? '700' : '600'));
    expect(wrong).toEqual([]);
  });

  test('repairs the rights of a data folder that was opened by hand', async () => {
    await using store = await temporaryFolder();
    await mkdir(path.join(store.path, 'data'), { mode: 0o755 });
    await using opened = await startGateway({ dataFolder: path.join(store.path, 'data') });
    expect((await stat(opened.dataFolder)).mode & 0o777).toBe(0o700);
  });

  test('warns when the data folder lies in a checkout', async () => {
    await using checkout = await temporaryFolder();
    await mkdir(path.join(checkout.path, '.git'));
    await using inside = await startGateway({ dataFolder: path.join(checkout.path, 'deep', 'data') });
    await vi.waitFor(() => expect(inside.stderr()).toMatch(/checkout/), 3_000);
    await vi.waitFor(() => expect(gateway.stderr()).not.toMatch(/checkout/));
  });

  test('takes the admin token from the environment, and then keeps none', async () => {
    const token = `pat_${'a'.repeat(43)}_env`;
    await using given = await startGateway({ environment: { POSTERN_ADMIN_TOKEN: token } });
    expect((await control(given, 'GET', '/v1/tenants', { token })).status).toBe(200);
    expect(await readdir(given.dataFolder)).not.toContain('admin-token');
    expect(given.stderr() + given.stdout()).not.toContain(token);
  });

  test('reads postern.yaml of the working directory by itself, and nothing where POSTERN_CONFIG is empty', async () => {
    const config = configOf([coder], []);
    await using found = await startGateway({ config, environment: { POSTERN_CONFIG: undefined } });
    const agents = async (of: RunningGateway) => (await control(of, 'GET', '/v1/agents')).json().items.length;
    expect(await agents(found)).toBe(1);
    await using none = await startGateway({ config, environment: { POSTERN_CONFIG: '' } });
    expect(await agents(none)).toBe(0);
  });

  test('applies its file again without a change, removes what the file no longer names, keeps what was made otherwise', async () => {
    await using upstream = await startUpstream();
    await using store = await temporaryFolder();
    const dataFolder = path.join(store.path, 'data');
    const other = newAgent('other');
    const integrations = [integration('api', upstream.url)];
    const answers = async (of: RunningGateway, key: string) =>
      (await call(of.dataUrl, '/to/api/x', { headers: { 'postern-key': key } })).status;
    const options = { config: configOf([coder, other], integrations), dataFolder };
    let made: string;
    {
      await using first = await startGateway(options);
      expect([await answers(first, coder.key), await answers(first, other.key)]).toEqual([200, 200]);
      await control(first, 'POST', '/v1/agents', { body: { name: 'by-hand' } });
      made = (await control(first, 'POST', '/v1/agents/by-hand/keys', { body: {} })).json().key;
      expect(await answers(first, made)).toBe(200);
    }
    {
      await using second = await startGateway(options);
      expect((await auditEvents(second, { type: 'admin.applied' })).length).toBe(1);
      expect([await answers(second, coder.key), await answers(second, other.key)]).toEqual([200, 200]);
    }
    await using third = await startGateway({ config: configOf([coder], integrations), dataFolder });
    const statuses = [await answers(third, coder.key), await answers(third, other.key), await answers(third, made)];
    expect(statuses).toEqual([200, 401, 200]);
  });
});

describe('TLS', () => {
  const get = (url: string, options: object) =>
    new Promise<number>((resolve, reject) => {
      request(`${url}/healthz`, { agent: false, ca: authority.cert, ...options }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });

  test('both listeners speak it, on any address', async () => {
    await using gateway = await startGateway({
      environment: {
        POSTERN_LISTEN: '0.0.0.0:0',
        POSTERN_ADMIN_LISTEN: '0.0.0.0:0',
        POSTERN_TLS_CERT_FILE: file('cert.pem'),
        POSTERN_TLS_KEY_FILE: file('key.pem'),
        POSTERN_ADMIN_TLS_CERT_FILE: file('cert.pem'),
        POSTERN_ADMIN_TLS_KEY_FILE: file('key.pem'),
      },
    });
    for (const url of [gateway.dataUrl, gateway.adminUrl]) {
      expect(url).toMatch(/^https:\/\/127\.0\.0\.1:/);
      expect(await get(url, {})).toBe(200);
      await expect(get(url, { ca: undefined })).rejects.toThrow();
      await expect(get(url, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow();
    }
  });

  test('with a client authority, only its clients are let in', async () => {
    await using gateway = await startGateway({
      environment: {
        POSTERN_TLS_CERT_FILE: file('cert.pem'),
        POSTERN_TLS_KEY_FILE: file('key.pem'),
        POSTERN_CLIENT_CA_FILE: file('ca.pem'),
      },
    });
    const stranger = createCertificateAuthority('Somebody else').issue(['client']);
    expect(await get(gateway.dataUrl, authority.issue(['client']))).toBe(200);
    await expect(get(gateway.dataUrl, {})).rejects.toThrow();
    await expect(get(gateway.dataUrl, stranger)).rejects.toThrow();
  });

  test('cleartext on any address, where it is permitted in so many words', async () => {
    await using gateway = await startGateway({
      environment: { POSTERN_LISTEN: '0.0.0.0:0', POSTERN_UNSAFE_ALLOW_CLEARTEXT: '1' },
    });
    expect((await call(gateway.dataUrl, '/healthz')).status).toBe(200);
  });
});
