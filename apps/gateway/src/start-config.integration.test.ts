import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { WriteDependencies } from '@postern/admin/configuration';
import { generateAgentKey } from '@postern/auth';
import { createDbRepositories, type DbClient, openSqlite, runInTransaction } from '@postern/db';
import { GLOBAL_TENANT } from '@postern/db/ports';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { createVault, deriveKeys, generateMasterKey, parseKeyRing } from '@postern/vault';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigFileError } from './config-file-error.ts';
import type { Environment } from './environment.ts';
import type { Log } from './log.ts';
import { readSettings } from './settings.ts';
import { applyStartConfig } from './start-config.ts';

const TENANT = 'default';

let folder: TemporaryFolder;
let db: DbClient;
let dependencies: WriteDependencies;
let warnings: string[];

beforeEach(async () => {
  folder = await temporaryFolder();
  db = await openSqlite({ file: path.join(folder.path, 'postern.db') });
  const repositories = createDbRepositories(db, { now: Date.now, newId: randomUUID });
  await repositories.tenants.create(TENANT);
  const keyRing = parseKeyRing(generateMasterKey());
  const [hmacKey] = deriveKeys(keyRing, 'agent-key');
  if (hmacKey === undefined) throw new Error('a key ring has at least one key');
  dependencies = {
    repositories,
    runInTransaction: (operation, context) => runInTransaction(db, operation, context),
    vault: createVault({ keyRing }),
    agentKeyHmacKeys: [hmacKey],
    now: Date.now,
    onChange: () => undefined,
    ownAddresses: {
      mayLeaveLoopback: false,
      gatewayListeners: () => [],
      follow: async () => undefined,
      faults: () => [],
    },
  };
  warnings = [];
});

afterEach(async () => {
  await db.close();
  await folder.remove();
});

const log = {
  logger: {
    info: () => undefined,
    warn: (line: string) => void warnings.push(line),
  },
} as unknown as Log;

const write = (name: string, text: string | object) =>
  writeFileSync(path.join(folder.path, name), typeof text === 'string' ? text : JSON.stringify(text));

function apply(environment: Environment = {}): Promise<readonly string[]> {
  const all = {
    POSTERN_DATA_DIR: path.join(folder.path, 'data'),
    POSTERN_CONFIG: path.join(folder.path, 'postern.yaml'),
    ...environment,
  };
  return applyStartConfig({ settings: readSettings(all), environment: all, log, dependencies });
}

const message = (environment?: Environment) =>
  apply(environment).then(
    () => 'applied',
    (error: unknown) => {
      if (!(error instanceof ConfigFileError)) throw error;
      return error.message;
    },
  );

const page = { limit: 100 };
const ruleIds = async (tenant = TENANT) => {
  const { items } = await dependencies.repositories.policyRules.listByTenant(tenant, page);
  return items.filter(({ disabledAt }) => disabledAt === undefined).map(({ id }) => id);
};
const integration = (name: string, more: object = {}) => ({ name, baseUrl: 'https://api.example.com', ...more });
const globalDeny = (id: string) => ({ id, effect: 'deny', hard: true });

describe('which files are read', () => {
  test('none when the variable is empty, and none when there is none', async () => {
    write('postern.yaml', 'nonsense');
    expect(await apply({ POSTERN_CONFIG: '' })).toEqual([]);
  });

  test('a named file must be there', async () => {
    expect(await message()).toMatch(/POSTERN_CONFIG: there is no file .*postern\.yaml/);
  });

  test.each([
    ['postern.yaml', 'postern.dev.yaml'],
    ['postern.yml', 'postern.dev.yml'],
    ['gateway.json', 'gateway.dev.json'],
    ['gateway', 'gateway.dev'],
  ])('%s and, beside it, %s for the environment dev', async (main, layer) => {
    write(main, { version: 1, agents: [{ name: 'one' }] });
    write(layer, { version: 1, agents: [{ name: 'two' }] });
    await apply({ POSTERN_CONFIG: path.join(folder.path, main), POSTERN_ENVIRONMENT: 'dev' });
    const { items } = await dependencies.repositories.agents.listByTenant(TENANT, page);
    expect(items.map(({ name }) => name)).toEqual(['one', 'two']);
  });

  test('no other environment’s', async () => {
    write('postern.yaml', { version: 1, agents: [{ name: 'one' }] });
    write('postern.dev.yaml', { version: 1, agents: [{ name: 'two' }] });
    await apply({ POSTERN_ENVIRONMENT: 'prod' });
    await apply({});
    expect((await dependencies.repositories.agents.listByTenant(TENANT, page)).items.length).toBe(1);
  });
});

