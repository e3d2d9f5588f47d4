import { DbError } from '../ports/db-error.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Number of the database. */
  readonly db: number;
  readonly isTls: boolean;
}

const PORT_DEFAULT = 6_379;
const FORM = 'redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS';

/** Reads the URL of a Redis; `invalid` for another form. The URL itself, which may hold a password, is in no error. */
export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    throw new DbError('invalid', `the URL of Redis must be ${FORM}`);
  }
  if (url.search !== '' || url.hash !== '') {
    throw new DbError('invalid', `the URL of Redis must have no query and no fragment: ${FORM}`);
  }
  const database = /^\/?(\d{0,3})$/.exec(url.pathname)?.[1];
  if (database === undefined) throw new DbError('invalid', `the path in the URL of Redis must be a number: ${FORM}`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? PORT_DEFAULT : Number(url.port),
    username: decode(url.username),
    password: decode(url.password),
    db: Number(database),
    isTls: url.protocol === 'rediss:',
  };
}

function decode(part: string): string | undefined {
  if (part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new DbError('invalid', 'user and password in the URL of Redis must be percent-encoded');
  }
}
