import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { type PostgresServer, startPostgresServer } from '@postern/testing';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import { openPostgres, type PostgresOptions } from './open-postgres.ts';
import { makeTestDatabase, type TestDatabase } from './postgres-harness.fixture.ts';

const UNAVAILABLE = { code: 'unavailable' };
const FIXTURE = path.join(import.meta.dirname, 'open-transaction.fixture.ts');

// A server of its own: nobody else's tests run on one that is killed.
let server: PostgresServer;
let database: TestDatabase;
const clients: DbClient[] = [];

beforeAll(async () => {
  server = await startPostgresServer();
  database = await makeTestDatabase(server.url);
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => server.close());

async function open(options: Partial<PostgresOptions> = {}): Promise<DbClient> {
  const client = await openPostgres({ url: database.url, ...options });
  clients.push(client);
  return client;
}

let tenantsMade = 0;
const repositoriesOf = (client: DbClient) => createDbRepositories(client, { now: () => 1, newId: () => 'id' });
const newName = () => `tenant-${++tenantsMade}`;
const makeTenant = (client: DbClient, name = newName()) => repositoriesOf(client).tenants.create(name);

/** One of each kind of work, so that every kind of connection has been used. */
async function useAll(client: DbClient): Promise<void> {
  const { tenants } = repositoriesOf(client);
  await makeTenant(client);
  await tenants.list({ limit: 1 });
  await tenants.getByName('acme');
  await runInTransaction(client, (context) => tenants.create(newName(), context));
}

/** The server may have ended a connection without its client having heard of it yet: that fails one statement on it. */
async function useAllSoon(client: DbClient): Promise<void> {
  for (let left = 20; left > 0; left -= 1) {
    const isDone = await useAll(client).then(
      () => true,
      () => false,
    );
    if (isDone) return;
  }
  await useAll(client);
}

function proxyTo(port: () => number): Promise<{ url: string; sockets: Set<Socket>; server: Server }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    const onward = connect(port(), '127.0.0.1');
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  return new Promise((resolve) => {
    proxy.listen(0, '127.0.0.1', () => {
      const url = new URL(database.url);
      url.port = String((proxy.address() as AddressInfo).port);
      resolve({ url: url.href, sockets, server: proxy });
    });
  });
}

describe('a server that is restarted', () => {
  test('fails what was under way, and then is used again without further ado', async () => {
    const client = await open();
    await useAll(client);
    const under = Promise.allSettled([sql`select pg_sleep(20)`.execute(client.points(INSTANCE_SCOPE))]);
    const transaction = client.transact(async (scope) => {
      await scope
        .kysely(INSTANCE_SCOPE)
        .insertInto('tenants')
        .values({ name: 'half', created_at: 1, revision: 0 })
        .execute();
      await server.restart();
      await scope.kysely(INSTANCE_SCOPE).selectFrom('tenants').select('name').execute();
    });
    for (const result of [...(await Promise.allSettled([transaction])), ...(await under)]) {
      expect(result).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
    }
    await useAll(client);
    expect(await repositoriesOf(client).tenants.getByName('half')).toBeUndefined();
  });

  test('that was killed keeps what was committed, and refuses at once while it is gone', async () => {
    const client = await open();
    const { name } = await makeTenant(client);
    await useAll(client);
    await server.stopHard();
    const asked = [makeTenant(client), repositoriesOf(client).tenants.list({ limit: 1 })];
    for (const result of await Promise.allSettled(asked)) {
      expect(result).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
    }
    await expect(openPostgres({ url: database.url })).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringContaining('ECONNREFUSED'),
    });
    await server.restart();
    await useAll(client);
    expect(await repositoriesOf(client).tenants.getByName(name)).toBeDefined();
  });

  test('is found on another port behind an address that stays', async () => {
    const proxy = await proxyTo(() => server.port);
    const client = await open({ url: proxy.url });
    await useAll(client);
    const former = server.port;
    await server.restart({ port: 'other' });
    expect(server.port).not.toBe(former);
    await useAll(client);
    proxy.server.close();
    for (const socket of proxy.sockets) socket.destroy();
    await expect(makeTenant(client)).rejects.toMatchObject(UNAVAILABLE);
    await server.restart({ port: former });
  });
});

describe('a server that stands still', () => {
  test('fails what asks it within a bounded time, and is used again when it goes on', async () => {
    const client = await open({ waitMs: 300, poolMax: 4 });
    await useAll(client);
    await server.freeze();
    const { tenants } = repositoriesOf(client);
    const begin = performance.now();
    const results = await Promise.allSettled([
      tenants.getByName('acme'),
      // This one finds no connection free.
      tenants.getByName('acme'),
      makeTenant(client, 'perhaps'),
      runInTransaction(client, (context) => tenants.create('never', context)),
      openPostgres({ url: database.url, waitMs: 300 }),
    ]);
    const lasted = performance.now() - begin;
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: UNAVAILABLE });
    expect(lasted).toBeLessThan(4_000);
    await server.thaw();
    await useAll(client);
    expect(await tenants.getByName('never')).toBeUndefined();
  });
});

describe('a connection that breaks', () => {
  test('fails its statement, which is not tried again, and is replaced', async () => {
    const client = await open();
    const kill = sql`
      with counted as (update instance set revision = revision + 1 returning 1)
      select pg_terminate_backend(pg_backend_pid()), (select count(*) from counted)`;
    const revision = async () =>
      (await client.points(INSTANCE_SCOPE).selectFrom('instance').select('revision').executeTakeFirst())?.revision;
    const before = await revision();
    for (const run of [
      () => kill.execute(client.writes(INSTANCE_SCOPE)),
      () => client.transact((scope) => kill.execute(scope.kysely(INSTANCE_SCOPE))),
      () => client.writeTogether(INSTANCE_SCOPE, [kill.compile(client.writes(INSTANCE_SCOPE))]),
    ]) {
      await expect(run()).rejects.toMatchObject(UNAVAILABLE);
      expect(await revision()).toBe(before);
      await useAll(client);
    }
  });

  test('and all others with it, time and again, leave a client that works', async () => {
    const client = await open();
    for (let round = 0; round < 5; round += 1) {
      await useAllSoon(client);
      const killing = sql`select pg_terminate_backend(pid) from pg_stat_activity
        where usename = current_user and pid <> pg_backend_pid() and datname = current_database()`;
      const working = Promise.allSettled(Array.from({ length: 10 }, () => makeTenant(client)));
      await killing.execute(client.points(INSTANCE_SCOPE));
      for (const result of await working) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject(UNAVAILABLE);
      }
    }
    await useAllSoon(client);
    await useAll(client);
  });
});

test('a node that stands still in a transaction holds up the others for seconds, and can commit nothing later', async () => {
  const client = await open();
  const node = fork(FIXTURE, [database.url], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  expect((await once(node, 'message'))[0]).toBe('open');
  node.kill('SIGSTOP');
  const begin = performance.now();
  const attempt = (): Promise<unknown> => useAll(client).catch(attempt);
  await attempt();
  expect(performance.now() - begin).toBeLessThan(15_000);
  node.kill('SIGCONT');
  node.send('go on');
  expect((await once(node, 'message'))[0]).toBe('unavailable');
  await once(node, 'exit');
  const { revision } = await client
    .points(INSTANCE_SCOPE)
    .selectFrom('instance')
    .select('revision')
    .executeTakeFirstOrThrow();
  expect(revision).not.toBe(99);
});
