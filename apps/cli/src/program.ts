import type { Command } from 'commander';
import { newCommand } from './command.ts';
import { COMMANDS } from './command-table.ts';
import type { CliContext } from './context.ts';
import { VERSION } from './version.ts';

/** The program with the named command loaded ('*': all), and of the others only name and summary. */
export async function createProgram(context: CliContext, loaded: string | undefined): Promise<Command> {
  const program = newCommand(context, 'postern', 'The egress gateway for agents')
    .usage('[options] COMMAND')
    .version(VERSION, '-V, --version', 'Show the version')
    .option('--json', 'Answer in JSON, for scripts')
    .option('--tenant <name>', 'The tenant that is meant (default: that of the token, else "default")')
    .addHelpText('after', HELP_END);
  for (const [name, { summary, group, load }] of Object.entries(COMMANDS)) {
    const command = name === loaded || loaded === '*' ? (await load())(context) : newCommand(context, name, summary);
    program.addCommand(command.helpGroup(`${group}:`));
  }
  return program;
}

const HELP_END = `
The gateway is found by POSTERN_ADMIN_URL and POSTERN_ADMIN_TOKEN, else by its data folder (POSTERN_DATA_DIR or .postern).
Exit codes: 0 done, 1 refused or failed, 2 misused.`;
