import { sql } from 'kysely';
import pg, { type Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { AGENT } from '../conformance/harness.ts';
import type { DbRepositories } from '../ports/repositories.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import { openPostgres } from './open-postgres.ts';
import { makeTestDatabase, type TestDatabase } from './postgres-harness.fixture.ts';

/** Tables without a tenant's rows. Whoever makes a table either gives it a policy or names it here. */
const INSTANCE_TABLES = [
  'background_leases',
  'instance',
  'instance_marks',
  'node_leases',
  'nodes',
  'schema_migrations',
];

let database: TestDatabase;
let client: DbClient;
let repositories: DbRepositories;
let plain: Client;
let superuser: Client;

beforeAll(async () => {
  database = await makeTestDatabase();
  client = await openPostgres({ url: database.url });
  let ids = 0;
  repositories = createDbRepositories(client, { now: () => 1_000, newId: () => `id-${++ids}` });
  [plain, superuser] = [new pg.Client(database.url), new pg.Client(database.superuserUrl)];
  for (const each of [plain, superuser]) await each.connect();
});
afterEach(() => database.clean());
afterAll(async () => {
  for (const each of [plain, superuser]) await each.end();
  await client.close();
  await database.drop();
});

interface Table {
  readonly name: string;
  readonly is_forced: boolean;
  readonly policies: number;
  readonly columns: readonly string[];
}

async function tables(): Promise<readonly Table[]> {
  const { rows } = await superuser.query(`
    select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as is_forced,
      (select count(*)::int from pg_policy p where p.polrelid = c.oid and p.polcmd = '*' and p.polpermissive) as policies,
      array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
    from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace order by c.relname`);
  return rows as Table[];
}

/**
 * Two rows in every table, with whatever their columns take: what matters is that they are there. All numbers of a row are one, so that those
 * which lie in a log or in a stored request lie in the tenant's. Checks and references are not looked at.
 */
async function fillAll(tenants: readonly [string, string]): Promise<void> {
  await superuser.query('set session_replication_role = replica');
  for (const { name } of await tables()) {
    for (const [index, tenant] of tenants.entries()) await fillOne(name, tenant, index + 100);
  }
  await superuser.query('set session_replication_role = origin');
}

/** Columns that lead to a tenant. */
const OWNERS = ['tenant', 'log', 'request'];

function isOfTenant({ name, columns }: Table): boolean {
  return name === 'tenants' || OWNERS.some((owner) => columns.includes(owner));
}

/** Constraints that hold a form for a column are dropped for it; the database is the test's own. */
async function fillOne(table: string, tenant: string, number: number): Promise<void> {
  const { rows: checks } = await superuser.query(
    `select conname as name from pg_constraint where contype = 'c' and conrelid = $1::regclass`,
    [table],
  );
  for (const { name } of checks) await superuser.query(`alter table ${table} drop constraint "${name}"`);
  const { rows: columns } = await superuser.query(
    `select column_name as name, data_type as type from information_schema.columns
      where table_schema = 'public' and table_name = $1 and (is_nullable = 'NO' or column_name = 'tenant')`,
    [table],
  );
  const values: Record<string, unknown> = { text: `x${number}`, bigint: number, jsonb: '{}', bytea: '' };
  const ownName = table === 'tenants' ? 'name' : 'tenant';
  const row = columns.map(({ name, type }) => (name === ownName ? tenant : values[type]));
  await superuser.query(
    `insert into ${table} (${columns.map(({ name }) => `"${name}"`).join(', ')}) values (${row.map((_, at) => `$${at + 1}`).join(', ')})
      on conflict do nothing`,
    row,
  );
}

/** What the plain role sees of a table, when a transaction names a tenant, or none. */
async function countSeen(table: string, tenant: string | undefined): Promise<number> {
  await plain.query('begin');
  if (tenant !== undefined) await plain.query(`select set_config('postern.tenant', $1, true)`, [tenant]);
  const { rows } = await plain.query(`select count(*)::int as count from ${table}`);
  await plain.query('rollback');
  return rows[0].count;
}

/** How a write of the plain role ends: the rows it changed, or the server's code. */
async function write(statement: string, tenant: string | undefined): Promise<number | string> {
  await plain.query('begin');
  try {
    if (tenant !== undefined) await plain.query(`select set_config('postern.tenant', $1, true)`, [tenant]);
    return (await plain.query(statement)).rowCount ?? 0;
  } catch (error) {
    const { code, routine } = error as { code?: string; routine?: string };
    return routine === 'ExecWithCheckOptions' ? `${code} ${routine}` : String(code);
  } finally {
    await plain.query('rollback');
  }
}

describe('row security', () => {
  test('is forced on every table but those of the instance, which have no tenant', async () => {
    const all = await tables();
    expect(all.length).toBeGreaterThan(40);
    const open = all.filter(({ is_forced, policies }) => !is_forced || policies !== 1);
    expect(open.map(({ name }) => name)).toEqual(INSTANCE_TABLES);
    expect(open.filter(isOfTenant)).toEqual([]);
  });

  test('shows and takes no row of any table while no tenant is named, and a tenant’s own rows alone when one is', async () => {
    const guarded = (await tables()).filter(({ name }) => !INSTANCE_TABLES.includes(name));
    await fillAll(['acme', 'beta']);
    for (const table of guarded) {
      const { name } = table;
      const { rows } = await superuser.query(`select count(*)::int as count from ${name}`);
      const all: number = rows[0].count;
      expect([name, all > 0]).toEqual([name, true]);
      expect([name, await countSeen(name, undefined)]).toEqual([name, 0]);
      expect([name, await countSeen(name, '')]).toEqual([name, 0]);
      expect([name, await countSeen(name, '*')]).toEqual([name, all]);
      for (const tenant of ['acme', 'beta']) {
        expect([name, tenant, await countSeen(name, tenant)]).toEqual([name, tenant, isOfTenant(table) ? 1 : 0]);
      }
      expect([name, await countSeen(name, 'gamma')]).toEqual([name, 0]);
      expect([name, await write(`delete from ${name}`, undefined)]).toEqual([name, 0]);
      expect([name, await write(`delete from ${name}`, 'gamma')]).toEqual([name, 0]);
      // Of what others have, a copy is taken by nobody.
      await superuser.query(`create table copies as table ${name}; grant select on copies to postern_app`);
      for (const tenant of [undefined, 'gamma']) {
        expect([name, await write(`insert into ${name} select * from copies limit 1`, tenant)]).toEqual([
          name,
          '42501 ExecWithCheckOptions',
        ]);
      }
      await superuser.query('drop table copies');
    }
  });

  test('is not what a plain role can take away', async () => {
    for (const statement of [
      'alter table agents disable row level security',
      'alter table agents no force row level security',
      'drop policy of_tenant on agents',
      'create policy all_of_it on agents using (true)',
      'set role postern_owner',
      'set session authorization postgres',
      'truncate agents',
      `insert into schema_migrations values (99, 'forged', 0)`,
    ]) {
      expect([statement, await write(statement, '*')]).toEqual([statement, '42501']);
    }
    expect(await write('set local row_security = off', '*')).toBe(0);
    await plain.query('begin; set local row_security = off');
    await expect(plain.query('select count(*) from agents')).rejects.toMatchObject({ code: '42501' });
    await plain.query('rollback');
  });
});

describe('the tenant of a statement', () => {
  async function makeAgents(): Promise<void> {
    for (const tenant of ['acme', 'beta']) {
      await repositories.tenants.create(tenant);
      await repositories.agents.create(tenant, AGENT, 'api');
    }
  }
  const namesSeen = async (kysely: ReturnType<DbClient['points']>) =>
    (await kysely.selectFrom('agents').select('tenant').orderBy('tenant').execute()).map(({ tenant }) => tenant);

  test('holds for statements without a condition of their own', async () => {
    await makeAgents();
    for (const kind of ['points', 'lists', 'writes'] as const) {
      expect(await namesSeen(client[kind]('acme'))).toEqual(['acme']);
      expect(await namesSeen(client[kind]('gamma'))).toEqual([]);
      expect(await namesSeen(client[kind](INSTANCE_SCOPE))).toEqual(['acme', 'beta']);
    }
    const compiled = client.points('acme').selectFrom('agents').select('tenant').compile();
    const [together] = await client.readTogether('beta', [compiled]);
    expect(together?.rows).toEqual([{ tenant: 'beta' }]);
    await client.writeTogether('beta', [client.writes('beta').updateTable('agents').set({ owner: 'b' }).compile()]);
    const { rows } = await superuser.query('select tenant from agents where owner is not null');
    expect(rows).toEqual([{ tenant: 'beta' }]);
  });

  test('changes within a transaction with whoever is named, and ends with it', async () => {
    await makeAgents();
    await client.transact(async (scope) => {
      expect(await namesSeen(scope.kysely('acme'))).toEqual(['acme']);
      const both = await Promise.all([namesSeen(scope.kysely('beta')), namesSeen(scope.kysely(INSTANCE_SCOPE))]);
      expect(both).toEqual([['beta'], ['acme', 'beta']]);
    });
    for (let count = 0; count < 20; count += 1) {
      const { rows } = await sql<{ tenant: string }>`select current_setting('postern.tenant', true) as tenant`.execute(
        client.points(`tenant-${count}`),
      );
      expect(rows).toEqual([{ tenant: `tenant-${count}` }]);
    }
  });

  test('is no way into another’s rows, whatever its name is', async () => {
    await makeAgents();
    for (const name of ["acme'", "' or true --", 'acme\\', '%', 'ACME', ' acme', 'acme ', '', '**']) {
      expect(await namesSeen(client.points(name))).toEqual([]);
    }
    await expect(namesSeen(client.points('acme\0'))).rejects.toMatchObject({ code: 'invalid' });
  });

  test('refuses a row of another tenant', async () => {
    await makeAgents();
    const foreign = client.writes('acme').insertInto('notices').values({ tenant: 'beta', subject: 's', told_at: 0 });
    await expect(foreign.execute()).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('row security'),
    });
    const moved = client.writes('acme').updateTable('agents').set({ tenant: 'beta', name: 'moved', id: 'moved' });
    await expect(moved.execute()).rejects.toMatchObject({ code: 'invalid' });
    const within = runInTransaction(client, async (context) => {
      await repositories.audit.append({ tenant: 'beta', type: 'denied', at: 1_000 }, context);
      await repositories.audit.append({ tenant: 'acme', type: 'denied', at: 1_000 }, context);
    });
    await within;
    expect([await repositories.audit.size('acme'), await repositories.audit.size('beta')]).toEqual([1, 1]);
  });

  test('does not stand in the way of references', async () => {
    await makeAgents();
    const other = client
      .writes('acme')
      .insertInto('policy_settings')
      .values({ tenant: 'acme', risk: '{}', version: 1, updated_at: 0 });
    await other.execute();
    const nowhere = repositories.policySettings.setRisk('gamma', { labels: {}, thresholds: [] } as never);
    await expect(nowhere).rejects.toMatchObject({ code: 'not_found' });
    const { items } = await repositories.agents.listByTenant('acme', { limit: 5 });
    await repositories.agents.remove('acme', items[0]?.id ?? '');
    expect((await repositories.agents.listByTenant('beta', { limit: 5 })).items).toHaveLength(1);
  });
});
