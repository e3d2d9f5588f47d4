import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { intentOf } from '../conformance/journal-calls.ts';
import { MIGRATIONS, migrate } from '../migrate.ts';
import type { Migration } from '../migrations/migration.ts';
import { DbError } from '../ports/db-error.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import { createSqliteCallJournal } from './call-journal.ts';
import { openSqlite, type SqliteOptions, workersOf } from './open-sqlite.ts';

let folder: TemporaryFolder;
let file: string;
let clients: DbClient[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'postern.db');
});
afterEach(async () => {
  for (const client of clients) await client.close();
  clients = [];
  await folder.remove();
});

async function open(options: Omit<SqliteOptions, 'file'> = {}): Promise<DbClient> {
  const client = await openSqlite({ file, ...options });
  clients.push(client);
  return client;
}

const repositoriesOf = (client: DbClient) => createDbRepositories(client, { now: () => 1_000, newId: () => 'id-1' });

describe('opening a SQLite file', () => {
  test('makes it readable by its owner alone, with the files beside it', async () => {
    const client = await open();
    await repositoriesOf(client).tenants.create('acme');
    for (const name of ['postern.db', 'postern.db-wal', 'postern.db-shm']) {
      expect(statSync(path.join(folder.path, name)).mode & 0o777).toBe(0o600);
    }
  });

  test('sets what durability and references need', async () => {
    const client = await open();
    const read = async (pragma: string) =>
      Object.values(
        (await sql<Record<string, unknown>>`pragma ${sql.raw(pragma)}`.execute(client.writes(INSTANCE_SCOPE)))
          .rows[0] ?? {},
      );
    expect(await read('journal_mode')).toEqual(['wal']);
    expect(await read('synchronous')).toEqual([2]);
    expect(await read('foreign_keys')).toEqual([1]);
  });

  test('keeps what an earlier program stored', async () => {
    const first = await open();
    await repositoriesOf(first).tenants.create('acme');
    await first.close();
    expect(await repositoriesOf(await open()).tenants.getByName('acme')).toBeDefined();
  });

  test('is refused where there is no folder, and for a file that is no database', async () => {
    const nowhere = openSqlite({ file: path.join(folder.path, 'none', 'postern.db') });
    await expect(nowhere).rejects.toMatchObject({ code: 'unavailable' });
    writeFileSync(
      file,
      'this is a letter to my aunt, and it is longer than the head of a database file would be.'.repeat(20),
    );
    await expect(open()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('not a database'),
    });
  });

  test('the connections for reading can write nothing', async () => {
    const client = await open();
    for (const connection of [client.points(INSTANCE_SCOPE), client.lists(INSTANCE_SCOPE)]) {
      await expect(sql`delete from tenants`.execute(connection)).rejects.toThrow(DbError);
    }
    expect(await client.points(INSTANCE_SCOPE).selectFrom('tenants').selectAll().execute()).toHaveLength(1);
  });
});

describe('migrations', () => {
  const number = MIGRATIONS.length + 1;
  const next: Migration = { number, name: 'next', statements: () => ['create table extra (id integer)'] };

  test('are recorded with name and time, and taken once', async () => {
    const client = await open({ now: () => 7_000 });
    const recorded = await client.points(INSTANCE_SCOPE).selectFrom('schema_migrations').selectAll().execute();
    expect(recorded).toEqual(MIGRATIONS.map(({ number, name }) => ({ number, name, applied_at: 7_000 })));
    expect(await migrate(client)).toEqual([]);
    expect(await migrate(client, () => 8_000, [...MIGRATIONS, next])).toEqual([number]);
    expect(await migrate(client, () => 9_000, [...MIGRATIONS, next])).toEqual([]);
  });

  test('are numbered from 1 without gaps', () => {
    expect(MIGRATIONS.map((migration) => migration.number)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });

  test('a step that fails leaves nothing behind', async () => {
    const client = await open();
    const broken: Migration = { ...next, statements: () => ['create table extra (id integer)', 'create nonsense'] };
    await expect(migrate(client, Date.now, [...MIGRATIONS, broken])).rejects.toThrow(DbError);
    expect(await migrate(client, Date.now, [...MIGRATIONS, next])).toEqual([number]);
  });

  test('a database that a newer program has migrated is refused, saying so', async () => {
    const newer = await open();
    await migrate(newer, Date.now, [...MIGRATIONS, next]);
    await newer.close();
    await expect(open()).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(new RegExp(`newer than this program.*migration ${number} \\(next\\)`)),
    });
  });

  test('a database whose record names another step is refused', async () => {
    const client = await open();
    await migrate(client, Date.now, [...MIGRATIONS, next]);
    const other = { ...next, name: 'other' };
    await expect(migrate(client, Date.now, [...MIGRATIONS, other])).rejects.toMatchObject({ code: 'invalid' });
  });

  test('two programs that start at once take each step once', async () => {
    const both = await Promise.all([open(), open()]);
    for (const client of both) {
      expect(await client.points(INSTANCE_SCOPE).selectFrom('schema_migrations').selectAll().execute()).toHaveLength(
        MIGRATIONS.length,
      );
    }
  });
});

