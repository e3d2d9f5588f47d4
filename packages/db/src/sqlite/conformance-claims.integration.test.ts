import { describe } from 'vitest';
import { describeCallClaims } from '../conformance/call-claims.ts';
import { describeCallGrants } from '../conformance/call-grants.ts';
import { describeClaimModel } from '../conformance/claim-model.ts';
import { describeClaimsPort } from '../conformance/claims.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

describe('SQLite', () => {
  const makeHarness = () => makeSqliteHarness();
  describeClaimsPort(makeHarness);
  describeCallClaims(makeHarness);
  describeCallGrants(makeHarness);
  describeClaimModel(makeHarness);
});
