import { NOT_YET } from './command-table.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit.ts';
import { visibleLines } from './output/visible-text.ts';
import { createProgram } from './program.ts';
import { reportError } from './report-error.ts';

/** Runs one command line (without the program's name) and returns its exit code. Results go to `context.write` alone. */
export async function run(args: readonly string[], given: CliContext): Promise<number> {
  // Messages repeat names and answers, whoever wrote those.
  const context: CliContext = { ...given, note: (text) => given.note(visibleLines(text)) };
  const words = args[0] === 'help' ? [...args.slice(1), '--help'] : args;
  const name = findCommandName(words);
  const instead = name === undefined ? undefined : NOT_YET.get(name);
  if (instead !== undefined) {
    context.note(`postern: "${name}" is not in this version. ${instead}\n`);
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
