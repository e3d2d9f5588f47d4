import { afterAll, describe } from 'vitest';
import { describeNodePorts } from '../conformance/nodes.ts';
import { closePostgresHarnesses, makePostgresHarness } from './postgres-harness.fixture.ts';

describe('PostgreSQL', () => {
  afterAll(closePostgresHarnesses);

  describeNodePorts(() => makePostgresHarness());
});
