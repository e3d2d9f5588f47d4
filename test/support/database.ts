import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** The rows of a query on the database in a data folder, beside or after the gateway that has it. */
export function readDatabase<Row>(dataFolder: string, sql: string): readonly Row[] {
  const database = new DatabaseSync(path.join(dataFolder, 'postern.db'), { readOnly: true, timeout: 10_000 });
  try {
    return database.prepare(sql).all() as Row[];
  } finally {
    database.close();
  }
}
