import { existsSync } from 'node:fs';
import path from 'node:path';
import { MIGRATIONS } from '@postern/db';
import { temporaryFolder } from '@postern/testing';
import { describe, expect, test } from 'vitest';
import { command, endOfCommand, startCommand } from './support/command-line.ts';
import { ask, makeRoledDatabase } from './support/postgres-database.ts';
import { startGateway } from './support/start-gateway.ts';

const POSTERN = 'apps/cli/bin/postern.js';

describe('postern migrate on SQLite', () => {
  test('takes the steps that are missing, says which, and takes none a second time', async () => {
    await using folder = await temporaryFolder();
    const place = { folder: folder.path, environment: { POSTERN_DATABASE_URL: `sqlite:${folder.path}/own.db` } };
    const first = await command(['migrate'], place);
    expect(first).toMatchObject({ code: 0, out: `The database is up to date: ${MIGRATIONS.length} steps taken.\n` });
    expect(first.notes).toContain(`0001 initial done (1 of ${MIGRATIONS.length})\n`);
    expect(await command(['migrate'], place)).toMatchObject({
      code: 0,
      out: 'The database was up to date.\n',
      notes: '',
    });
    const { out } = await command(['migrate', '--json'], place);
    expect(JSON.parse(out)).toEqual({ taken: [] });
  });

  test('with --check says what is missing, changes nothing and makes no file', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'own.db');
    const check = ['migrate', '--check', '--json', '--database-url', `sqlite:${file}`];
    const missing = await command(check, { folder: folder.path });
    expect(missing.code).toBe(1);
    expect(JSON.parse(missing.out).missing).toEqual(MIGRATIONS.map(({ number, name }) => ({ number, name })));
    expect(existsSync(file)).toBe(false);
    await command(['migrate', '--database-url', `sqlite:${file}`], { folder: folder.path });
    expect(await command(check, { folder: folder.path })).toMatchObject({ code: 0, out: '{\n  "missing": []\n}\n' });
  });

  test('also while a gateway works on the data folder', async () => {
    await using gateway = await startGateway();
    const place = { folder: gateway.dataFolder, environment: { POSTERN_DATA_DIR: gateway.dataFolder } };
    expect(await command(['migrate'], place)).toMatchObject({ code: 0, out: 'The database was up to date.\n' });
    expect(await command(['migrate', '--check'], place)).toMatchObject({ code: 0 });
    expect((await fetch(`${gateway.dataUrl}/readyz`)).status).toBe(200);
  });
});

describe('postern migrate on PostgreSQL', () => {
  test('as the owner makes the tables and gives the gateways’ role its rights; that role can look, and cannot migrate', async () => {
    await using folder = await temporaryFolder();
    await using database = await makeRoledDatabase();
    const as = (url: string) => ({ folder: folder.path, environment: { POSTERN_DATABASE_URL: url } });
    expect((await command(['migrate', '--check'], as(database.ownerUrl))).code).toBe(1);
    const refused = await command(['migrate'], as(database.gatewaysUrl));
    expect(refused).toMatchObject({ code: 1, notes: expect.stringContaining('run `postern migrate` as the owner') });

    const migrated = await command(['migrate', '--grant-to', database.role, '--json'], as(database.ownerUrl));
    expect(migrated.code).toBe(0);
    expect(JSON.parse(migrated.out)).toEqual({
      taken: MIGRATIONS.map(({ number, name }) => ({ number, name })),
      grantedTo: database.role,
    });
    expect(await command(['migrate', '--check'], as(database.gatewaysUrl))).toMatchObject({ code: 0 });
    expect(await command(['migrate'], as(database.gatewaysUrl))).toMatchObject({ code: 0 });
    // Granted again, and to whom there is not.
    expect((await command(['migrate', '--grant-to', database.role], as(database.ownerUrl))).out).toContain(
      database.role,
    );
    const nobody = await command(['migrate', '--grant-to', 'nobody_of_ours'], as(database.ownerUrl));
    expect(nobody).toMatchObject({ code: 1, notes: expect.stringContaining('"nobody_of_ours" does not exist') });

    await ask(database.superuserUrl, `delete from schema_migrations where number = ${MIGRATIONS.length}`);
    expect((await command(['migrate', '--check'], as(database.gatewaysUrl))).code).toBe(1);
    await ask(database.superuserUrl, `insert into schema_migrations values (9999, 'later', 0)`);
    const newer = await command(['migrate', '--check'], as(database.gatewaysUrl));
    expect(newer).toMatchObject({ code: 1, notes: expect.stringContaining('newer than this program') });
  });

  test('killed at its first step is begun again, and two at once take each step once', async () => {
    await using folder = await temporaryFolder();
    await using database = await makeRoledDatabase();
    const place = { folder: folder.path, environment: { POSTERN_DATABASE_URL: database.ownerUrl } };
    const killed = startCommand([POSTERN, 'migrate'], place);
    killed.stderr?.once('data', () => killed.kill('SIGKILL'));
    await endOfCommand(killed);
    const runs = await Promise.all([1, 2].map(() => endOfCommand(startCommand([POSTERN, 'migrate', '--json'], place))));
    expect(runs.map(({ code, notes }) => (code === 0 ? 'done' : notes))).toEqual(['done', 'done']);
    const steps = runs.flatMap(({ out }) => JSON.parse(out).taken.map(({ number }: { number: number }) => number));
    expect(new Set(steps).size).toBe(steps.length);
    const recorded = await ask(database.superuserUrl, 'select number::int from schema_migrations order by number');
    expect(recorded.map(({ number }) => number)).toEqual(MIGRATIONS.map(({ number }) => number));
  });

  test('says why a database is not to be had, and never its password', async () => {
    await using folder = await temporaryFolder();
    const url = 'postgres://postern:hunter2-hunter2@127.0.0.1:9/postern';
    for (const args of [['migrate'], ['migrate', '--check'], ['migrate', '--database-url', url]]) {
      const { code, out, notes } = await command(args, {
        folder: folder.path,
        environment: { POSTERN_DATABASE_URL: url },
      });
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(notes).toMatch(/^postern: .*PostgreSQL/);
      expect(notes).not.toContain('hunter2');
    }
  });
});
