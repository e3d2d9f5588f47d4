import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { createDbRepositories, createSqliteCallJournal, type DbClient, openSqlite } from '@postern/db';
import { type CallJournal, DbError, type InstanceMarksPort, type NodesPort } from '@postern/db/ports';
import type { RoleFinding } from '@postern/db/postgres';
import { EnvironmentError } from './environment.ts';
import type { Settings } from './settings.ts';

export interface JournalOwner {
  readonly node: string;
  readonly boot: string;
  readonly now: () => number;
  /** How long calls stay this boot's own without a sign of life. */
  readonly leaseMs: number;
  /** How many audit records of a tenant may wait, where that is its own number. */
  readonly spoolMaxOf?: (tenant: string) => number | undefined;
}

export interface Sharing {
  readonly nodes: NodesPort;
  readonly marks: InstanceMarksPort;
  /** What weakens the database's second walls. */
  readonly findings: () => Promise<readonly RoleFinding[]>;
}

/** The engines that the settings name. Whatever is made of these does not know which they are. */
export interface Stores {
  readonly db: DbClient;
  /** By which nodes on one database agree. undefined: no other node can be on it. */
  readonly sharing: Sharing | undefined;
  openJournal(owner: JournalOwner): CallJournal;
}

/** Opens and migrates the database. @throws EnvironmentError, DbError */
export async function openStores({ database }: Pick<Settings, 'database'>, now: () => number): Promise<Stores> {
  switch (database.kind) {
    case 'sqlite': {
      const db = await openSqlite({ file: database.file, now });
      return { db, sharing: undefined, openJournal: (owner) => createSqliteCallJournal(db, owner) };
    }
    case 'postgres': {
      const { createPostgresCallJournal, openPostgres, roleFindings } = await import('@postern/db/postgres');
      const db = await openPostgres({ url: database.url, now }).catch(unusable);
      const { nodes, instanceMarks: marks } = createDbRepositories(db, { now, newId: randomUUID });
      const findings = () => roleFindings(db);
      const openJournal = (owner: JournalOwner) => createPostgresCallJournal(db, owner);
      return { db, sharing: { nodes, marks, findings }, openJournal };
    }
  }
}

function unusable(error: unknown): never {
  if (error instanceof DbError) throw new EnvironmentError('POSTERN_DATABASE_URL', error.message);
  throw error;
}

/** A lock of the operating system, held through SQLite: Node offers no other that dies with the process. */
export function lockFile(path: string): { close(): void } | undefined {
  closeSync(openSync(path, 'a', 0o600));
  const lock = new DatabaseSync(path);
  try {
    lock.exec('pragma locking_mode = exclusive; pragma busy_timeout = 0; begin exclusive');
    return lock;
  } catch {
    lock.close();
    return undefined;
  }
}