describe('what is applied', () => {
  test('again changes nothing, and what the file no longer names goes', async () => {
    const key = generateAgentKey().key;
    write('postern.yaml', {
      version: 1,
      secrets: { token: { value: 'a-long-enough-secret' } },
      integrations: [integration('api', { credential: { type: 'bearer', secret: 'token' } })],
      agents: [{ name: 'coder', key }],
      rules: [{ id: 'all', effect: 'allow' }],
    });
    await apply();
    const { directory } = dependencies.repositories;
    const { revision } = await directory.changesSince(0);
    await apply();
    expect((await directory.changesSince(0)).revision).toBe(revision);
    write('postern.yaml', { version: 1, rules: [] });
    await apply();
    expect(await ruleIds()).toEqual([]);
    expect((await dependencies.repositories.integrations.listByTenant(TENANT, page)).items.length).toBe(1);
  });

  test('a value in clear is warned about with its line, and never told', async () => {
    write('postern.yaml', 'version: 1\nsecrets:\n  token: { value: a-long-enough-secret }\n');
    await apply();
    expect(warnings.join('\n')).toMatch(/postern\.yaml:3: secrets\.token.*in clear/);
    expect(warnings.join('\n')).not.toContain('a-long-enough-secret');
  });

  test('values come from the environment and from files beside the document', async () => {
    write('token', 'secret-of-a-file\n');
    write('postern.yaml', { version: 1, secrets: { a: { from: 'env:A' }, b: { from: 'file:token' } } });
    await apply({ A: 'secret-of-a-variable' });
    expect(warnings).toEqual([]);
    const { items } = await dependencies.repositories.secrets.listByTenant(TENANT, page);
    expect(items.map(({ name }) => name)).toEqual(['a', 'b']);
  });
});

describe('the ceiling of unsafe addresses', () => {
  const opened = { network: { unsafeAllowAddresses: ['10.1.0.0/16'] } };

  test('is what the files name, when nothing is set', async () => {
    write('postern.yaml', { version: 1, integrations: [integration('a', opened), integration('b')] });
    write('postern.dev.yaml', {
      version: 1,
      integrations: [integration('c', { network: { unsafeAllowAddresses: ['fd00::/8'] } })],
    });
    expect(await apply({ POSTERN_ENVIRONMENT: 'dev' })).toEqual(['10.1.0.0/16', 'fd00::/8']);
  });

  test('counts what the scorer of risk opens', async () => {
    const scorer = { baseUrl: 'https://10.2.0.1/v1', model: 'm', unsafeAllowAddresses: ['10.2.0.0/16'] };
    write('postern.yaml', { version: 1, risk: { scorer } });
    expect(await apply()).toEqual(['10.2.0.0/16']);
    expect(await message({ POSTERN_UNSAFE_ALLOW_ADDRESSES: '10.1.0.0/16' })).toMatch(
      /risk\.scorer\.unsafeAllowAddresses\[0\]/,
    );
  });

  test('is what is set, and then binds the files too', async () => {
    write('postern.yaml', { version: 1, integrations: [integration('a', opened)] });
    expect(await apply({ POSTERN_UNSAFE_ALLOW_ADDRESSES: '10.0.0.0/8' })).toEqual(['10.0.0.0/8']);
    expect(await message({ POSTERN_UNSAFE_ALLOW_ADDRESSES: '10.1.0.0/17' })).toMatch(
      /integrations\[0\]\.network\.unsafeAllowAddresses/,
    );
  });
});

