import { afterAll, describe } from 'vitest';
import { describeAdminsPort } from '../conformance/admins.ts';
import { describeAgentsPort } from '../conformance/agents.ts';
import { describeAuditPort } from '../conformance/audit.ts';
import { describeDirectoryPort } from '../conformance/directory.ts';
import { describeIntegrationsPort } from '../conformance/integrations.ts';
import { describePolicyRulesPort } from '../conformance/policy-rules.ts';
import { describePolicySettingsPort } from '../conformance/policy-settings.ts';
import { describePolicyVersionsPort } from '../conformance/policy-versions.ts';
import { describeSecretsPort } from '../conformance/secrets.ts';
import { describeTemplatesPort } from '../conformance/templates.ts';
import { describeTenantLimitsPort } from '../conformance/tenant-limits.ts';
import { describeTenantsPort } from '../conformance/tenants.ts';
import { describeTransactions } from '../conformance/transactions.ts';
import { closePostgresHarnesses, makePostgresHarness } from './postgres-harness.fixture.ts';

describe('PostgreSQL', () => {
  afterAll(closePostgresHarnesses);

  const make = () => makePostgresHarness();
  describeTransactions(make);
  describeTenantsPort(make);
  describeTenantLimitsPort(make);
  describeAdminsPort(make);
  describeAgentsPort(make);
  describeIntegrationsPort(make);
  describePolicyRulesPort(make);
  describePolicySettingsPort(make);
  describePolicyVersionsPort(make);
  describeSecretsPort(make);
  describeTemplatesPort(make);
  describeDirectoryPort(make);
  describeAuditPort(make);
});
