/**
 * Holds the table of clients in docs/guides/clients.md against what the tests of clients proved: `node scripts/check-client-table.ts
 * [--write]`, after the system tests, which leave one file a client. A row or a cell that no test produced is a fault.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Finding, report } from './source-tree.ts';

const GUIDE = 'docs/guides/clients.md';
/** Written by test/clients/client-row.ts. */
export const CLIENT_ROWS = 'node_modules/.cache/client-rows';

const BEGIN =
  '<!-- clients:begin (generated: node scripts/check-client-table.ts --write, after npm run test:system) -->';
const END = '<!-- clients:end -->';
const CHECKS = ['JSON', '404', '429', 'Denied', 'Streaming', 'Upload limit', '50 at once', 'Besides'] as const;
const HEAD = ['Client', 'Base URL', 'Agent key', ...CHECKS];

export interface ClientRow {
  readonly client: string;
  readonly baseUrl: string;
  readonly agentKey: string;
  /** By the name of the check; a check that the client was not put to is absent. */
  readonly cells: Readonly<Record<string, string>>;
}

/** Where the table in `text` differs from the rows that tests produced. */
export function checkClientTable(text: string, rows: readonly ClientRow[]): string[] {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) return ['has no table of clients between its markers'];
  if (rows.length === 0) return ['cannot be checked: no test of a client has run'];
  const [head, , ...told] = text.slice(begin, end).split('\n').filter(isRow).map(cellsOf);
  const proved = new Map(rows.map((row) => [row.client, proofOf(row)]));
  const names = new Set(told.map(([name = '']) => name));
  return [
    ...(head?.join() === HEAD.join() ? [] : ['the heads of its columns are others than the tests have']),
    ...told.flatMap((cells) => compareRow(cells, proved.get(cells[0] ?? ''))),
    ...[...proved.keys()].filter((name) => !names.has(name)).map((name) => `${name} is proved and not listed`),
  ];
}

/** `text` with the table made anew from the rows. */
export function withClientTable(text: string, rows: readonly ClientRow[]): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  const lines = [HEAD, HEAD.map(() => '---'), ...rows.map(proofOf)].map((cells) => `| ${cells.join(' | ')} |`);
  const block = [BEGIN, '', ...lines, '', END].join('\n');
  if (begin < 0 || end < begin) return `${text.trimEnd()}\n\n${block}\n`;
  return text.slice(0, begin) + block + text.slice(end + END.length);
}

function compareRow(told: readonly string[], proof: readonly string[] | undefined): string[] {
  const [name = ''] = told;
  if (proof === undefined) return [`${name} is listed, and no test proved it`];
  return HEAD.flatMap((column, index) => {
    const [is, says] = [proof[index], told[index]];
    return is === says ? [] : [`${name}, ${column}: the tests say "${is}", the guide "${says ?? ''}"`];
  });
}

function proofOf({ client, baseUrl, agentKey, cells }: ClientRow): string[] {
  return [client, baseUrl, agentKey, ...CHECKS.map((check) => cells[check] ?? '–')];
}

function isRow(line: string): boolean {
  return line.startsWith('|');
}

/** The formatter pads the cells. */
function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** What the tests left, by the clients' names. */
export function readClientRows(root: string): ClientRow[] {
  const folder = path.join(root, CLIENT_ROWS);
  if (!existsSync(folder)) return [];
  const rows = readdirSync(folder).map(
    (file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as ClientRow,
  );
  return rows.sort((left, right) => (left.client.toLowerCase() < right.client.toLowerCase() ? -1 : 1));
}

if (import.meta.main) {
  const root = path.resolve('.');
  const file = path.join(root, GUIDE);
  const rows = readClientRows(root);
  if (process.argv.includes('--write')) {
    writeFileSync(file, withClientTable(readFileSync(file, 'utf8'), rows));
    spawnSync('biome', ['format', '--write', GUIDE], { stdio: 'ignore' });
  }
  const faults = checkClientTable(readFileSync(file, 'utf8'), rows);
  const findings: Finding[] = faults.map((message) => ({ file: GUIDE, message }));
  report('table of clients', findings, `${rows.length} clients, each row proved by a test`);
}