describe('a layer', () => {
  const dev = { POSTERN_ENVIRONMENT: 'dev' };

  test('adds to every section and replaces what has the same name', async () => {
    write('postern.yaml', {
      version: 1,
      integrations: [integration('api'), integration('other')],
      rules: [{ id: 'reads', effect: 'allow', methods: ['GET'] }],
    });
    write('postern.dev.yaml', {
      version: 1,
      integrations: [integration('api', { disabled: true })],
      agents: [{ name: 'tester' }],
      rules: [{ id: 'more', effect: 'allow' }],
    });
    await apply(dev);
    const { integrations, agents } = dependencies.repositories;
    const found = (await integrations.listByTenant(TENANT, page)).items;
    expect(found.map(({ name, spec }) => [name, spec.disabled])).toEqual([
      ['api', true],
      ['other', false],
    ]);
    expect((await agents.listByTenant(TENANT, page)).items.map(({ name }) => name)).toEqual(['tester']);
    expect(await ruleIds()).toEqual(['more', 'reads']);
  });

  test('sets the section risk, where it has one', async () => {
    const risk = async () => (await dependencies.repositories.policySettings.getPolicySettings(TENANT)).risk;
    write('postern.yaml', { version: 1, risk: { review: 0.3 } });
    write('postern.dev.yaml', { version: 1 });
    await apply(dev);
    expect(await risk()).toMatchObject({ review: 0.3, deny: 0.9 });
    write('postern.dev.yaml', { version: 1, risk: { review: 0.7 } });
    await apply(dev);
    expect(await risk()).toMatchObject({ review: 0.7, deny: 0.9 });
  });

  test('adds global rules', async () => {
    write('postern.yaml', { version: 1, global: { rules: [globalDeny('one')] } });
    write('postern.dev.yaml', { version: 1, global: { rules: [globalDeny('two')] } });
    await apply(dev);
    expect(await ruleIds(GLOBAL_TENANT)).toEqual(['one', 'two']);
  });

  test.each<[string, object]>([
    ['an empty list', { version: 1, global: { rules: [] } }],
    ['other rules', { version: 1, global: { rules: [globalDeny('two')] } }],
    ['no global section', { version: 1 }],
  ])('with %s takes no global rule of the file away', async (_what, layer) => {
    write('postern.yaml', { version: 1, global: { rules: [globalDeny('one')] } });
    write('postern.dev.yaml', layer);
    await apply(dev);
    expect(await ruleIds(GLOBAL_TENANT)).toContain('one');
  });

  test.each<[string, object]>([
    ['as it is', globalDeny('one')],
    ['narrower', { ...globalDeny('one'), methods: ['DELETE'] }],
    ['switched off', { ...globalDeny('one'), disabled: true }],
  ])('that repeats a global rule %s is refused', async (_what, rule) => {
    write('postern.yaml', { version: 1, global: { rules: [globalDeny('one')] } });
    write('postern.dev.yaml', { version: 1, global: { rules: [globalDeny('zero'), rule] } });
    expect(await message(dev)).toMatch(/postern\.dev\.yaml: global\.rules\[1\]\.id: .*can only add/);
    expect(await ruleIds(GLOBAL_TENANT)).toEqual([]);
  });

  test.each<[string, object[]]>([
    ['an empty list', []],
    ['a rule of its own', [globalDeny('two')]],
  ])('with %s takes no global rule away that an earlier apply made', async (_what, rules) => {
    write('postern.yaml', { version: 1, global: { rules: [globalDeny('one')] } });
    await apply();
    write('postern.yaml', { version: 1 });
    write('postern.dev.yaml', { version: 1, global: { rules } });
    expect(await message(dev)).toMatch(/postern\.dev\.yaml: global: .*main file/);
    expect(await ruleIds(GLOBAL_TENANT)).toContain('one');
  });

  test('of another tenant is refused', async () => {
    write('postern.yaml', { version: 1 });
    write('postern.dev.yaml', { version: 1, tenant: 'other' });
    expect(await message(dev)).toMatch(/postern\.dev\.yaml: tenant: must be default/);
  });

  test('is named with its line when it is at fault', async () => {
    write('postern.yaml', 'version: 1\n');
    write('postern.dev.yaml', 'version: 1\nrules:\n  - id: x\n    effect: permit\n');
    expect(await message(dev)).toMatch(/postern\.dev\.yaml:4: rules\[0\]\.effect/);
  });

  test('reads its own files and variables by the same rules', async () => {
    write('postern.yaml', { version: 1 });
    write('postern.dev.yaml', 'version: 1\nsecrets:\n  s: { from: "env:POSTERN_MASTER_KEY" }\n');
    expect(await message(dev)).toMatch(/postern\.dev\.yaml:3: secrets\.s.*POSTERN_/);
  });
});

describe('a fault', () => {
  test.each<[string, string, RegExp]>([
    ['of the text', 'version: 1\nrules: [\n', /postern\.yaml:\d+: /],
    ['of a member', 'version: 1\nagents:\n  - name: a\n    trust: total\n', /postern\.yaml:4: agents\[0\]\.trust/],
    [
      'of a source',
      'version: 1\nsecrets:\n  s:\n    from: env:NOT_SET\n',
      /postern\.yaml:4: secrets\.s\.from: .*NOT_SET/,
    ],
    [
      'that only the whole shows',
      'version: 1\nagents:\n  - { name: a }\nrules:\n  - { id: x, effect: deny, agents: [b] }\n',
      /postern\.yaml:5: rules\[0\]\.agents\[0\]/,
    ],
  ])('%s is told with file, line and field, and nothing is applied', async (_what, text, says) => {
    write('postern.yaml', text);
    expect(await message()).toMatch(says);
    expect((await dependencies.repositories.agents.listByTenant(TENANT, page)).items).toEqual([]);
  });
});
