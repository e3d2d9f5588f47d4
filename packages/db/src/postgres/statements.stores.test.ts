import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { AGENT } from '../conformance/harness.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import { openPostgres, type PostgresOptions } from './open-postgres.ts';
import { makeTestDatabase, type TestDatabase } from './postgres-harness.fixture.ts';

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

describe('statements', () => {
  test('that only read can write nothing', async () => {
    const client = await open();
    await repositoriesOf(client).tenants.create('acme');
    for (const connection of [points(client), client.lists(INSTANCE_SCOPE)]) {
      await expect(sql`delete from tenants where name = 'acme'`.execute(connection)).rejects.toMatchObject(UNAVAILABLE);
    }
    const reading = client.readTogether(INSTANCE_SCOPE, [writes(client).deleteFrom('tenants').compile()]);
    await expect(reading).rejects.toMatchObject(UNAVAILABLE);
    expect(await repositoriesOf(client).tenants.getByName('acme')).toBeDefined();
    // What failed left nothing open on its connection.
    expect(
      await client.readTogether(INSTANCE_SCOPE, [points(client).selectFrom('tenants').selectAll().compile()]),
    ).toHaveLength(1);
  });

  test('of all kinds are prepared, a bounded number of them', async () => {
    const client = await open({ poolMax: 4 });
    for (let count = 1; count <= 400; count += 1) {
      const names = Array.from({ length: count }, (_, index) => `t-${index}`);
      await points(client).selectFrom('tenants').select('name').where('name', 'in', names).execute();
    }
    const { rows } = await sql<{ count: number }>`select count(*) as count from pg_prepared_statements`.execute(
      points(client),
    );
    expect(rows[0]?.count).toBeGreaterThan(200);
    expect(rows[0]?.count).toBeLessThanOrEqual(257);
  });

  test('with more parameters than the protocol counts are refused', async () => {
    const client = await open();
    const names = Array.from({ length: 65_536 }, (_, index) => `t-${index}`);
    const reading = points(client).selectFrom('tenants').select('name').where('name', 'in', names).execute();
    await expect(reading).rejects.toMatchObject({ code: 'invalid' });
  });

  test('that fail do not spoil the ones after them', async () => {
    const client = await open({ poolMax: 4 });
    const { tenants } = repositoriesOf(client);
    await tenants.create('acme');
    for (let count = 0; count < 20; count += 1) await tenants.create('acme').catch(() => undefined);
    await sql`select 1 / 0`.execute(points(client)).catch(() => undefined);
    await sql`select`.execute(points(client));
    await expect(sql`select from`.execute(points(client))).rejects.toMatchObject(UNAVAILABLE);
    expect((await tenants.list({ limit: 5 })).items).toHaveLength(1);
    const { rows } = await sql<{
      name: string;
    }>`select name from pg_prepared_statements where statement like 'insert%'`.execute(writes(client));
    expect(rows.length).toBeLessThanOrEqual(1);
  });

  test('that take too long are ended, on the server as well', async () => {
    const client = await open({ waitMs: 200 });
    const slow = sql`select pg_sleep(30)`.execute(points(client));
    await expect(slow).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('57014') });
  });

  test('wait for a free connection for a bounded time', async () => {
    const client = await open({ waitMs: 300, poolMax: 4 });
    const sleeping = (ms: number) => sql`select pg_sleep(${ms / 1_000}::float8)`.execute(points(client));
    const results = await Promise.allSettled([sleeping(250), sleeping(250), sleeping(1)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(results[2]).toMatchObject({
      reason: { ...UNAVAILABLE, message: expect.stringContaining('no connection was free') },
    });
    expect((await sleeping(1)).rows).toHaveLength(1);
  });

  test('by key wait neither for lists nor for writers', async () => {
    const client = await open({ poolMax: 4 });
    const { tenants } = repositoriesOf(client);
    await runInTransaction(client, async (context) => {
      const list = sql`select pg_sleep(0.3)`.execute(client.lists(INSTANCE_SCOPE));
      const written = tenants.create('beside');
      await tenants.create('acme', context);
      expect(await tenants.getByName('beside')).toBeUndefined();
      await list;
      void written.catch(() => undefined);
    });
  });
});

