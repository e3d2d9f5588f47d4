import { afterAll, describe } from 'vitest';
import { closePostgresHarnesses, makePostgresHarness } from '../postgres/postgres-harness.fixture.ts';
import { describeAuditSearch } from './audit-search.fixture.ts';

describe('PostgreSQL', () => {
  afterAll(closePostgresHarnesses);

  describeAuditSearch(() => makePostgresHarness());
});
