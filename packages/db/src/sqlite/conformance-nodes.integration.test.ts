import { describe } from 'vitest';
import { describeNodePorts } from '../conformance/nodes.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

describe('SQLite', () => {
  describeNodePorts(() => makeSqliteHarness());
});
