import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Environment, EnvironmentError } from './environment.ts';

/** Where everything durable is kept. */
export type DatabaseSettings =
  | { readonly kind: 'sqlite'; readonly file: string }
  /** `url` holds a password: it goes to the client and nowhere else. */
  | { readonly kind: 'postgres'; readonly url: string };

const DATABASE_URL = 'POSTERN_DATABASE_URL';
const REDIS_URL = 'POSTERN_REDIS_URL';

/** What a client may be told in the URL; anything else could switch off what keeps a call from waiting for ever. */
const DATABASE_PARAMETERS: readonly string[] = [
  'application_name',
  'host',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslrootcert',
];

/** No message of these tells what was given: it may hold a password. @throws EnvironmentError */
export function readDatabaseUrl(environment: Environment, dataFolder: string): DatabaseSettings {
  const text = environment[DATABASE_URL] ?? '';
  if (text === '' || text === 'sqlite:') return { kind: 'sqlite', file: join(dataFolder, 'postern.db') };
  if (text.startsWith('sqlite:')) return { kind: 'sqlite', file: sqliteFile(text) };
  if (!/^postgres(?:ql)?:\/\//.test(text)) {
    throw new EnvironmentError(
      DATABASE_URL,
      'is neither sqlite:PATH nor postgres://USER:PASSWORD@HOST:PORT/DATABASE; use one of them or leave it unset',
    );
  }
  checkPostgresUrl(text);
  return { kind: 'postgres', url: text };
}

function sqliteFile(text: string): string {
  const file = resolve(text.slice('sqlite:'.length));
  if (existsSync(dirname(file))) return file;
  throw new EnvironmentError(
    DATABASE_URL,
    `the folder ${dirname(file)} does not exist; make it, or leave the variable unset`,
  );
}

function checkPostgresUrl(text: string): void {
  const right = 'right is postgres://USER:PASSWORD@HOST:PORT/DATABASE';
  if (/^[^/]*\/\/[^/?#]*,/.test(text)) {
    throw new EnvironmentError(
      DATABASE_URL,
      `names more than one host; give one name that always leads to the primary server: ${right}`,
    );
  }
  const url = URL.parse(text);
  if (url === null || url.hash !== '') {
    throw new EnvironmentError(
      DATABASE_URL,
      `is not a URL; ${right}, with the characters of user and password that a URL has no place for as %XX`,
    );
  }
  const unknown = [...url.searchParams.keys()].find((name) => !DATABASE_PARAMETERS.includes(name));
  if (unknown !== undefined) {
    throw new EnvironmentError(
      DATABASE_URL,
      `has a parameter that is not known: ${unknown}; there are ${DATABASE_PARAMETERS.join(', ')}`,
    );
  }
  if (url.hostname === '' && !url.searchParams.has('host'))
    throw new EnvironmentError(DATABASE_URL, `names no host; ${right}`);
  if (!/^\/[^/]+$/.test(url.pathname)) throw new EnvironmentError(DATABASE_URL, `names no database; ${right}`);
}

/** undefined: there is no Redis. @throws EnvironmentError, whose message never tells what was given. */
export function readRedisUrl(environment: Environment): string | undefined {
  const text = environment[REDIS_URL] ?? '';
  if (text === '') return undefined;
  const right =
    'right is redis://USER:PASSWORD@HOST:PORT or, with TLS, rediss://…, and /NUMBER for another database than 0';
  const url = URL.parse(text);
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '' || url.search + url.hash !== '')
    throw new EnvironmentError(REDIS_URL, `is not the URL of a Redis; ${right}`);
  if (!/^\/?[0-9]{0,3}$/.test(url.pathname))
    throw new EnvironmentError(REDIS_URL, `what follows the host is not the number of a database; ${right}`);
  return text;
}
