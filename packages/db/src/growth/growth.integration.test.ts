import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { describe } from 'vitest';
import { openSqlite } from '../sqlite/open-sqlite.ts';
import { describeGrowth } from './growth.fixture.ts';

describe('SQLite', () => {
  describeGrowth(async () => {
    const folder = await temporaryFolder();
    const client = await openSqlite({ file: path.join(folder.path, 'postern.db') });
    return {
      client,
      settle: async () => {},
      close: async () => {
        await client.close();
        await folder.remove();
      },
    };
  });
});
