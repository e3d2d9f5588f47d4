import type { ClientConfig } from 'pg';
import { DbError } from '../ports/db-error.ts';

/** Parameters that the driver would take from a URL, and that are not the URL's affair. */
const OURS = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
  'client_encoding',
  'replication',
  'application_name',
  'fallback_application_name',
];

/**
 * How a connection to a database is made: with settings that hold whatever is set for the role, the database or in the URL. Other settings
 * that the URL names in `options` (a `search_path`) stay. Fails `invalid` for a URL that is none of PostgreSQL or names several hosts; it
 * is not repeated, for it holds a password.
 */
export function connectionTo(
  url: string,
  settings: Readonly<Record<string, string | number>>,
): Pick<ClientConfig, 'connectionString' | 'options' | 'keepAlive'> {
  const parsed = parse(url);
  const own = parsed.searchParams.get('options') ?? '';
  for (const name of [...OURS, 'options']) parsed.searchParams.delete(name);
  return { connectionString: parsed.href, options: `${own} ${optionsOf(settings)}`.trim(), keepAlive: true };
}

function parse(url: string): URL {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new DbError('invalid', 'the URL of the database must be postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  }
  const parsed = new URL(url);
  if (`${parsed.hostname}${parsed.searchParams.get('host') ?? ''}`.includes(',')) {
    throw new DbError(
      'invalid',
      'the URL of the database must name one host: a name or a proxy that leads to the server of the moment',
    );
  }
  return parsed;
}

/** Spaces in values are escaped: the server splits what it is given at spaces. */
function optionsOf(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${String(value).replaceAll(' ', '\\ ')}`)
    .join(' ');
}
