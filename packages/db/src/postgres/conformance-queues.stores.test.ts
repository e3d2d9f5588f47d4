import { afterAll, describe } from 'vitest';
import { describeNotificationEndpointsPort } from '../conformance/notification-endpoints.ts';
import { describeOutboxPort } from '../conformance/outbox.ts';
import { describeQueuedCallsPort } from '../conformance/queued-calls.ts';
import { describeSealedRequestsPort } from '../conformance/sealed-requests.ts';
import { closePostgresHarnesses, makePostgresHarness } from './postgres-harness.fixture.ts';

describe('PostgreSQL', () => {
  afterAll(closePostgresHarnesses);

  const make = () => makePostgresHarness();
  describeSealedRequestsPort(make);
  describeOutboxPort(make);
  describeNotificationEndpointsPort(make);
  describeQueuedCallsPort(make);
});
