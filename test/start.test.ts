import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import path from 'node:path';
import { createCertificateAuthority, startUpstream, type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const authority = createCertificateAuthority();
const pair = authority.issue(['127.0.0.1', 'localhost']);

let folder: TemporaryFolder;
const file = (name: string) => path.join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(file('cert.pem'), pair.cert);
  await writeFile(file('key.pem'), pair.key);
  await writeFile(file('ca.pem'), authority.cert);
});

afterAll(async () => {
  await folder?.remove();
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
    expect(gateway.stdout().split('\n')[0]).toMatch(
      /^postern ready data=http:\/\/127\.0\.0\.1:\d+ admin=http:\/\/127\.0\.0\.1:\d+$/,
    );
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
      await expect(
        get(url, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      ).rejects.toThrow();
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
