import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TemplateInput } from '@postern/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AdminClient, createAdminClient } from './admin-client.ts';
import { ApiProblem } from './api-problem.ts';

/** The real program: a client that agrees only with its own tests agrees with nobody. */
const MAIN = fileURLToPath(new URL('../../../apps/gateway/src/main.ts', import.meta.url));

const token = randomBytes(32).toString('base64url');
let folder: string;
let gateway: ChildProcess;
let url: string;
let owner: AdminClient;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'postern-client-'));
  gateway = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      POSTERN_DATA_DIR: path.join(folder, 'data'),
      POSTERN_LISTEN: '127.0.0.1:0',
      POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
      POSTERN_ADMIN_TOKEN: token,
      POSTERN_CONFIG: '',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  url = await adminUrlOf(gateway);
  owner = createAdminClient({ url: `${url}/`, token });
});

afterAll(async () => {
  if (gateway.exitCode === null) {
    gateway.kill('SIGKILL');
    await once(gateway, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
});

/** Resolves with the ready line; rejects with all that was said when the program ends before it. */
async function adminUrlOf(child: ChildProcess): Promise<string> {
  return await new Promise((resolve, reject) => {
    let said = '';
    const listen = (chunk: Buffer) => {
      said += chunk;
      const admin = /^postern ready .*\badmin=(\S+)$/m.exec(said)?.[1];
      if (admin !== undefined) resolve(admin);
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('exit', () => reject(new Error(`the gateway ended before it was ready: ${said}`)));
  });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** A client of a new tenant's administrator. */
async function clientOf(tenant: string): Promise<AdminClient> {
  await owner.tenants.create(tenant);
  const admin = await owner.admins.create({ name: `${tenant}-admin`, role: 'admin', tenant });
  return createAdminClient({ url, token: admin.token, tenant });
}

test('an owner sees readiness, tenants and administrators', async () => {
  expect((await owner.readiness()).ready).toBe(true);
  const client = await clientOf('acme');
  expect((await collect(owner.tenants.all())).map(({ name }) => name)).toContain('acme');
  expect(await owner.admins.list({ tenant: 'acme' })).toMatchObject({ items: [{ name: 'acme-admin', role: 'admin' }] });
  expect((await client.stats()).tenant).toBe('acme');
  await owner.admins.revoke('acme-admin');
  expect((await owner.admins.get('acme-admin')).revokedAt).toBeDefined();
  await expect(client.stats()).rejects.toMatchObject({ code: 'unauthenticated', status: 401 });
});

test('agents and their keys are made, edited under their tag, and removed', async () => {
  const client = await clientOf('agents');
  const agent = await client.agents.create({ name: 'coder', trust: 'medium' });
  expect(await client.agents.get(agent.id)).toEqual(agent);
  const issued = await client.agents.issueKey('coder', { scopes: ['call'], expiresAt: '2999-01-01T00:00:00Z' });
  expect(issued).toMatchObject({ key: expect.stringMatching(/^pst_/), expiresAt: '2999-01-01T00:00:00.000Z' });
  await client.agents.revokeKey('coder', issued.id);
  expect(await client.agents.listKeys(agent.id)).toMatchObject([{ id: issued.id, revokedAt: expect.any(String) }]);
  const { etag } = await client.agents.getTagged('coder');
  await client.agents.update('coder', { owner: 'alice' }, { ifMatch: etag ?? '' });
  const stale = client.agents.replace('coder', { trust: 'high' }, { ifMatch: etag ?? '' });
  await expect(stale).rejects.toMatchObject({ code: 'precondition_failed', status: 412 });
  expect(await client.agents.update('coder', { owner: null })).not.toHaveProperty('owner');
  await client.agents.remove('coder');
  await expect(client.agents.get('coder')).rejects.toMatchObject({ code: 'not_found' });
});

test('secrets, integrations and rules are written, and the audit log tells of it', async () => {
  const client = await clientOf('writes');
  await client.secrets.put('token', { value: 'a-long-enough-secret', environments: ['dev'] });
  await client.secrets.put('token', { value: 'another-long-secret' });
  expect((await client.secrets.activate('token', 1)).activeVersion).toBe(1);
  expect(await client.secrets.versions('token')).toMatchObject([{ active: false }, { version: 1, active: true }]);
  expect((await collect(client.secrets.all())).map(({ environments }) => environments)).toEqual([['dev']]);
  const credential = { type: 'bearer', secret: 'token' } as const;
  await client.integrations.create({ name: 'github', baseUrl: 'https://api.github.com', credential });
  const patched = await client.integrations.update('github', { timeouts: { totalMs: 1_000 } });
  expect(patched.timeouts).toMatchObject({ totalMs: 1_000, connectMs: 5_000 });
  await client.rules.create({ id: 'reads', effect: 'allow', integrations: ['github'] });
  expect((await client.rules.replace('reads', { effect: 'deny' })).effect).toBe('deny');
  expect((await client.rules.disable('reads')).disabled).toBe(true);
  const written = await collect(client.audit.allEvents({ type: 'secret.written', from: '2020-01-01' }));
  expect(written).toHaveLength(2);
  expect(await client.audit.event(written[0]?.id ?? '')).toEqual(written[0]);
});

test('templates are published for good, listed with the built-in ones, and found by name and version', async () => {
  const client = await clientOf('templates');
  const acme: TemplateInput = {
    name: 'acme',
    version: 1,
    provider: 'Acme',
    title: 'Acme',
    sources: ['https://docs.acme.example'],
    baseUrl: 'https://api.acme.example',
    credential: { type: 'bearer' },
    actions: [{ name: 'read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
  };
  const published = await client.templates.publish(acme);
  expect(published).toMatchObject({ ...acme, id: 'acme@1', builtin: false });
  expect(await client.templates.publish(acme)).toEqual(published);
  await expect(client.templates.publish({ ...acme, title: 'Other' })).rejects.toMatchObject({ code: 'conflict' });
  await client.templates.publish({ ...acme, version: 2 });
  expect((await collect(client.templates.allVersions('acme'))).map(({ id }) => id)).toEqual(['acme@2', 'acme@1']);
  expect(await client.templates.version('acme', 1)).toEqual(published);
  expect(await client.templates.get('acme@1')).toEqual(published);
  expect((await client.templates.get('acme')).version).toBe(2);
  const all = await collect(client.templates.all());
  expect(all.filter(({ builtin }) => !builtin).map(({ id }) => id)).toEqual(['acme@2']);
  expect(all.map(({ id }) => id)).toContain('github@1');
  await client.integrations.create({ name: 'acme', baseUrl: acme.baseUrl, template: 'acme@1' });
  expect((await client.integrations.get('acme')).template).toBe('acme@1');
});

test('a document is tried, applied, exported and applied again without a change; long lists are read to their end', async () => {
  const client = await clientOf('documents');
  const agents = Array.from({ length: 105 }, (_, index) => ({ name: `a${index}` }));
  const document = JSON.stringify({ version: 1, tenant: 'documents', agents });
  const trial = await client.apply(document, { dryRun: true });
  expect(trial.changes).toHaveLength(105);
  expect((await client.agents.list()).items).toEqual([]);
  expect((await client.apply(document)).changes).toEqual(trial.changes);
  expect(await collect(client.agents.all())).toHaveLength(105);
  expect((await client.apply(await client.export())).changes).toEqual([]);
  expect(JSON.parse(await client.export('json'))).toMatchObject({ version: 1, tenant: 'documents' });
  expect(await client.configSchema()).toHaveProperty('$schema');
});

test('a refusal carries the whole problem document, faults with their lines included', async () => {
  const refusal = await owner.apply('version: 1\nrulez: []\n').catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiProblem);
  expect(refusal).toMatchObject({
    code: 'validation_failed',
    status: 422,
    problem: { issues: [{ field: 'rulez', line: 2, message: expect.stringContaining('"rules"') }] },
  });
});

test('names that would lead elsewhere stay within their path', async () => {
  for (const id of ['../stats', 'a/keys', '?x', '%2e%2e', '..']) {
    await expect(owner.agents.get(id), id).rejects.toMatchObject({ code: 'not_found' });
  }
});
