import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import { resolveConfigValues } from '../config-values.ts';
import type { CliContext } from '../context.ts';
import { dataFolderOf } from '../gateway-place.ts';
import { withLinesOf } from '../lines-of-file.ts';
import { renderChanges } from '../output/changes.ts';
import { visibleText } from '../output/visible-text.ts';
import { openSession, showResult } from '../session.ts';
import { readYamlFile } from '../yaml-file.ts';

export function applyCommand(context: CliContext): Command {
  return newCommand(context, 'apply', 'Make the gateway what a file says')
    .requiredOption('-f, --file <file>', 'Configuration in YAML or JSON, or "-" for standard input')
    .option('--dry-run', 'Show what would change, after all checks, and change nothing')
    .addHelpText('after', HELP_END)
    .action(async (options: { file: string; dryRun?: boolean }, command: Command) => {
      const file = await readYamlFile(context, options.file);
      const access = { environment: context.environment, folder: file.folder, dataFolder: dataFolderOf(context) };
      const { document, literals } = await resolveConfigValues(file, access);
      const warn = (field: string, message: string) => {
        context.note(`${visibleText(`${file.name}:${file.lineOf(field) ?? 1}: ${field}: ${message}`)}\n`);
      };
      for (const field of literals)
        warn(field, 'a secret stands in clear in the file; use from: env:NAME or from: file:PATH');
      const session = openSession(context, command);
      const dryRun = options.dryRun === true;
      const applied = await withLinesOf(file, session.client.apply(JSON.stringify(document), { dryRun }));
      for (const { field, message } of applied.warnings) warn(field, message);
      showResult(session, applied, renderChanges(applied.changes, { dryRun }));
    });
}

const HELP_END = `
Secrets and keys may be named as "from: env:NAME" or "from: file:PATH"; they are read here, relative to the file, and only their
values are sent. Variables that begin with POSTERN_ and files of the data folder are refused.`;
