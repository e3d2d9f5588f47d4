import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import pg from 'pg';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DbErrorCode } from '../ports/db-error.ts';
import {
  closePostgresHarnesses,
  makeEmptyDatabase,
  makePostgresHarness,
  type PostgresHarness,
} from '../postgres/postgres-harness.fixture.ts';
import { openSqlite } from '../sqlite/open-sqlite.ts';
import { fillEveryTable } from './every-table.fixture.ts';
import { type ImportOptions, importDatabase } from './import-database.ts';
import { IMPORTED_TABLES, LEFT_TABLES } from './imported-tables.ts';

const NOW = 1_800_000_000_000;

let folder: TemporaryFolder;
let from: string;
let target: PostgresHarness;

beforeEach(async () => {
  folder = await temporaryFolder();
  from = path.join(folder.path, 'postern.db');
  await (await openSqlite({ file: from })).close();
  target = await makePostgresHarness();
});

afterEach(async () => {
  await target.close();
  await folder.remove();
});

afterAll(closePostgresHarnesses);

const start = (more: Partial<ImportOptions> = {}) => importDatabase({ from, to: target.ownerUrl, now: NOW, ...more });

async function refusal(operation: Promise<unknown>): Promise<{ code: DbErrorCode; message: string }> {
  const outcome = await operation.then(
    () => undefined,
    (error) => error,
  );
  return { code: outcome?.code, message: outcome?.message };
}

