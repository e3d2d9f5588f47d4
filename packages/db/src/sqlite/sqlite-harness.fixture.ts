import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import type { DbClient } from '../client.ts';
import type { DbHarness, JournalHarness, JournalSettings } from '../conformance/harness.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { createSqliteCallJournal } from './call-journal.ts';
import { openSqlite } from './open-sqlite.ts';

let migrated: Promise<Uint8Array> | undefined;

/** A database that has just been migrated, as bytes: to migrate each anew took most of the time of these tests. */
function migratedFile(): Promise<Uint8Array> {
  migrated ??= (async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder.path, 'postern.db');
    // Its `-wal` file is emptied into it when it is closed.
    await (await openSqlite({ file, now: () => 1_000_000 })).close();
    const bytes = await readFile(file);
    await folder.remove();
    return bytes;
  })();
  return migrated;
}

/** SQLite on a real file; in a folder of its own unless one is given. */
export async function makeSqliteHarness(folderPath?: string): Promise<JournalHarness> {
  const folder = folderPath === undefined ? await temporaryFolder() : undefined;
  const file = path.join(folderPath ?? folder?.path ?? '', 'postern.db');
  // One that is there already is opened as it is.
  if (!existsSync(file)) await writeFile(file, await migratedFile(), { mode: 0o600 });
  const clock = { nowMs: 1_000_000 };
  const now = () => clock.nowMs;
  let ids = 0;
  const clients: DbClient[] = [];

  async function connectAgain(): Promise<DbClient> {
    const client = await openSqlite({ file, now });
    clients.push(client);
    return client;
  }

  async function openJournal(settings: JournalSettings = {}) {
    const client = await connectAgain();
    return createSqliteCallJournal(client, { node: 'node-1', boot: `boot-of-${clients.length}`, now, ...settings });
  }

  const client = await connectAgain();
  const harness: DbHarness = {
    client,
    repositories: createDbRepositories(client, { now, newId: () => `id-${++ids}` }),
    clock,
    connectAgain,
    close: async () => {
      for (const each of clients) await each.close();
      await folder?.remove();
    },
  };
  return { ...harness, openJournal };
}
