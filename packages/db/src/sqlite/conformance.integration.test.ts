import { describe } from 'vitest';
import { describeAdminsPort } from '../conformance/admins.ts';
import { describeAgentsPort } from '../conformance/agents.ts';
import { describeAuditPort } from '../conformance/audit.ts';
import { describeCallJournal, describeCallJournalRecovery } from '../conformance/call-journal.ts';
import { describeCallJournalLeases } from '../conformance/call-journal-leases.ts';
import { describeDirectoryPort } from '../conformance/directory.ts';
import { describeIntegrationsPort } from '../conformance/integrations.ts';
import { describePolicyRulesPort } from '../conformance/policy-rules.ts';
import { describeSecretsPort } from '../conformance/secrets.ts';
import { describeTenantsPort } from '../conformance/tenants.ts';
import { describeTransactions } from '../conformance/transactions.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

describe('SQLite', () => {
  const makeHarness = () => makeSqliteHarness();
  describeTransactions(makeHarness);
  describeTenantsPort(makeHarness);
  describeAdminsPort(makeHarness);
  describeAgentsPort(makeHarness);
  describeIntegrationsPort(makeHarness);
  describePolicyRulesPort(makeHarness);
  describeSecretsPort(makeHarness);
  describeDirectoryPort(makeHarness);
  describeAuditPort(makeHarness);
  describeCallJournal(makeHarness);
  describeCallJournalRecovery(makeHarness);
  describeCallJournalLeases(makeHarness);
});
