import { NOT_YET } from './command-table.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit.ts';
import { visibleText } from './output/visible-text.ts';
import { createProgram } from './program.ts';
import { reportError } from './report-error.ts';

/** Runs one command line (without the program's name) and returns its exit code. Results go to `context.write` alone. */
export async function run(args: readonly string[], context: CliContext): Promise<number> {
  const words = args[0] === 'help' ? [...args.slice(1), '--help'] : args;
  const name = findCommandName(words);
  if (name !== undefined && NOT_YET.has(name)) {
    context.note(`postern: "${visibleText(name)}" is not in this version. "postern --help" lists what is.\n`);
    return EXIT.misused;
  }
  try {
    await (await createProgram(context, name)).parseAsync(words, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return reportError(context, error);
  }
}

/** The first word that is neither an option nor an option's value. */
function findCommandName(words: readonly string[]): string | undefined {
  return words.find((word, index) => !word.startsWith('-') && words[index - 1] !== '--tenant');
}
