import { EnvironmentError } from '@postern/app-gateway/environment';
import { readDatabaseUrl } from '@postern/app-gateway/store-settings';
import { DbError } from '@postern/db/ports';
import type { DatabasePlace } from './compose.ts';
import type { CliContext } from './context.ts';
import { Failure, Misuse } from './exit.ts';
import { dataFolderOf } from './gateway-place.ts';

/** The database that the option names, else `POSTERN_DATABASE_URL`, else that of the data folder. @throws Misuse, Failure */
export function databasePlaceOf(context: CliContext, url: string | undefined, option: string): DatabasePlace {
  const environment = url === undefined ? context.environment : { POSTERN_DATABASE_URL: url };
  try {
    return readDatabaseUrl(environment, dataFolderOf(context));
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    if (url === undefined) throw new Failure(error.message, [], { cause: error });
    throw new Misuse(error.message.replace('POSTERN_DATABASE_URL', option));
  }
}

/** What a database refuses is told in its own words, which never hold a secret. */
export async function toldAsFailure<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof DbError)) throw error;
    const message = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
    throw new Failure(message, [], { cause: error });
  }
}
