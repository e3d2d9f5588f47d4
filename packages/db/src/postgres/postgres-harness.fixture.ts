import { createHash, randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import pg from 'pg';
import { inject } from 'vitest';
import type { DbClient } from '../client.ts';
import type { DbHarness } from '../conformance/harness.ts';
import { MIGRATIONS } from '../migrate.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { POSTGRES_CAPABILITIES } from './capabilities.ts';
import { openPostgres } from './open-postgres.ts';
import { grantTo } from './role-findings.ts';

/** A database of its own, made from a migrated template, with the URLs of those who use it. */
export interface TestDatabase {
  readonly name: string;
  /** Of the plain role, which owns nothing: as Postern connects. */
  readonly url: string;
  /** Of the role that owns the tables. */
  readonly ownerUrl: string;
  /** Of the server's superuser. */
  readonly superuserUrl: string;
  /** Back to what it held when it was made, and to no settings of its own. */
  clean(): Promise<void>;
  drop(): Promise<void>;
}

export interface PostgresHarness extends DbHarness {
  readonly url: string;
  readonly ownerUrl: string;
  readonly superuserUrl: string;
}

const OWNER = 'postern_owner';
const PLAIN = 'postern_app';
const PASSWORD = 'only-for-tests';
/** Of the roles and the template, which files that run at once make once. */
const LOCK = 7_001;

/**
 * PostgreSQL under a plain role. Databases are cleaned and used again within a test file: making one takes longer than most tests.
 * Without `serverUrl` (of a superuser) it is the run's server.
 */
export async function makePostgresHarness(serverUrl: string = inject('postgresUrl')): Promise<PostgresHarness> {
  const place = free.pop() ?? (await makePlace(serverUrl));
  const { database, clock, client } = place;
  clock.nowMs = 1_000_000;
  let ids = 0;
  const others: DbClient[] = [];
  return {
    client,
    repositories: createDbRepositories(client, { now: () => clock.nowMs, newId: () => `id-${++ids}` }),
    clock,
    url: database.url,
    ownerUrl: database.ownerUrl,
    superuserUrl: database.superuserUrl,
    async connectAgain() {
      const again = await openPostgres({ url: database.url, now: () => clock.nowMs });
      others.push(again);
      return again;
    },
    async close() {
      for (const each of others) await each.close();
      await database.clean();
      free.push(place);
    },
  };
}

/** Ends what harnesses of this file have kept; for `afterAll`. */
export async function closePostgresHarnesses(): Promise<void> {
  for (const { client, database } of free.splice(0)) {
    await client.close();
    await database.drop();
  }
}

interface Place {
  readonly database: TestDatabase;
  readonly clock: { nowMs: number };
  readonly client: DbClient;
}

const free: Place[] = [];

async function makePlace(serverUrl: string): Promise<Place> {
  const database = await makeTestDatabase(serverUrl);
  const clock = { nowMs: 0 };
  const client = await openPostgres({ url: database.url, now: () => clock.nowMs });
  return { database, clock, client };
}

/** Back to what the template holds. References are not looked at meanwhile. */
const CLEAN = `do $$
declare each record;
begin
  set local session_replication_role = replica;
  for each in select tablename as name from pg_tables where schemaname = 'public' loop
    execute format('delete from public.%I', each.name);
    if to_regclass(format('seeds.%I', each.name)) is not null then
      execute format('insert into public.%I select * from seeds.%I', each.name, each.name);
    end if;
  end loop;
  for each in select format('public.%I', sequencename) as name from pg_sequences where schemaname = 'public' loop
    perform setval(each.name, 1, false);
  end loop;
end $$`;

const KEEP_SEEDS = `do $$
declare each record; has_rows boolean;
begin
  create schema seeds;
  for each in select tablename as name from pg_tables where schemaname = 'public' loop
    execute format('select exists (select 1 from public.%I)', each.name) into has_rows;
    if has_rows then execute format('create table seeds.%I as table public.%I', each.name, each.name); end if;
  end loop;
end $$`;

/** A new database of the newest form. */
export async function makeTestDatabase(serverUrl: string = inject('postgresUrl')): Promise<TestDatabase> {
  return newDatabase(serverUrl, await makeTemplate(serverUrl));
}

/** A new database of the owner, in which nothing is. */
export async function makeEmptyDatabase(serverUrl: string = inject('postgresUrl')): Promise<TestDatabase> {
  await withServer(serverUrl, makeRoles);
  return newDatabase(serverUrl, 'template0');
}

async function newDatabase(serverUrl: string, template: string): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  await withServer(serverUrl, async (server) => {
    await server.query(`create database ${name} template ${template} owner ${OWNER} strategy file_copy`);
  });
  const superuserUrl = urlOf(serverUrl, name);
  let cleaner: Client | undefined;
  return {
    name,
    url: urlOf(serverUrl, name, PLAIN),
    ownerUrl: urlOf(serverUrl, name, OWNER),
    superuserUrl,
    async clean() {
      cleaner ??= await connect(superuserUrl);
      await cleaner.query(CLEAN);
      await cleaner.query(`alter database ${name} reset all`);
    },
    async drop() {
      await cleaner?.end();
      await withServer(serverUrl, async (server) => void (await server.query(`drop database ${name} with (force)`)));
    },
  };
}

/** Named by what is in it, so that no run takes the template of another program. */
async function makeTemplate(serverUrl: string): Promise<string> {
  const statements = MIGRATIONS.flatMap((migration) => migration.statements(POSTGRES_CAPABILITIES));
  const name = `postern_${createHash('sha256').update(statements.join(';')).digest('hex').slice(0, 12)}`;
  await withServer(serverUrl, async (server) => {
    await makeRoles(server);
    const { rows } = await server.query('select 1 from pg_database where datname = $1', [name]);
    if (rows.length > 0) return;
    const unfinished = `${name}_unfinished`;
    await server.query(`drop database if exists ${unfinished}`);
    await server.query(`create database ${unfinished} template template0 owner ${OWNER}`);
    await fill(urlOf(serverUrl, unfinished, OWNER), urlOf(serverUrl, unfinished));
    await server.query(`alter database ${unfinished} rename to ${name}`);
  });
  return name;
}

async function fill(ownerUrl: string, superuserUrl: string): Promise<void> {
  await (await openPostgres({ url: ownerUrl, now: () => 0 })).close();
  const owner = await connect(ownerUrl);
  for (const statement of grantTo(PLAIN)) await owner.query(statement);
  await owner.end();
  const superuser = await connect(superuserUrl);
  await superuser.query(KEEP_SEEDS);
  await superuser.end();
}

async function makeRoles(server: Client): Promise<void> {
  for (const role of [OWNER, PLAIN]) {
    const { rows } = await server.query('select 1 from pg_roles where rolname = $1', [role]);
    if (rows.length === 0) await server.query(`create role ${role} login password '${PASSWORD}'`);
  }
}

/** One file at a time, whatever runs beside it. */
async function withServer(serverUrl: string, operation: (server: Client) => Promise<void>): Promise<void> {
  const server = await connect(serverUrl);
  try {
    await server.query('select pg_advisory_lock($1)', [LOCK]);
    await operation(server);
  } finally {
    await server.end();
  }
}

async function connect(url: string): Promise<Client> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function urlOf(serverUrl: string, database: string, role?: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  if (role !== undefined) [url.username, url.password] = [role, PASSWORD];
  return url.href;
}