/** As the superuser, for whom row security does not hold. */
async function query(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(target.superuserUrl);
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

function inSource(statement: string): void {
  const database = new DatabaseSync(from);
  database.exec(statement);
  database.close();
}

describe('the list of tables', () => {
  const listed = [...IMPORTED_TABLES.map(({ table }) => table), ...LEFT_TABLES];

  test('names every table of the database, and no other', async () => {
    const rows = await query(`select tablename from pg_tables where schemaname = 'public'`);
    expect([...listed].sort()).toEqual(rows.map(({ tablename }) => tablename).sort());
  });

  test('has each table behind those that it refers to', async () => {
    const references = await query(
      `select conrelid::regclass::text as child, confrelid::regclass::text as parent from pg_constraint where contype = 'f'`,
    );
    expect(references.length).toBeGreaterThan(10);
    for (const { child, parent } of references) {
      expect(listed.indexOf(String(parent)), `${child} refers to ${parent}`).toBeLessThan(
        listed.indexOf(String(child)),
      );
    }
  });

  test('tells the rows that a fresh database has', async () => {
    for (const { table, seeded = 'false' } of IMPORTED_TABLES) {
      const [count] = await query(`select count(*)::int as rows from ${table} where not (${seeded})`);
      expect(count?.['rows'], table).toBe(0);
    }
  });
});

describe('an import', () => {
  test('brings every kind of row of every table', async () => {
    fillEveryTable(from);
    const report = await start();
    expect(report.outcome).toBe('stored');
    expect(report.tables.filter(({ source }) => source.rows === 0).map(({ table }) => table)).toEqual([]);
    expect(report.tables.filter(({ source, target: there }) => source.digest !== there.digest)).toEqual([]);
    expect(report.logs.map(({ tenant, source }) => [tenant, source?.entries])).toEqual([
      ['acme', 2],
      ['gone', 2],
    ]);
  });

  test('keeps the bytes of audit entries, and JSON as JSON', async () => {
    fillEveryTable(from);
    await start();
    const database = new DatabaseSync(from);
    const entries = database.prepare('select entry from audit_entries order by place').all();
    const spec = database.prepare(`select spec from integrations where id = 'in1'`).get()?.['spec'];
    database.close();
    expect(await query('select entry from audit_entries order by place')).toEqual(entries.map((row) => ({ ...row })));
    const [integration] = await query(`select spec, jsonb_typeof(spec) as kind from integrations where id = 'in1'`);
    expect(integration).toEqual({ spec: JSON.parse(String(spec)), kind: 'object' });
    const [chunk] = await query('select sealed from sealed_chunks where number = 0');
    expect([...((chunk?.['sealed'] ?? []) as Buffer)]).toEqual([0, 255, 92, 34, 123]);
  });

  test('lets counted keys go on behind those that came', async () => {
    fillEveryTable(from);
    await start();
    const next = await query(
      `select pg_get_serial_sequence('stored_answers', 'answer') as name, nextval(pg_get_serial_sequence('stored_answers', 'answer'))::int as key
       union all select 'entries', nextval(pg_get_serial_sequence('audit_entries', 'place'))::int
       union all select 'leases', nextval(pg_get_serial_sequence('node_leases', 'lease'))::int`,
    );
    expect(next.map(({ key }) => key)).toEqual([100, 104, 4]);
  });

  test('of a fresh database brings what it has', async () => {
    const report = await start();
    expect(report.outcome).toBe('stored');
    expect(report.tables.filter(({ source }) => source.rows > 0).map(({ table }) => table)).toEqual([
      'instance',
      'tenants',
    ]);
  });

  test('that is done a second time finds all there, and changes nothing', async () => {
    fillEveryTable(from);
    await start();
    const before = await query('select xmin::text, place::text from audit_entries order by place');
    expect((await start()).outcome).toBe('equal');
    expect(await query('select xmin::text, place::text from audit_entries order by place')).toEqual(before);
  });

  test('tells how far it is', async () => {
    fillEveryTable(from);
    const told: string[] = [];
    await start({
      onProgress: ({ phase, table, rows, rowsInAll }) => told.push(`${phase} ${table} ${rows}/${rowsInAll}`),
    });
    expect(told).toContain('copy audit_entries 4/4');
    expect(told).toContain('compare audit_entries 4/4');
  });

  test('takes many rows in several batches', async () => {
    inSource(`insert into audit_logs (log, tenant) values (1, 'default');
      with recursive n(i) as (select 0 union all select i + 1 from n where i < 4999)
      insert into audit_entries (log, seq, entry) select 1, i, '{"seq":' || i || ',"pad":"' || hex(randomblob(600)) || '"}' from n`);
    const report = await start();
    expect(report.outcome).toBe('stored');
    expect(report.logs).toHaveLength(1);
    expect(report.logs[0]?.target).toEqual(report.logs[0]?.source);
    expect(report.logs[0]?.source?.entries).toBe(5_000);
  });
});

describe('an import is refused', () => {
  test('into a database that holds something else', async () => {
    fillEveryTable(from);
    await query(`insert into tenants (name, created_at, revision) values ('other', 1, 1)`);
    expect(await refusal(start())).toEqual({ code: 'invalid', message: expect.stringContaining('is not empty') });
    // As many rows as the source, and one of them another.
    await query(`delete from tenants where name = 'other'`);
    await start();
    await query(`update audit_entries set entry = entry || ' ' where place = 103`);
    expect((await refusal(start())).message).toContain('holds something else than the source');
  });

  test('into a database that is not migrated, or by a newer program', async () => {
    const empty = await makeEmptyDatabase();
    expect(await refusal(start({ to: empty.ownerUrl }))).toEqual({
      code: 'invalid',
      message: expect.stringMatching(/lacks migrations: 1 \(initial\).*postern migrate/),
    });
    await empty.drop();
    await query(`insert into schema_migrations values (9999, 'later', 1)`);
    expect((await refusal(start())).message).toContain('newer than this program');
  });

  test('from what is no database of Postern, or an older one', async () => {
    expect((await refusal(start({ from: path.join(folder.path, 'none.db') }))).code).toBe('not_found');
    const foreign = path.join(folder.path, 'foreign.db');
    new DatabaseSync(foreign).exec('create table t (a)');
    expect((await refusal(start({ from: foreign }))).message).toContain('is no database of Postern');
    inSource('delete from schema_migrations where number > 5');
    expect((await refusal(start())).message).toMatch(/lacks migrations: 6 .*postern migrate/);
  });

  test('from a database with a table or column that is not ours', async () => {
    inSource('alter table agents add column nickname text');
    expect((await refusal(start())).message).toContain('table agents has not the same columns on both sides: nickname');
    inSource('alter table agents drop column nickname; create table extra (a)');
    expect((await refusal(start())).message).toContain('tables that are not ours: extra');
  });

  test('while the lease of a gateway runs, but for a trial', async () => {
    inSource(`insert into node_leases (boot, node, lease_until, scanned_to) values ('b', 'n', ${NOW + 1}, 0)`);
    expect(await refusal(start())).toEqual({ code: 'invalid', message: expect.stringContaining('a gateway works on') });
    expect((await start({ now: NOW + 1 })).outcome).toBe('stored');
    expect((await start({ allowLiving: true })).outcome).toBe('equal');
  });

  test('with the place of a character that PostgreSQL cannot store, and nothing stays', async () => {
    fillEveryTable(from);
    inSource(`update agents set owner = 'a' || char(0) || 'b'`);
    expect((await refusal(start())).message).toContain('agents.owner of a row holds the character NUL');
    inSource(`update agents set owner = null; update integrations set spec = '{"a":"\\\\\\u0000"}'`);
    expect((await refusal(start())).message).toContain('integrations.spec of a row holds the character NUL');
    inSource(`update integrations set spec = '{"a":"\\\\u0000"}'`);
    expect((await start()).outcome).toBe('stored');
  });

  test('while somebody writes to the target', async () => {
    const writer = new pg.Client(target.superuserUrl);
    await writer.connect();
    await writer.query(`begin; insert into tenants (name, created_at, revision) values ('other', 1, 1)`);
    expect(await refusal(start({ lockWaitMs: 100 }))).toEqual({
      code: 'unavailable',
      message: expect.stringContaining('lock timeout'),
    });
    await writer.query('rollback');
    await writer.end();
  });

  test('where the server is not, without telling the password', async () => {
    const { code, message } = await refusal(start({ to: 'postgres://postern:hunter2-hunter2@127.0.0.1:9/postern' }));
    expect(code).toBe('unavailable');
    expect(message).not.toContain('hunter2');
  });

  test('for a role that does not own the tables', async () => {
    fillEveryTable(from);
    expect(await refusal(start({ to: target.url }))).toEqual({
      code: 'invalid',
      message: expect.stringContaining('permission denied'),
    });
    expect((await start()).outcome).toBe('stored');
  });
});

describe('an import that ends early', () => {
  test('by kill -9 in the middle leaves nothing, and the next one brings all', async () => {
    fillEveryTable(from);
    const child = spawn(process.execPath, ['--input-type=module', '-e', IMPORT_AND_DIE, from, target.ownerUrl], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
    const report = await start();
    expect(report.outcome).toBe('stored');
  });

  test('because the connection is cut says that it failed, and leaves nothing', async () => {
    fillEveryTable(from);
    let cuts = 0;
    const onProgress: ImportOptions['onProgress'] = ({ table }) => {
      // Waited for, so that the connection is gone before the next statement.
      if (table === 'claims')
        cuts += Number(execFileSync(process.execPath, ['-e', CUT, target.superuserUrl], { encoding: 'utf8' }));
    };
    expect((await refusal(start({ onProgress }))).code).toBe('unavailable');
    expect(cuts).toBe(1);
    expect((await start()).outcome).toBe('stored');
  });
});

const CUT = `
  const { Client } = require('pg');
  const client = new Client(process.argv[1]);
  client.connect()
    .then(() => client.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postern command line' and datname = current_database()"))
    .then(({ rowCount }) => console.log(rowCount))
    .then(() => client.end());
`;

/** Dies when the entries have been written and before anything is committed. */
const IMPORT_AND_DIE = `
  const { importDatabase } = await import('./import-database.ts');
  const [, from, to] = process.argv;
  const onProgress = ({ phase, table }) => {
    if (phase === 'compare' && table === 'audit_entries') process.kill(process.pid, 'SIGKILL');
  };
  await importDatabase({ from, to, now: ${NOW}, onProgress });
`;
