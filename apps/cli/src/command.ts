import { Command } from 'commander';
import type { CliContext } from './context.ts';
import { Misuse } from './exit.ts';

/** What builds one top-level command; each file of `commands/` exports one. */
export type CommandMaker = (context: CliContext) => Command;

/** A command that writes where the context says and throws where commander would end the process. */
export function newCommand(context: CliContext, name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .exitOverride()
    .configureOutput({
      writeOut: context.write,
      writeErr: context.note,
      outputError: (text, write) => write(text.replace(/^error: /, 'postern: ')),
      getOutHelpWidth: () => context.columns ?? 100,
      getErrHelpWidth: () => context.columns ?? 100,
    })
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showHelpAfterError('(add --help for usage)')
    .helpOption('-h, --help', 'Show what the command takes')
    .helpCommand(false)
    .hook('preAction', (_command, action) => refuseNoNames(namesOf(action)));
}

/** An argument of this name is one of the machine's, where a dot means the folder one is in. */
export const FILE_OR_FOLDER = 'file-or-folder';

function namesOf({ args, registeredArguments }: Command): readonly string[] {
  const last = registeredArguments.length - 1;
  return args.filter((_arg, place) => registeredArguments[Math.min(place, last)]?.name() !== FILE_OR_FOLDER);
}

/** Each of these would name another thing in a path than the one that is meant. */
function refuseNoNames(args: readonly string[]): void {
  const name = args.find((arg) => ['', '.', '..'].includes(arg));
  if (name !== undefined) throw new Misuse(`"${name}" is not a name`);
}

/** For options that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}