describe('a transaction', () => {
  test('that takes too long is rolled back, so that what waits behind it goes on', async () => {
    const client = await open({ transactionMs: 100 });
    const { tenants } = repositoriesOf(client);
    const tooLong = runInTransaction(client, async (context) => {
      await tenants.create('acme', context);
      // Returns only once the transaction is over.
      await tenants.create('beside');
      await tenants.create('beta', context);
    });
    await expect(tooLong).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('100 ms') });
    expect((await tenants.list({ limit: 5 })).items.map(({ name }) => name)).toEqual(['beside']);
    await runInTransaction(client, (context) => tenants.create('acme', context));
  });

  test('that takes too long is refused its commit', async () => {
    const client = await open({ transactionMs: 50 });
    const { tenants } = repositoriesOf(client);
    const tooLong = runInTransaction(client, async (context) => {
      await tenants.create('acme', context);
      await tenants.create('beside');
    });
    await expect(tooLong).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('50 ms') });
    expect(await tenants.getByName('acme')).toBeUndefined();
  });

  test('whose server stands still in a statement is over as well', async () => {
    const client = await open({ transactionMs: 100 });
    const inside = client.transact((scope) => sql`select pg_sleep(1)`.execute(scope.kysely(INSTANCE_SCOPE)));
    await expect(inside).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('100 ms') });
    // The server goes on with the statement until its end; whoever comes next waits for that, and then is served.
    await repositoriesOf(client).tenants.create('acme');
  });

  test('in which a statement failed stores nothing, even when its user has caught that', async () => {
    const client = await open();
    const { tenants } = repositoriesOf(client);
    await tenants.create('acme');
    const caught = runInTransaction(client, async (context) => {
      await tenants.create('beta', context);
      await tenants.create('acme', context).catch(() => undefined);
    });
    await expect(caught).rejects.toMatchObject({ code: 'conflict' });
    const goesOn = runInTransaction(client, async (context) => {
      await tenants.create('acme', context).catch(() => undefined);
      await tenants.create('gamma', context);
    });
    await expect(goesOn).rejects.toMatchObject({ code: 'conflict' });
    expect((await tenants.list({ limit: 5 })).items.map(({ name }) => name)).toEqual(['acme']);
  });

  test('runs its statements one after the other, whoever asks for them at once', async () => {
    const client = await open();
    const { agents, audit, tenants } = repositoriesOf(client);
    await tenants.create('acme');
    const entries = await runInTransaction(client, async (context) => {
      const names = Array.from({ length: 20 }, (_, index) => `agent-${index}`);
      await Promise.all(names.map((name) => agents.create('acme', { ...AGENT, name }, 'api', context)));
      const drafts = names.map((agent) => ({ tenant: 'acme', type: 'denied' as const, at: 1_000, agent }));
      return Promise.all(drafts.map((draft) => audit.append(draft, context)));
    });
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect((await agents.listByTenant('acme', { limit: 50 })).items).toHaveLength(20);
  });

  test('of another node comes before or after it, and so does each write', async () => {
    const [one, two] = [await open(), await open()];
    await repositoriesOf(one).tenants.create('acme');
    const { id } = await repositoriesOf(one).agents.create('acme', AGENT, 'api');
    const increment = (client: DbClient) =>
      runInTransaction(client, async (context) => {
        const { agents } = repositoriesOf(client);
        const current = await agents.getById('acme', id, context);
        await agents.update('acme', id, AGENT, { ifVersion: current?.version ?? 0 }, context);
      });
    const write = (client: DbClient) => repositoriesOf(client).agents.update('acme', id, AGENT, {});
    const rounds = Array.from({ length: 10 }, () => [increment(one), write(two), increment(two), write(one)]);
    await Promise.all(rounds.flat());
    expect(await repositoriesOf(two).agents.getById('acme', id)).toMatchObject({ version: 41 });
  });
});
