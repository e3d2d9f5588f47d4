import { generateAgentKey } from '@postern/auth';
import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { commonOptions, showResult } from '../session.ts';

export function keysCommand(context: CliContext): Command {
  const keys = newCommand(context, 'keys', 'Make keys for a configuration file');
  keys
    .command('generate')
    .description('Make an agent key; no gateway knows it until a configuration file or an agent is given it')
    .action((_options: object, command: Command) => {
      const { key, publicId } = generateAgentKey();
      showResult({ context, json: commonOptions(command).json === true }, { key, id: publicId }, key);
    });
  return keys;
}
