import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Read by scripts/check-client-table.ts, which holds the table in docs/guides/clients.md against them. */
const ROWS = path.join(ROOT, 'node_modules/.cache/client-rows');

/** The columns that tests fill. */
export type Check = 'JSON' | '404' | '429' | 'Denied' | 'Streaming' | 'Upload limit' | '50 at once' | 'Besides';

export interface ClientSettings {
  /** A package of npm, whose installed version is told, or a program of the machine. */
  readonly client: { readonly package: string; readonly part?: string } | { readonly program: string };
  /** How the client is told its base URL, in its own words; `{gateway}` for the gateway's. */
  readonly baseUrl: string;
  /** Where the agent key is put. */
  readonly agentKey: string;
}

/** What a check says in its cell of the table; nothing means "yes". */
type Proof = (() => Promise<string>) | (() => Promise<void>);

/**
 * One client's row in the table of clients. The test that is given becomes the proof of one cell: a cell is written only by a test
 * that passed, and a row only by a file that ran to its end.
 */
export function clientRow({
  client,
  ...settings
}: ClientSettings): (check: Check, title: string, proof: Proof) => void {
  const name = nameOf(client);
  const cells = new Map<Check, string[]>();
  afterAll(() => {
    mkdirSync(ROWS, { recursive: true });
    const row = { client: name, ...settings, cells: cellsOf(cells) };
    writeFileSync(path.join(ROWS, fileOf(name)), `${JSON.stringify(row, undefined, 2)}\n`);
  });
  return (check, title, proof) => {
    test(`${check}: ${title}`, async () => {
      const words = (await proof()) ?? 'yes';
      cells.set(check, [...(cells.get(check) ?? []), words]);
    });
  };
}

function cellsOf(cells: ReadonlyMap<Check, readonly string[]>): Record<string, string> {
  return Object.fromEntries([...cells].map(([check, words]) => [check, [...new Set(words)].join('; ')]));
}

function nameOf(client: ClientSettings['client']): string {
  if ('program' in client) return `\`${client.program}\``;
  const manifest = readFileSync(path.join(ROOT, 'node_modules', client.package, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return `\`${client.package}\` ${version}${client.part ?? ''}`;
}

function fileOf(name: string): string {
  return `${name.replace(/[^a-z]+/gi, '-').replace(/^-|-$/g, '')}.json`;
}
