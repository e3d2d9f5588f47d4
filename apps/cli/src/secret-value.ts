import type { CliContext } from './context.ts';
import { Failure, Misuse } from './exit.ts';
import { dataFolderOf } from './gateway-place.ts';
import { readValueSource, withoutFinalBreak } from './value-source.ts';
import { readInput } from './yaml-file.ts';

export interface SecretSourceOptions {
  readonly fromEnv?: string;
  readonly fromFile?: string;
}

/**
 * From a variable, a file, standard input or the person at the terminal, without a final line break. Never from an argument: those
 * are in the shell's history, and every user of the machine sees them.
 */
export async function readSecretValue(
  context: CliContext,
  name: string,
  { fromEnv, fromFile }: SecretSourceOptions,
): Promise<string> {
  if (fromEnv !== undefined && fromFile !== undefined) throw new Misuse('give --from-env or --from-file, not both');
  const value = await readFrom(
    context,
    name,
    fromEnv === undefined ? fromFile && `file:${fromFile}` : `env:${fromEnv}`,
  );
  if (value === '') throw new Failure('The value is empty.');
  return value;
}

async function readFrom(context: CliContext, name: string, source: string | undefined): Promise<string> {
  if (source !== undefined) {
    const { environment, workingFolder } = context;
    const found = await readValueSource(source, {
      environment,
      folder: workingFolder,
      dataFolder: dataFolderOf(context),
    });
    if ('value' in found) return found.value;
    throw new Failure(`--from-${source.replace(':', ' ')}: ${found.message}.`);
  }
  if (context.askHidden !== undefined) return await context.askHidden(`Value of ${name} (not shown): `);
  return withoutFinalBreak(await readInput(context));
}
