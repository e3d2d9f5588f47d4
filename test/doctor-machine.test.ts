import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generateAgentKey } from '@postern/auth';
import { run } from '@postern/cli';
import { startUpstream, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clinic, startClinic } from './support/clinic.ts';
import { doctor } from './support/doctor.ts';

let clinic: Clinic;
beforeAll(async () => {
  clinic = await startClinic();
});
afterAll(async () => {
  await clinic?.[Symbol.asyncDispose]();
});

describe('the machine and the gateway', () => {
  const inCopy = async (task: (folder: string) => Promise<void> | void) => {
    await using folder = await temporaryFolder();
    const copy = path.join(folder.path, 'data');
    mkdirSync(copy, { mode: 0o700 });
    for (const name of ['run.json', 'admin-token', 'master-key', 'postern.db'])
      writeFileSync(path.join(copy, name), readFileSync(path.join(clinic.gateway.dataFolder, name)), { mode: 0o600 });
    await task(copy);
  };
  const edit = (folder: string, change: object) => {
    const file = path.join(folder, 'run.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }));
  };

  test.each<[string, (folder: string) => void, string]>([
    ['a folder that others can read', (folder) => chmodSync(folder, 0o755), 'folder-open'],
    ['a key that others can read', (folder) => chmodSync(path.join(folder, 'master-key'), 0o644), 'folder-open'],
    ['a folder in a checkout', (folder) => mkdirSync(path.join(folder, '../.git')), 'folder-in-checkout'],
    ['a folder of another user', (folder) => chownSync(folder, 12_345, 12_345), 'folder-foreign'],
    [
      'a master key that is gone',
      (folder) => renameSync(path.join(folder, 'master-key'), path.join(folder, 'moved')),
      'master-key-missing',
    ],
    [
      'a master key that is too short',
      (folder) => writeFileSync(path.join(folder, 'master-key'), 'k1:c2hvcnQ='),
      'master-key-unusable',
    ],
    [
      'an admin token that is gone',
      (folder) => renameSync(path.join(folder, 'admin-token'), path.join(folder, 'moved')),
      'admin-token-missing',
    ],
    [
      'an admin token of another gateway',
      (folder) => writeFileSync(path.join(folder, 'admin-token'), 'x'.repeat(40)),
      'token-refused',
    ],
    ['a gateway that has been killed', (folder) => edit(folder, { pid: 2 ** 22 + 1 }), 'gateway-absent'],
    [
      'a gateway that does not answer',
      (folder) => edit(folder, { admin: 'http://127.0.0.1:9' }),
      'gateway-unreachable',
    ],
    [
      'the data plane in the place of the control plane',
      (folder) => edit(folder, { admin: clinic.gateway.dataUrl }),
      'wrong-port',
    ],
    [
      'a listener in clear on a network',
      (folder) => edit(folder, { dataListen: '0.0.0.0:8080' }),
      'cleartext-listener',
    ],
    [
      'a public URL that leads to the control plane',
      (folder) => edit(folder, { publicUrl: clinic.gateway.adminUrl }),
      'public-url-wrong',
    ],
    [
      'a public URL that leads elsewhere',
      (folder) => edit(folder, { publicUrl: clinic.upstream.url }),
      'public-url-wrong',
    ],
    [
      'a public URL that leads nowhere',
      (folder) => edit(folder, { publicUrl: 'http://127.0.0.1:9' }),
      'public-url-unreachable',
    ],
  ])('have %s found', async (_name, mistake, code) => {
    await inCopy(async (folder) => {
      expect((await doctor(folder)).find(code)).toBeUndefined();
      mistake(folder);
      expect((await doctor(folder)).find(code)).toBeDefined();
    });
  });

  test('have a missing folder found, but not for a gateway on another machine', async () => {
    await using folder = await temporaryFolder();
    const missing = path.join(folder.path, 'none');
    expect((await doctor(missing)).find('folder-missing')).toMatchObject({ status: 'broken' });
    const environment = { POSTERN_ADMIN_URL: clinic.gateway.adminUrl, POSTERN_ADMIN_TOKEN: clinic.gateway.adminToken };
    const remote = await doctor(missing, [], { environment });
    expect(remote.find('folder-missing')).toBeUndefined();
    expect(remote.exitCode).toBe(0);
  });

  test.each<[string, Record<string, string>, string, RegExp]>([
    ['a proxy', { HTTPS_PROXY: 'http://proxy:3128' }, 'proxy-ignored', /NO_PROXY/],
    ['a misspelled variable', { POSTERN_LISTN: '127.0.0.1:8080' }, 'variable-unknown', /^Call it POSTERN_LISTEN\.$/],
    ['a variable in small letters', { postern_config: 'x.yaml' }, 'variable-unknown', /^Call it POSTERN_CONFIG\.$/],
    ['a variable of another program', { POSTERN_SOMETHING_ELSE: 'x' }, 'variable-unknown', /config\.md/],
    ['a short admin token', { POSTERN_ADMIN_TOKEN: 'short' }, 'admin-token-short', /openssl/],
    ['a short master key', { POSTERN_MASTER_KEY: 'k1:c2hvcnQ=' }, 'master-key-unusable', /32 bytes/],
    ['a master key file that is gone', { POSTERN_MASTER_KEY_FILE: '/no/such/file' }, 'master-key-missing', /copy/],
    [
      'a listener without TLS',
      { POSTERN_LISTEN: '0.0.0.0:8080', POSTERN_UNSAFE_ALLOW_CLEARTEXT: '1' },
      'cleartext-listener',
      /TLS_CERT_FILE/,
    ],
    ['an agent key for a token', { POSTERN_ADMIN_TOKEN: generateAgentKey().key }, 'token-refused', /admins create/],
  ])('have %s in the environment found', async (_name, environment, code, remedy) => {
    const { find } = await doctor(clinic.gateway.dataFolder, [], { environment });
    expect(find(code)).toMatchObject({ remedy: expect.stringMatching(remedy) });
    expect(JSON.stringify(find(code))).not.toContain('c2hvcnQ');
  });

  test('have a variable that is right left alone', async () => {
    const environment = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_LOG_LEVEL: 'warn', POSTERN_KEY: 'x', HOME: '/' };
    const { find } = await doctor(clinic.gateway.dataFolder, [], { environment });
    for (const code of ['variable-unknown', 'cleartext-listener', 'proxy-ignored']) expect(find(code)).toBeUndefined();
  });

  test.each([5_500, 60_000, -60_000])('have a clock that is %i ms off found', async (skewMs) => {
    const { find } = await doctor(clinic.gateway.dataFolder, [], {
      now: () => Date.now() + skewMs + Math.sign(skewMs) * 1_000,
    });
    expect(find('clock-skew')).toMatchObject({ status: 'warning', remedy: expect.stringContaining('NTP') });
  });

  test('have a gateway found that says it is not ready', async () => {
    await using failing = await startUpstream({
      handler: (_request, response) => {
        response.writeHead(503, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ ready: false, dependencies: { store: 'failing' } }));
      },
    });
    const environment = { POSTERN_ADMIN_URL: failing.url, POSTERN_ADMIN_TOKEN: 'x'.repeat(40) };
    const { find } = await doctor(clinic.gateway.dataFolder, [], { environment });
    expect(find('gateway-not-ready')?.message).toContain('store: failing');
  });

  test('are told to people with a mark, the code and an arrow', async () => {
    let out = '';
    await run(['doctor', '--no-connect'], {
      environment: { POSTERN_DATA_DIR: clinic.gateway.dataFolder, HTTP_PROXY: 'http://x' },
      workingFolder: '/',
      input: undefined,
      askHidden: undefined,
      columns: 80,
      write: (text) => {
        out += text;
      },
      note: () => undefined,
      now: Date.now,
    });
    expect(out).toMatch(/^warning HTTP_PROXY: .+ \[proxy-ignored\]\n {8}→ .+\n/m);
    expect(out).toMatch(/^ok {6}node: version \d/m);
  });
});
