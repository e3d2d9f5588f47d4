import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import { type DatabasePlace, migrateDatabase, readMissingSteps } from '../compose.ts';
import type { CliContext } from '../context.ts';
import { databasePlaceOf, toldAsFailure } from '../database-place.ts';
import { Failure, Misuse } from '../exit.ts';
import { countWords } from '../output/count-words.ts';
import { commonOptions, showResult } from '../session.ts';

interface MigrateOptions {
  readonly databaseUrl?: string;
  readonly check?: boolean;
  readonly grantTo?: string;
}

interface Step {
  readonly number: number;
  readonly name: string;
}

export function migrateCommand(context: CliContext): Command {
  return newCommand(context, 'migrate', 'Bring the database to the form that this version needs')
    .option(
      '--database-url <url>',
      'sqlite:PATH or postgres://… (default: POSTERN_DATABASE_URL, which other users of the machine cannot see; else the data folder)',
    )
    .option('--check', 'Change nothing; exit code 1 when steps are missing')
    .option('--grant-to <role>', 'PostgreSQL: give the role that gateways connect as its rights on the tables')
    .addHelpText('after', HELP_END)
    .action(async (options: MigrateOptions, command: Command) => {
      const place = databasePlaceOf(context, options.databaseUrl, '--database-url');
      if (options.check === true && options.grantTo !== undefined)
        throw new Misuse('--check changes nothing, so not --grant-to');
      if (place.kind === 'sqlite' && options.grantTo !== undefined)
        throw new Misuse('--grant-to is for PostgreSQL; SQLite knows no roles');
      const output = { context, json: commonOptions(command).json === true };
      await toldAsFailure(() =>
        options.check === true ? check(output, place) : migrate(output, place, options.grantTo),
      );
    });
}

const HELP_END = `
May run while gateways run, and several times at once: each step is taken once, in a transaction of its own. There are no steps back: make a
copy before an upgrade. With SQLite a gateway does this itself when it starts.`;

interface Output {
  readonly context: CliContext;
  readonly json: boolean;
}

async function check(output: Output, place: DatabasePlace): Promise<void> {
  const missing = await readMissingSteps(place);
  showResult(
    output,
    { missing },
    missing.length === 0 ? 'The database is up to date.' : missing.map(wordsOf).join('\n'),
  );
  if (missing.length > 0) throw new Failure(`${countWords(missing.length, 'step')} missing; run "postern migrate".`);
}

async function migrate(output: Output, place: DatabasePlace, grantTo: string | undefined): Promise<void> {
  const missing = await readMissingSteps(place);
  const taken: Step[] = [];
  const onStep = ({ number, name }: Step) => {
    taken.push({ number, name });
    output.context.note(`${wordsOf({ number, name })} done (${taken.length} of ${missing.length})\n`);
  };
  await migrateDatabase(place, { now: output.context.now, onStep, ...(grantTo === undefined ? {} : { grantTo }) });
  const lines = [
    taken.length === 0
      ? 'The database was up to date.'
      : `The database is up to date: ${countWords(taken.length, 'step')} taken.`,
    ...(grantTo === undefined ? [] : [`Role ${grantTo} has what gateways need.`]),
  ];
  showResult(output, { taken, ...(grantTo === undefined ? {} : { grantedTo: grantTo }) }, lines.join('\n'));
}

function wordsOf({ number, name }: Step): string {
  return `${String(number).padStart(4, '0')} ${name}`;
}
