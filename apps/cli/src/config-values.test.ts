import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { resolveConfigValues } from './config-values.ts';
import { recordedContext } from './context.test-support.ts';
import { readYamlFile } from './yaml-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'postern-config-values-'));
writeFileSync(path.join(folder, 'ca.pem'), 'CERTIFICATE');
afterAll(() => rmSync(folder, { recursive: true }));

async function resolve(text: string) {
  const file = await readYamlFile(recordedContext({ workingFolder: folder, inputText: text }), '-');
  return resolveConfigValues(file, {
    environment: { TOKEN: 'the-token', KEY: 'the-key' },
    folder,
    dataFolder: path.join(folder, '.postern'),
  });
}

describe('references of a configuration', () => {
  test('are replaced by values in every place that takes one, and nowhere else', async () => {
    const { document, literals } = await resolve(`
version: 1
secrets:
  token: { from: env:TOKEN, environments: [dev] }
agents:
  - { name: coder, key: { from: env:KEY } }
  - { name: other }
integrations:
  - { name: api, tls: { ca: { from: file:ca.pem } } }
  - { name: open, tls: { ca: null } }
rules:
  - { id: odd, from: env:TOKEN }
`);
    expect(document).toEqual({
      version: 1,
      secrets: { token: { value: 'the-token', environments: ['dev'] } },
      agents: [{ name: 'coder', key: { value: 'the-key' } }, { name: 'other' }],
      integrations: [
        { name: 'api', tls: { ca: 'CERTIFICATE' } },
        { name: 'open', tls: { ca: null } },
      ],
      rules: [{ id: 'odd', from: 'env:TOKEN' }],
    });
    expect(literals).toEqual([]);
  });

  test('that stand in clear are told', async () => {
    const { literals } = await resolve(
      'secrets: { a: { value: x } }\nagents: [{ name: b, key: pst_x }, { name: c, key: { value: y } }]',
    );
    expect(literals).toEqual(['secrets.a', 'agents[0].key', 'agents[1].key']);
  });

  test('that cannot be read are all told, with their lines', async () => {
    const text = 'secrets:\n  a: { from: env:ABSENT }\n  b:\n    from: env:POSTERN_ADMIN_TOKEN\n  c: { from: 5 }\n';
    await expect(resolve(text)).rejects.toMatchObject({
      lines: [
        'stdin:2: secrets.a.from: the environment has no variable ABSENT',
        expect.stringMatching(/^stdin:4: secrets\.b\.from: must not name a variable that begins with POSTERN_/),
        'stdin:5: secrets.c.from: must be text',
      ],
    });
  });

  test('in a document of another form are left for the gateway to refuse', async () => {
    expect((await resolve('secrets: [1]\nagents: text\nintegrations: { tls: 1 }')).document).toEqual({
      secrets: [1],
      agents: 'text',
      integrations: { tls: 1 },
    });
  });
});
