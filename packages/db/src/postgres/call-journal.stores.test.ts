import { afterAll, describe } from 'vitest';
import { describeCallJournal, describeCallJournalRecovery } from '../conformance/call-journal.ts';
import { describeCallJournalLeases } from '../conformance/call-journal-leases.ts';
import { makePostgresJournalHarness } from './journal-harness.fixture.ts';
import { closePostgresHarnesses } from './postgres-harness.fixture.ts';

describe('PostgreSQL', () => {
  afterAll(closePostgresHarnesses);

  const make = () => makePostgresJournalHarness();
  describeCallJournal(make);
  describeCallJournalRecovery(make);
  describeCallJournalLeases(make);
});
