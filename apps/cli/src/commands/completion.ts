import { Argument, type Command } from 'commander';
import { newCommand } from '../command.ts';
import { completionLevels } from '../completion/levels.ts';
import { SCRIPTS, SHELLS, type Shell } from '../completion/scripts.ts';
import type { CliContext } from '../context.ts';

export function completionCommand(context: CliContext): Command {
  return newCommand(context, 'completion', 'Completion for bash, zsh or fish')
    .addArgument(new Argument('<shell>', 'Which shell reads it').choices(SHELLS))
    .addHelpText('after', HELP_END)
    .action(async (shell: Shell) => {
      const { createProgram } = await import('../program.ts');
      context.write(SCRIPTS[shell](completionLevels(await createProgram(context, '*'))));
    });
}

const HELP_END = `
bash: source <(postern completion bash)      in ~/.bashrc
zsh:  source <(postern completion zsh)       in ~/.zshrc, after compinit
fish: postern completion fish | source       in ~/.config/fish/config.fish`;
