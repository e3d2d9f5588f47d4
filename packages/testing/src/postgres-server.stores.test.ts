import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PostgresServer, startPostgresServer } from './postgres-server.ts';

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server.close());

async function ask(statement: string, url = server.url): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query(statement);
  await client.end();
  return rows as Record<string, unknown>[];
}

test('a server keeps what was committed when it is killed and when it moves', async () => {
  await ask('create table kept (number int)');
  await ask('insert into kept values (1)');
  await server.stopHard();
  await expect(ask('select 1')).rejects.toThrow();
  await server.restart();
  expect(await ask('select number from kept')).toEqual([{ number: 1 }]);
  const { port } = server;
  await server.restart({ port: 'other' });
  expect(server.port).not.toBe(port);
  expect(await ask('select number from kept')).toEqual([{ number: 1 }]);
});

test('a frozen server keeps its connections and answers nobody until it is thawed', async () => {
  await server.freeze();
  const socket = connect(server.port, '127.0.0.1');
  const asked = ask('select 1 as one');
  let isAnswered = false;
  void asked.then(() => {
    isAnswered = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.destroy();
  expect(isAnswered).toBe(false);
  await server.thaw();
  expect(await asked).toEqual([{ one: 1 }]);
});

test('a closed server leaves no file and no process, frozen or killed as it may be', async () => {
  for (const before of [(each: PostgresServer) => each.freeze(), (each: PostgresServer) => each.stopHard()]) {
    const other = await startPostgresServer();
    const [row] = await ask(
      `select current_setting('data_directory') as folder, pid from pg_stat_activity where backend_type = 'checkpointer'`,
      other.url,
    );
    expect(existsSync(String(row?.['folder']))).toBe(true);
    await before(other);
    await other.close();
    await other.close();
    expect(existsSync(String(row?.['folder']))).toBe(false);
    // What has ended and is not buried yet is dead as well.
    const states = spawnSync('ps', ['-o', 'stat=', '-p', String(row?.['pid'])], { encoding: 'utf8' });
    expect(states.stdout.trim()).toMatch(/^(Z.*)?$/);
  }
});
