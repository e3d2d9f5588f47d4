import { sql } from 'kysely';
import pg, { type Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { MIGRATIONS, migrate } from '../migrate.ts';
import type { Migration } from '../migrations/migration.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { openPostgres } from './open-postgres.ts';
import { makeEmptyDatabase, type TestDatabase } from './postgres-harness.fixture.ts';
import { grantTo, roleFindings } from './role-findings.ts';

const NUMBERS = MIGRATIONS.map(({ number }) => number);
const number = MIGRATIONS.length + 1;
const next: Migration = { number, name: 'next', statements: () => ['create table extra (id bigint)'] };

let database: TestDatabase;
let clients: DbClient[] = [];

beforeEach(async () => {
  database = await makeEmptyDatabase();
});
afterEach(async () => {
  for (const client of clients) await client.close();
  clients = [];
  await database.drop();
});

async function open(url = database.ownerUrl, now = () => 7_000): Promise<DbClient> {
  const client = await openPostgres({ url, now });
  clients.push(client);
  return client;
}

async function asSuperuser(operation: (superuser: Client) => Promise<unknown>): Promise<void> {
  const superuser = new pg.Client(database.superuserUrl);
  superuser.on('error', () => undefined);
  await superuser.connect();
  await operation(superuser);
  await superuser.end();
}

const recorded = (client: DbClient) =>
  client.points(INSTANCE_SCOPE).selectFrom('schema_migrations').selectAll().orderBy('number').execute();

const extraTables = async (client: DbClient) =>
  (await sql`select 1 from pg_tables where tablename = 'extra'`.execute(client.points(INSTANCE_SCOPE))).rows.length;

describe('migrations', () => {
  test('are recorded with name and time, and taken once', async () => {
    const client = await open();
    expect(await recorded(client)).toEqual(
      MIGRATIONS.map((migration) => ({ number: migration.number, name: migration.name, applied_at: 7_000 })),
    );
    expect(await migrate(client)).toEqual([]);
    expect(await migrate(client, () => 8_000, [...MIGRATIONS, next])).toEqual([number]);
    expect(await migrate(client, () => 9_000, [...MIGRATIONS, next])).toEqual([]);
  });

  test('are told to whoever asked for them', async () => {
    const told: number[] = [];
    const client = await openPostgres({ url: database.ownerUrl, onMigration: (step) => told.push(step.number) });
    clients.push(client);
    expect(told).toEqual(NUMBERS);
  });

  test('of ten nodes that start at once are each taken once', async () => {
    const opened = await Promise.all(Array.from({ length: 10 }, () => open()));
    expect(await recorded(opened[9] as DbClient)).toHaveLength(MIGRATIONS.length);
    const { tenants } = createDbRepositories(opened[0] as DbClient, { now: () => 1, newId: () => 'id-1' });
    await tenants.create('acme');
    expect((await tenants.list({ limit: 5 })).items).toHaveLength(1);
  });

  test('whose connection is killed in the middle of a step leave nothing of the step, and go on at the next start', async () => {
    const client = await open();
    const killed: Migration = {
      ...next,
      statements: () => ['create table extra (id bigint)', 'select pg_terminate_backend(pg_backend_pid())'],
    };
    const migrating = migrate(client, Date.now, [...MIGRATIONS, killed]);
    await expect(migrating).rejects.toMatchObject({ code: 'unavailable' });
    expect(await extraTables(client)).toBe(0);
    expect(await migrate(client, Date.now, [...MIGRATIONS, next])).toEqual([number]);
    expect(await extraTables(client)).toBe(1);
  });

  test('that are interrupted before their record is written leave nothing either', async () => {
    const client = await open();
    let isFirst = true;
    const now = () => {
      if (!isFirst) return 1;
      isFirst = false;
      throw new Error('the node has died');
    };
    await expect(migrate(client, now, [...MIGRATIONS, next])).rejects.toThrow('the node has died');
    expect(await extraTables(client)).toBe(0);
    const broken: Migration = { ...next, statements: () => ['create table extra (id bigint)', 'create nonsense'] };
    await expect(migrate(client, Date.now, [...MIGRATIONS, broken])).rejects.toMatchObject({ code: 'unavailable' });
    expect(await extraTables(client)).toBe(0);
    expect(await recorded(client)).toHaveLength(MIGRATIONS.length);
  });

  test('of a newer program are refused, saying so, and so are others than ours', async () => {
    const newer = await open();
    await migrate(newer, Date.now, [...MIGRATIONS, next]);
    await expect(open()).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(new RegExp(`newer than this program.*migration ${number} \\(next\\)`)),
    });
    await asSuperuser((superuser) =>
      superuser.query(`delete from schema_migrations where number = ${number};
        update schema_migrations set name = 'other' where number = 1`),
    );
    await expect(open()).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('other') });
  });
});

describe('a role that owns nothing', () => {
  const grant = () =>
    asSuperuser(async (superuser) => {
      await superuser.query('set role postern_owner');
      for (const statement of grantTo('postern_app')) await superuser.query(statement);
    });

  test('is told to have the owner migrate, where something is missing', async () => {
    await expect(open(database.url)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/1 \(initial\).*postern_app may not run them.*`postern migrate` as the owner/),
    });
    await open();
    await asSuperuser((superuser) =>
      superuser.query(`set role postern_owner; grant select on schema_migrations to postern_app;
        delete from schema_migrations where number = ${number - 1}`),
    );
    await expect(open(database.url)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(`lacks the migrations ${number - 1} (`),
    });
  });

  test('works with what it is granted, also on tables that come later, and the statements may be run again', async () => {
    await open();
    await grant();
    await grant();
    const client = await open(database.url);
    expect(await roleFindings(client)).toEqual([]);
    await createDbRepositories(client, { now: () => 1, newId: () => 'id-1' }).tenants.create('acme');
    await migrate(clients[0] as DbClient, Date.now, [...MIGRATIONS, next]);
    await sql`insert into extra values (1)`.execute(client.writes(INSTANCE_SCOPE));
    await expect(sql`create table mine (id bigint)`.execute(client.writes(INSTANCE_SCOPE))).rejects.toMatchObject({
      code: 'unavailable',
    });
    const forging = client.writes(INSTANCE_SCOPE).deleteFrom('schema_migrations').execute();
    await expect(forging).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('is granted nothing by a name that is more than a name', () => {
    for (const statement of grantTo('a"; drop table agents; --')) {
      expect(statement).toContain('"a""; drop table agents; --"');
    }
  });
});
