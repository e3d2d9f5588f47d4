import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';

export function startCommand(context: CliContext): Command {
  return newCommand(context, 'start', 'Run the gateway in this process')
    .option('--demo', 'With a demo upstream, agent and integration, and a line to try them')
    .action(async ({ demo }: { demo?: boolean }) => {
      const { runFromCommandLine } = await import('@postern/app-gateway');
      await runFromCommandLine({ demo: demo === true });
    });
}
