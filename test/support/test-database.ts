import { randomBytes } from 'node:crypto';
import { grantTo, openPostgres } from '@postern/db/postgres';
import pg from 'pg';

/** A database of its own, with the URLs of those who use it. */
export interface TestDatabase {
  /** Of a role that owns nothing: as Postern is to connect. */
  readonly url: string;
  /** As a role that sees all rows. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  drop(): Promise<void>;
}

/** Makes and migrates it as its owner would, and the two roles beside it. `serverUrl`: of a superuser. */
export async function makeTestDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const [owner, plain] = [`${name}_owner`, `${name}_app`];
  const password = `only-for-tests-${name}`;
  const superuserUrl = urlOf(serverUrl, name);
  await queryAt(serverUrl, `create role ${owner} login password '${password}'`);
  await queryAt(serverUrl, `create role ${plain} login password '${password}'`);
  await queryAt(serverUrl, `create database ${name} template template0 owner ${owner} strategy file_copy`);
  const ownerUrl = urlOf(serverUrl, name, { role: owner, password });
  await (await openPostgres({ url: ownerUrl })).close();
  for (const statement of grantTo(plain)) await queryAt(ownerUrl, statement);
  return {
    url: urlOf(serverUrl, name, { role: plain, password }),
    query: (sql) => queryAt(superuserUrl, sql),
    async drop() {
      await queryAt(serverUrl, `drop database ${name} with (force)`);
      for (const role of [owner, plain]) await queryAt(serverUrl, `drop role ${role}`);
    },
  };
}

function urlOf(serverUrl: string, database: string, as?: { readonly role: string; readonly password: string }): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  if (as !== undefined) [url.username, url.password] = [as.role, as.password];
  return url.href;
}

async function queryAt(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
