import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import { DEPLOY } from './deployment.ts';

const PASSWORDS = { owner: 'owner-only-for-tests', gateways: 'gateways-only-for-tests' };

/** A database made by `deploy/postgres/roles.sql`, with names of its own: nothing is in it. */
export interface RoledDatabase extends AsyncDisposable {
  /** The role that gateways connect as. */
  readonly role: string;
  readonly ownerUrl: string;
  readonly gatewaysUrl: string;
  readonly superuserUrl: string;
}

export async function makeRoledDatabase(): Promise<RoledDatabase> {
  const end = randomBytes(4).toString('hex');
  const [owner, role] = [`postern_owner_${end}`, `postern_${end}`];
  const statements = statementsOf(readFileSync(path.join(DEPLOY, 'postgres/roles.sql'), 'utf8'), end);
  for (const statement of statements) await ask(inject('postgresUrl'), statement);
  return {
    role,
    ownerUrl: urlOf(role, owner, PASSWORDS.owner),
    gatewaysUrl: urlOf(role, role, PASSWORDS.gateways),
    superuserUrl: urlOf(role),
    [Symbol.asyncDispose]: async () => {
      await ask(inject('postgresUrl'), `drop database ${role} with (force)`);
      for (const name of [role, owner]) await ask(inject('postgresUrl'), `drop role ${name}`);
    },
  };
}

/** What psql would run, with what it would put in. @throws for a command of psql that is none we know. */
function statementsOf(text: string, end: string): readonly string[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('--'));
  const known = ['\\getenv owner_password POSTERN_DB_OWNER_PASSWORD', '\\getenv password POSTERN_DB_PASSWORD'];
  const commands = lines.filter((line) => line.startsWith('\\'));
  if (commands.join('\n') !== known.join('\n')) throw new Error(`commands of psql: ${commands.join(', ')}`);
  return lines
    .filter((line) => !line.startsWith('\\'))
    .join('\n')
    .replaceAll(/\bpostern(_owner)?\b/g, (name) => `${name}_${end}`)
    .replaceAll(":'owner_password'", `'${PASSWORDS.owner}'`)
    .replaceAll(":'password'", `'${PASSWORDS.gateways}'`)
    .split(';')
    .filter((statement) => statement.trim() !== '');
}

function urlOf(database: string, role?: string, password?: string): string {
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${database}`;
  if (role !== undefined) [url.username, url.password] = [role, password ?? ''];
  return url.href;
}

/** One statement on a connection of its own. */
export async function ask(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
