import { describe } from 'vitest';
import { makeSqliteHarness } from '../sqlite/sqlite-harness.fixture.ts';
import { describeAuditSearch } from './audit-search.fixture.ts';

describe('SQLite', () => {
  describeAuditSearch(() => makeSqliteHarness());
});
