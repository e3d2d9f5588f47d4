import { MIGRATIONS } from './migrate.ts';
import { DbError } from './ports/db-error.ts';

/** One step as a database has it on record. */
export interface RecordedStep {
  readonly number: number;
  readonly name: string;
}

/** The steps that a database lacks. Fails `invalid` when it has others than ours: a newer program has been there. */
export function missingSteps(recorded: readonly RecordedStep[]): readonly RecordedStep[] {
  for (const step of recorded) {
    const known = MIGRATIONS.find(({ number }) => number === step.number);
    if (known === undefined)
      throw new DbError(
        'invalid',
        `the database is newer than this program: it has migration ${step.number} (${step.name}); use the newer program`,
      );
    if (known.name !== step.name)
      throw new DbError('invalid', `migration ${step.number} of the database is ${step.name}, ours is ${known.name}`);
  }
  const taken = new Set(recorded.map(({ number }) => number));
  return MIGRATIONS.filter(({ number }) => !taken.has(number)).map(({ number, name }) => ({ number, name }));
}
