import { describe } from 'vitest';
import { describeApprovalsPort } from '../conformance/approvals.ts';
import { describeGrantsPort } from '../conformance/grants.ts';
import { describeNotificationEndpointsPort } from '../conformance/notification-endpoints.ts';
import { describeOutboxPort } from '../conformance/outbox.ts';
import { describeQueuedCallsPort } from '../conformance/queued-calls.ts';
import { describeSealedRequestsPort } from '../conformance/sealed-requests.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

describe('SQLite', () => {
  const makeHarness = () => makeSqliteHarness();
  describeApprovalsPort(makeHarness);
  describeGrantsPort(makeHarness);
  describeSealedRequestsPort(makeHarness);
  describeOutboxPort(makeHarness);
  describeNotificationEndpointsPort(makeHarness);
  describeQueuedCallsPort(makeHarness);
});
