import { readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { describe, expect, test } from 'vitest';
import { endOfCommand, startCommand } from './support/command-line.ts';
import { postern } from './support/postern.ts';
import { startGateway } from './support/start-gateway.ts';

const SCRIPT = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../package.json'), 'utf8')).scripts
  .seed as string;
const KEY = /^pst_[a-z0-9]{10}_[0-9A-Za-z]{49}\n$/;

/** `npm run seed`, without npm. */
function seed(folder: string, environment: Readonly<Record<string, string>>, args: readonly string[] = []) {
  expect(SCRIPT).toMatch(/^node [\w/.-]+$/);
  return endOfCommand(startCommand([SCRIPT.replace('node ', ''), ...args], { folder, environment }));
}

describe('npm run seed', () => {
  test('without a gateway fills the data folder, and the gateway that starts then knows the key', async () => {
    await using folder = await temporaryFolder();
    const dataFolder = path.join(folder.path, 'data');
    const first = await seed(folder.path, { POSTERN_DATA_DIR: dataFolder });
    expect(first.notes).toContain('Agent dev-agent (developer, trust medium) made');
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(KEY) });
    await using gateway = await startGateway({ dataFolder });
    const answer = await fetch(`${gateway.dataUrl}/v1/whoami`, { headers: { 'postern-key': first.out.trim() } });
    expect(await answer.json()).toMatchObject({
      agent: 'dev-agent',
      roles: ['developer'],
      trust: 'medium',
      tenant: 'default',
    });
    const { items } = (await postern(gateway, ['rules', 'list', '--json'])).json();
    expect(items.map(({ id }: { id: string }) => id).sort()).toEqual(
      ['developer-reads', 'developer-writes', 'no-administration', 'trusted-deletes'].sort(),
    );
  });

  test('with a gateway that runs asks that one; a second time it says what is there and makes no further key', async () => {
    await using folder = await temporaryFolder();
    await using gateway = await startGateway();
    const environment = { POSTERN_DATA_DIR: gateway.dataFolder };
    expect(await seed(folder.path, environment)).toMatchObject({ code: 0, out: expect.stringMatching(KEY) });
    const second = await seed(folder.path, environment);
    expect(second).toMatchObject({ code: 0, out: '' });
    expect(second.notes).toContain('Agent dev-agent was there already');
    expect(second.notes.match(/was there already/g)).toHaveLength(5);
    const keys = (await postern(gateway, ['agents', 'keys', 'list', 'dev-agent', '--json'])).json();
    expect(keys.items).toHaveLength(1);
  });

  test('finds a gateway elsewhere by POSTERN_ADMIN_URL, and leaves the data folder here alone', async () => {
    await using folder = await temporaryFolder();
    await using gateway = await startGateway();
    const place = { POSTERN_ADMIN_URL: gateway.adminUrl, POSTERN_ADMIN_TOKEN: gateway.adminToken };
    expect(await seed(folder.path, place)).toMatchObject({ code: 0, out: expect.stringMatching(KEY) });
    expect(await seed(folder.path, { ...place, POSTERN_ADMIN_TOKEN: 'wrong' })).toMatchObject({ code: 1, out: '' });
  });

  test('makes the key that a run which was cut off did not come to, and leaves a rule alone that is called the same', async () => {
    await using folder = await temporaryFolder();
    const own = { id: 'developer-reads', effect: 'deny', agents: ['role:auditing'] };
    await using gateway = await startGateway({ config: { version: 1, rules: [own] } });
    await postern(gateway, ['agents', 'create', 'dev-agent', '--role', 'developer', '--trust', 'medium']);
    const { out, notes } = await seed(folder.path, { POSTERN_DATA_DIR: gateway.dataFolder });
    expect(out).toMatch(KEY);
    expect(notes).toContain('Rule developer-reads was there already');
    expect((await postern(gateway, ['rules', 'show', 'developer-reads', '--json'])).json()).toMatchObject(own);
  });

  test('refuses with words what a start would refuse, and arguments', async () => {
    await using folder = await temporaryFolder();
    const refused = await seed(folder.path, { POSTERN_DATA_DIR: folder.path, POSTERN_DATABASE_URL: 'mysql://x' });
    expect(refused).toEqual({
      code: 1,
      out: '',
      notes: expect.stringMatching(/^postern: POSTERN_DATABASE_URL: is neither/),
    });
    expect(await seed(folder.path, {}, ['--tenant', 'x'])).toMatchObject({ code: 2, out: '' });
  });
});
