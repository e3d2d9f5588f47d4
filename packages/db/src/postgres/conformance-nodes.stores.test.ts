import { describe } from 'vitest';
import { describeNodePorts } from '../conformance/nodes.ts';
import { makePostgresHarness } from './postgres-harness.fixture.ts';

describe('PostgreSQL', () => {
  describeNodePorts(() => makePostgresHarness());
});
