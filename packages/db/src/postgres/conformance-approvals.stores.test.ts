import { afterAll, describe } from 'vitest';
import { describeApprovalsPort } from '../conformance/approvals.ts';
import { describeClaimsPort } from '../conformance/claims.ts';
import { describeGrantsPort } from '../conformance/grants.ts';
import { makePostgresJournalHarness } from './journal-harness.fixture.ts';
import { closePostgresHarnesses } from './postgres-harness.fixture.ts';

describe('PostgreSQL', () => {
  afterAll(closePostgresHarnesses);

  const make = () => makePostgresJournalHarness();
  describeApprovalsPort(make);
  describeGrantsPort(make);
  describeClaimsPort(make);
});
