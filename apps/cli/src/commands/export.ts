import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Failure } from '../exit.ts';
import { visibleJson, visibleLines } from '../output/visible-text.ts';
import { openSession, type Session } from '../session.ts';

export function exportCommand(context: CliContext): Command {
  return newCommand(context, 'export', 'Write the configuration as a file, without secrets')
    .option('-o, --output <file>', 'Where to (default: standard output)')
    .action(async ({ output }: { output?: string }, command: Command) => {
      const session = openSession(context, command);
      const text = await readExport(session);
      // A file gets the exact text; only a terminal is protected from what it holds.
      if (output === undefined) return context.write(context.columns === undefined ? text : visibleLines(text));
      await writeText(path.resolve(context.workingFolder, output), text);
      context.note(`Written to ${output}.\n`);
    });
}

async function readExport({ client, json }: Session): Promise<string> {
  if (json) return `${visibleJson(JSON.parse(await client.export('json')))}\n`;
  const text = await client.export('yaml');
  return text.endsWith('\n') ? text : `${text}\n`;
}

async function writeText(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new Failure(`${file} cannot be written (${code}).`, [], { cause });
  }
}
