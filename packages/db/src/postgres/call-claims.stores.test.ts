import { afterAll, describe } from 'vitest';
import { describeCallClaims } from '../conformance/call-claims.ts';
import { describeCallGrants } from '../conformance/call-grants.ts';
import { describeClaimModel } from '../conformance/claim-model.ts';
import { makePostgresJournalHarness } from './journal-harness.fixture.ts';
import { closePostgresHarnesses } from './postgres-harness.fixture.ts';

describe('PostgreSQL', () => {
  afterAll(closePostgresHarnesses);

  const make = () => makePostgresJournalHarness();
  describeCallClaims(make);
  describeCallGrants(make);
  describeClaimModel(make, 12);
});