describe('a transaction that takes too long', () => {
  test('is rolled back, so that what waits behind it goes on', async () => {
    const client = await open({ transactionMs: 100 });
    const { tenants } = repositoriesOf(client);
    const journal = createSqliteCallJournal(client, { node: 'one', boot: 'a', now: () => 1_000 });
    const tooLong = runInTransaction(client, async (context) => {
      await tenants.create('acme', context);
      // Returns only once the transaction is over.
      await journal.commitIntent(intentOf('r-1'));
      await tenants.create('beta', context);
    });
    await expect(tooLong).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('100 ms') });
    expect(await tenants.getByName('acme')).toBeUndefined();
    expect(await tenants.getByName('beta')).toBeUndefined();
    await tenants.create('acme');
  });

  test('is refused its commit', async () => {
    const client = await open({ transactionMs: 50 });
    const { tenants } = repositoriesOf(client);
    const journal = createSqliteCallJournal(client, { node: 'one', boot: 'a', now: () => 1_000 });
    const tooLong = runInTransaction(client, async (context) => {
      await tenants.create('acme', context);
      await journal.commitIntent(intentOf('r-1'));
    });
    await expect(tooLong).rejects.toMatchObject({ code: 'unavailable' });
    expect(await tenants.getByName('acme')).toBeUndefined();
  });
});

describe('when the end comes', () => {
  test('a writing worker that dies refuses every call, pending and later, and says so', async () => {
    const client = await open();
    const journal = createSqliteCallJournal(client, { node: 'one', boot: 'a', now: () => 1_000 });
    const pending = [journal.commitIntent(intentOf('r-1')), repositoriesOf(client).tenants.create('beta')];
    await workersOf(client).writer.terminate();
    const unavailable = { code: 'unavailable' };
    for (const result of await Promise.allSettled(pending)) {
      expect(result).toMatchObject({ status: 'rejected', reason: unavailable });
    }
    expect(await client.failed).toMatchObject(unavailable);
    await expect(journal.commitIntent(intentOf('r-2'))).rejects.toMatchObject(unavailable);
    await expect(repositoriesOf(client).tenants.create('acme')).rejects.toMatchObject(unavailable);
    await expect(journal.recover()).rejects.toMatchObject(unavailable);
    await expect(runInTransaction(client, async () => 1)).rejects.toMatchObject(unavailable);
  });

  test('a reading worker that dies fails its list alone, and the next list works', async () => {
    const client = await open();
    const { tenants } = repositoriesOf(client);
    await tenants.create('acme');
    await tenants.list({ limit: 5 });
    const pending = tenants.list({ limit: 5 });
    await workersOf(client).reader.running()?.terminate();
    await expect(pending).rejects.toMatchObject({ code: 'unavailable' });
    expect((await tenants.list({ limit: 5 })).items).toHaveLength(1);
  });

  test('a reading worker that nobody asks ends, and the next list starts another', async () => {
    const client = await open({ readerIdleMs: 50 });
    const { reader } = workersOf(client);
    const { tenants } = repositoriesOf(client);
    await tenants.create('acme');
    expect(reader.running()).toBeUndefined();
    for (let round = 0; round < 3; round += 1) {
      expect((await tenants.list({ limit: 5 })).items).toHaveLength(1);
      expect(reader.running()).toBeDefined();
      await vi.waitFor(() => expect(reader.running()).toBeUndefined());
    }
  });

  test('a reading worker stays while lists follow each other', async () => {
    const client = await open({ readerIdleMs: 200 });
    const { reader } = workersOf(client);
    const { tenants } = repositoriesOf(client);
    await tenants.list({ limit: 5 });
    const first = reader.running();
    for (let asked = 0; asked < 10; asked += 1) {
      await delay(50);
      await tenants.list({ limit: 5 });
    }
    expect(reader.running()).toBe(first);
  });

  test('a closed client refuses', async () => {
    const client = await open();
    const { tenants } = repositoriesOf(client);
    await Promise.all([client.close(), client.close()]);
    await expect(tenants.getByName('acme')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(tenants.list({ limit: 1 })).rejects.toMatchObject({ code: 'unavailable' });
  });
});

test('a journal is made only on a client of openSqlite, for a node and a boot with a name', async () => {
  const client = await open();
  const options = { node: 'one', boot: 'a', now: () => 1_000 };
  expect(() => createSqliteCallJournal({ ...client }, options)).toThrow(DbError);
  expect(() => createSqliteCallJournal(client, { ...options, node: '' })).toThrow(DbError);
  expect(() => createSqliteCallJournal(client, { ...options, boot: '' })).toThrow(DbError);
});
