import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { configDocumentSchema } from '@postern/schemas';
import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { fieldText } from '../validation/check-shape.ts';
import { resolveSources, type SourceAccess } from './resolve-sources.ts';

async function resolveSecret(from: string, access: SourceAccess) {
  const document = configDocumentSchema.parse({ version: 1, secrets: { s: { from } } });
  const { document: resolved, issues } = await resolveSources(document, access);
  return (
    resolved?.secrets?.get('s')?.value ?? issues.map(({ path: place, message }) => `${fieldText(place)}: ${message}`)
  );
}

const env = { TOKEN: 'from-the-environment', EMPTY: '', POSTERN_MASTER_KEY: 'k:secret', postern_admin_token: 'secret' };

test.each<[string, string | string[]]>([
  ['env:TOKEN', 'from-the-environment'],
  ['env:MISSING', ['secrets.s.from: the environment has no variable MISSING']],
  ['env:EMPTY', ['secrets.s.from: env:EMPTY is empty']],
  [
    'env:POSTERN_MASTER_KEY',
    ["secrets.s.from: must not name a variable that begins with POSTERN_: those are the gateway's own"],
  ],
  [
    'env:postern_admin_token',
    ["secrets.s.from: must not name a variable that begins with POSTERN_: those are the gateway's own"],
  ],
])('%s gives %j', async (from, expected) => {
  expect(await resolveSecret(from, { allowFrom: true, env, folder: '/' })).toEqual(expected);
});

test('files are read relative to the document, without the line break at their end', async () => {
  await using folder = await temporaryFolder();
  await writeFile(path.join(folder.path, 'token'), 'line one\nline two\n');
  const access = { allowFrom: true, env, folder: folder.path } as const;
  expect(await resolveSecret('file:token', access)).toBe('line one\nline two');
  expect(await resolveSecret(`file:${folder.path}/token`, access)).toBe('line one\nline two');
  expect(await resolveSecret('file:other', access)).toEqual([
    `secrets.s.from: the file ${path.join(folder.path, 'other')} cannot be read (ENOENT)`,
  ]);
});

test('no way leads into the data folder, while its neighbours can be read', async () => {
  await using folder = await temporaryFolder();
  const dataFolder = path.join(folder.path, 'data');
  await mkdir(dataFolder);
  await writeFile(path.join(dataFolder, 'master-key'), 'the-master-key');
  await writeFile(path.join(folder.path, 'data-of-mine'), 'readable');
  await symlink(path.join(dataFolder, 'master-key'), path.join(folder.path, 'link'));
  await symlink(dataFolder, path.join(folder.path, 'folder-link'));
  const access = { allowFrom: true, env, folder: folder.path, dataFolder } as const;
  for (const name of ['data/master-key', './x/../data/master-key', 'link', 'folder-link/master-key']) {
    expect(await resolveSecret(`file:${name}`, access)).toEqual([
      'secrets.s.from: must not name a file inside the data folder',
    ]);
  }
  expect(await resolveSecret('file:data-of-mine', access)).toBe('readable');
});

test("the process's own environment is not read by way of a file", async () => {
  const access = { allowFrom: true, env, folder: '/' } as const;
  expect(await resolveSecret('file:/proc/self/environ', access)).toEqual([
    'secrets.s.from: must not name a file of /proc',
  ]);
});

test('where references are not allowed every one is refused, and values pass', async () => {
  const document = configDocumentSchema.parse({
    version: 1,
    secrets: { a: { from: 'env:TOKEN' }, b: { value: 'given-value' } },
    integrations: [{ name: 'i', baseUrl: 'https://a.example', tls: { ca: { from: 'file:ca.pem' } } }],
    agents: [
      { name: 'x', key: { from: 'env:KEY' } },
      { name: 'y', key: 'given' },
    ],
  });
  const { document: resolved, issues } = await resolveSources(document, { allowFrom: false });
  expect(resolved).toBeUndefined();
  expect(issues.map(({ path: place }) => fieldText(place))).toEqual([
    'secrets.a.from',
    'integrations[0].tls.ca.from',
    'agents[0].key.from',
  ]);
  expect(issues[0]?.message).toBe('is read by the command line and for the start-up file alone; give the value');
});

test('values that stand in clear are warned about', async () => {
  const document = configDocumentSchema.parse({
    version: 1,
    secrets: { a: { value: 'in-clear' }, b: { from: 'env:TOKEN' } },
    agents: [{ name: 'y', key: 'given' }],
  });
  const { warnings } = await resolveSources(document, { allowFrom: true, env, folder: '/' });
  expect(warnings.map(({ path: place }) => fieldText(place))).toEqual(['secrets.a', 'agents[0].key']);
  expect(JSON.stringify(warnings)).not.toContain('in-clear');
});
