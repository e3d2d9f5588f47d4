import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { ImportProgress, ImportReport } from '../compose.ts';
import type { CliContext } from '../context.ts';
import { databasePlaceOf, toldAsFailure } from '../database-place.ts';
import { Failure, Misuse } from '../exit.ts';
import { dataFolderOf } from '../gateway-place.ts';
import { renderTable } from '../output/table.ts';
import { visibleJson } from '../output/visible-text.ts';
import { commonOptions } from '../session.ts';

interface ImportCommandOptions {
  readonly from?: string;
  readonly to?: string;
  readonly snapshot?: boolean;
}

export function dbCommand(context: CliContext): Command {
  const db = newCommand(context, 'db', 'Move the database to another engine');
  db.command('import')
    .description('Copy a SQLite database into an empty PostgreSQL database, and compare')
    .option('--from <file>', 'The SQLite file (default: postern.db of the data folder)')
    .option(
      '--to <url>',
      'postgres://… of the role that owns the tables (default: POSTERN_DATABASE_URL, which other users cannot see)',
    )
    .option(
      '--snapshot',
      'Also while a gateway works on the file: for a trial, since what it writes from now on is not in the copy',
    )
    .addHelpText('after', HELP_END)
    .action((options: ImportCommandOptions, command: Command) => importInto(context, options, command));
  return db;
}

const HELP_END = `
The target is migrated ("postern migrate") and empty. All is one transaction, committed when both sides were read and are equal: an import that
was interrupted has left nothing, so run it again. Where it was interrupted at its very end, it says that all is there already. The master
key is not in the database: the gateways on PostgreSQL need the one of the data folder.`;

async function importInto(context: CliContext, options: ImportCommandOptions, command: Command): Promise<void> {
  const from = path.resolve(context.workingFolder, options.from ?? path.join(dataFolderOf(context), 'postern.db'));
  const place = databasePlaceOf(context, options.to, '--to');
  if (place.kind !== 'postgres') throw new Misuse('give --to or POSTERN_DATABASE_URL as postgres://…');
  const folder = folderOf(context, from);
  const allowLiving = options.snapshot === true;
  const lock = allowLiving ? undefined : await lockFolder(folder);
  try {
    const { importDatabase } = await import('../compose.ts');
    const parts = { from, to: place.url, allowLiving, marks: await marksOf(context, folder), now: context.now() };
    const report = await toldAsFailure(() => importDatabase({ ...parts, onProgress: progressTo(context) }));
    show(context, report, commonOptions(command).json === true);
  } finally {
    lock?.close();
  }
}

/** The data folder that the file is of: where it lies, or the one that a gateway with a database elsewhere has. */
function folderOf(context: CliContext, from: string): string {
  const beside = path.dirname(from);
  return existsSync(path.join(beside, 'lock.db')) ? beside : dataFolderOf(context);
}

/** What tells the master key: with it the target refuses gateways that have another, which could open nothing. */
async function marksOf(context: CliContext, folder: string): Promise<Readonly<Record<string, string>>> {
  const { CHECK_FILE, KEYS_MARK } = await import('@postern/app-gateway');
  const file = path.join(folder, CHECK_FILE);
  if (existsSync(file)) return { [KEYS_MARK]: readFileSync(file, 'utf8').trim() };
  context.note(`There is no ${CHECK_FILE} in ${folder}: that the gateways get its master key is not checked.\n`);
  return {};
}

/** No gateway works on the folder until the lock is closed. undefined: none ever has. */
async function lockFolder(folder: string): Promise<{ close(): void } | undefined> {
  const file = path.join(folder, 'lock.db');
  if (!existsSync(file)) return undefined;
  const { lockFile } = await import('@postern/app-gateway');
  const lock = lockFile(file);
  if (lock !== undefined) return lock;
  throw new Failure(`A gateway runs on the data folder ${folder}.`, [
    'Stop it, so that nothing it still writes is lost; or add --snapshot for a trial.',
  ]);
}

const ROWS_BETWEEN_LINES = 100_000;

/** A line for each table that has rows, and for each hundred thousand of them. */
function progressTo(context: CliContext): (progress: ImportProgress) => void {
  let told = 0;
  let last = '';
  return ({ phase, table, rows, rowsInAll }) => {
    if (last !== `${phase} ${table}`) told = 0;
    last = `${phase} ${table}`;
    if (rows < rowsInAll && rows - told < ROWS_BETWEEN_LINES) return;
    told = rows;
    context.note(`${phase === 'copy' ? 'copied' : 'compared'} ${table}: ${rows} of ${rowsInAll}\n`);
  };
}

function show(context: CliContext, report: ImportReport, isJson: boolean): void {
  context.write(isJson ? `${visibleJson(report)}\n` : render(report, context.columns));
  if (report.outcome === 'different')
    throw new Failure('What was read back differs from the source; nothing was stored.');
}

const WORDS: Record<ImportReport['outcome'], string> = {
  stored: 'Both sides are equal; all is stored.',
  equal: 'All of it had been there already; both sides are equal.',
  different: 'The sides differ.',
};

function render({ outcome, tables, logs }: ImportReport, columns: number | undefined): string {
  const rows = renderTable(
    [
      { title: 'TABLE', value: ({ table }) => table, isWhole: true },
      { title: 'SQLITE', value: ({ source }) => source.rows },
      { title: 'POSTGRESQL', value: ({ target }) => target.rows },
      { title: 'EQUAL', value: ({ source, target }) => source.rows === target.rows && source.digest === target.digest },
    ],
    tables,
    columns,
  );
  const entries = renderTable(
    [
      { title: 'AUDIT LOG', value: ({ tenant }) => tenant, isWhole: true },
      { title: 'SQLITE', value: ({ source }) => source?.entries ?? 0 },
      { title: 'POSTGRESQL', value: ({ target }) => target?.entries ?? 0 },
      { title: 'EQUAL', value: ({ source, target }) => source?.digest === target?.digest },
      { title: 'SHA-256 OF THE ENTRIES', value: ({ source }) => source?.digest },
    ],
    logs,
    columns,
  );
  return `${rows}\n${logs.length === 0 ? '' : `${entries}\n`}${WORDS[outcome]}\n`;
}
