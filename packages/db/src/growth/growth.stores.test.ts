import pg from 'pg';
import { describe } from 'vitest';
import { openPostgres } from '../postgres/open-postgres.ts';
import { makeTestDatabase } from '../postgres/postgres-harness.fixture.ts';
import { describeGrowth } from './growth.fixture.ts';

describe('PostgreSQL', () => {
  describeGrowth(async () => {
    const database = await makeTestDatabase();
    const client = await openPostgres({ url: database.url });
    return {
      client,
      async settle() {
        const owner = new pg.Client(database.superuserUrl);
        await owner.connect();
        await owner.query('vacuum analyze');
        await owner.end();
      },
      async close() {
        await client.close();
        await database.drop();
      },
    };
  });
});
