import { DbError } from '@postern/db/ports';
import { EXIT, Failure } from './exit.ts';
import { reportError } from './report-error.ts';
import { seed } from './seed.ts';
import { systemContext } from './system-context.ts';

/** What a start refuses with: all with a message for a person. */
const OF_A_START: readonly string[] = ['EnvironmentError', 'DataFolderError', 'BindError', 'VaultError', DbError.name];

const context = systemContext();
try {
  if (process.argv.length > 2) {
    context.note('npm run seed takes no arguments\n');
    process.exitCode = EXIT.misused;
  } else {
    await seed(context);
  }
} catch (error) {
  const isOfStart = error instanceof Error && OF_A_START.includes(error.name);
  process.exitCode = reportError(context, isOfStart ? new Failure(error.message, [], { cause: error }) : error);
}
