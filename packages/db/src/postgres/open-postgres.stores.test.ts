import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import { openPostgres, type PostgresOptions } from './open-postgres.ts';
import { makeTestDatabase, type TestDatabase } from './postgres-harness.fixture.ts';
import { roleFindings } from './role-findings.ts';

const UNAVAILABLE = { code: 'unavailable' };

let database: TestDatabase;
const clients: DbClient[] = [];

beforeAll(async () => {
  database = await makeTestDatabase();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await database.clean();
});
afterAll(() => database.drop());

async function open(options: Omit<PostgresOptions, 'url'> = {}, url = database.url): Promise<DbClient> {
  const client = await openPostgres({ url, ...options });
  clients.push(client);
  return client;
}

let ids = 0;
const repositoriesOf = (client: DbClient) =>
  createDbRepositories(client, { now: () => 1_000, newId: () => `id-${++ids}` });

const points = (client: DbClient) => client.points(INSTANCE_SCOPE);
const writes = (client: DbClient) => client.writes(INSTANCE_SCOPE);

describe('opening a PostgreSQL database', () => {
  test('is refused where it cannot be, without telling the password', async () => {
    const wrong = (change: (url: URL) => void) => {
      const url = new URL(database.url);
      change(url);
      return url.href;
    };
    const urls = [
      wrong((url) => {
        url.password = 'not-the-password';
      }),
      wrong((url) => {
        url.pathname = '/nothing-of-this-name';
      }),
      wrong((url) => {
        url.port = '1';
      }),
      wrong((url) => {
        url.hostname = 'nowhere.invalid';
      }),
    ];
    for (const url of urls) {
      const error: unknown = await open({}, url).catch((caught: unknown) => caught);
      expect(error).toMatchObject(UNAVAILABLE);
      expect(String(error)).not.toMatch(/not-the-password|only-for-tests/);
    }
    for (const url of ['', 'mysql://a:secret@b/c', 'postgres://a:secret@b,c/d', 'postgres://[']) {
      const error: unknown = await open({}, url).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: expect.stringMatching(/^(invalid|unavailable)$/) });
      expect(String(error)).not.toContain('secret');
    }
  });

  test('is refused for a database in another encoding', async () => {
    const server = new pg.Client(inject('postgresUrl'));
    await server.connect();
    const name = `${database.name}_latin`;
    await server.query(`create database ${name} template template0 encoding 'LATIN1' locale_provider libc locale 'C'`);
    const url = new URL(inject('postgresUrl'));
    url.pathname = `/${name}`;
    await expect(open({}, url.href)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('LATIN1'),
    });
    await server.query(`drop database ${name}`);
    await server.end();
  });

  test('sets what the repositories rely on, whatever is set for the role and the database', async () => {
    const server = new pg.Client(database.superuserUrl);
    await server.connect();
    for (const setting of ["default_transaction_isolation = 'serializable'", "bytea_output = 'escape'"]) {
      await server.query(`alter database ${database.name} set ${setting}`);
    }
    await server.end();
    const client = await open();
    const read = async (name: string) =>
      (await sql<{ value: string }>`select current_setting(${name}) as value`.execute(writes(client))).rows[0]?.value;
    expect(await read('transaction_isolation')).toBe('read committed');
    expect(await read('bytea_output')).toBe('hex');
    for (const name of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) {
      expect(await read(name)).toBe('5s');
    }
    expect(await read('transaction_timeout')).toBe('10s');
  });

  test('tells what of the role weakens the second wall', async () => {
    const codesOf = async (url: string) => (await roleFindings(await open({}, url))).map(({ code }) => code);
    expect(await codesOf(database.url)).toEqual([]);
    expect(await codesOf(database.ownerUrl)).toEqual(['owns_tables']);
    expect(await codesOf(database.superuserUrl)).toEqual(['superuser']);
  });

  test('tells when the server answers before what it answers is on its disk', async () => {
    const server = new pg.Client(database.superuserUrl);
    await server.connect();
    await server.query(`alter database ${database.name} set synchronous_commit = off`);
    await server.end();
    expect((await roleFindings(await open())).map(({ code }) => code)).toEqual(['commits_before_disk']);
  });
});

describe('values', () => {
  test('no text holds a NUL, no index a text that is too long, and neither is told again', async () => {
    const client = await open();
    const { tenants } = repositoriesOf(client);
    for (const name of ['hunter2\0', 'hunter2'.repeat(100_000).replaceAll('u', () => String(Math.random()))]) {
      const error: unknown = await tenants.create(name).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'invalid' });
      expect(String(error)).not.toContain('hunter');
    }
    await tenants.create('acme');
    const twice: unknown = await tenants.create('acme').catch((caught: unknown) => caught);
    expect(twice).toMatchObject({ code: 'conflict', message: expect.stringContaining('tenants_pkey of tenants') });
    expect(String(twice)).not.toContain('acme');
  });

  test('a number beyond 2^53 that somebody stored is refused, not rounded', async () => {
    const client = await open();
    await sql`update instance set revision = 9007199254740993`.execute(writes(client));
    await expect(points(client).selectFrom('instance').selectAll().execute()).rejects.toMatchObject({
      code: 'invalid',
    });
    expect(await points(client).selectFrom('instance').select('id').execute()).toEqual([{ id: 1 }]);
  });

  test('texts are ordered byte by byte, whatever the database does by itself', async () => {
    const client = await open();
    const { tenants } = repositoriesOf(client);
    const names = ['b', 'B', 'a', 'ä', 'A', 'a-b', 'a_b', 'ab', 'Z'];
    for (const name of names) await tenants.create(name);
    const { items } = await tenants.list({ limit: 50 });
    const bytes = (name: string) => Buffer.from(name);
    expect(items.map(({ name }) => name)).toEqual(names.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b))));
    const { rows } = await sql<{ place: string }>`
      select c.table_name || '.' || c.column_name as place from information_schema.columns c
        join information_schema.tables t using (table_schema, table_name)
        where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type = 'text'
          and c.collation_name is distinct from 'C'`.execute(points(client));
    expect(rows).toEqual([]);
  });

  test('an entry that names a NUL is found like any other', async () => {
    const client = await open();
    const { audit, tenants } = repositoriesOf(client);
    await tenants.create('acme');
    for (const [agent, reason] of [
      ['one', 'with \0 in it'],
      ['two', 'with \\u0000 and \\\0 in it'],
      ['two', 'plain'],
    ] as const) {
      await runInTransaction(client, (context) =>
        audit.append({ tenant: 'acme', type: 'denied', at: 1_000, agent, reason }, context),
      );
    }
    const found = await audit.query('acme', { agent: 'two', limit: 10 });
    expect(found.items.map(({ reason }) => reason)).toEqual(['plain', 'with \\u0000 and \\\0 in it']);
    expect((await audit.query('acme', { from: 1_000, agent: 'one', limit: 10 })).items).toHaveLength(1);
  });
});

test('a closed client refuses', async () => {
  const client = await open();
  const { tenants } = repositoriesOf(client);
  await Promise.all([client.close(), client.close()]);
  await expect(tenants.getByName('acme')).rejects.toMatchObject({
    ...UNAVAILABLE,
    message: expect.stringContaining('closed'),
  });
  await expect(tenants.list({ limit: 1 })).rejects.toMatchObject(UNAVAILABLE);
  await expect(runInTransaction(client, async () => 1)).rejects.toMatchObject(UNAVAILABLE);
});
