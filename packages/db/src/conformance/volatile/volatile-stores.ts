import { describeAuditQueryCache } from './audit-query-cache.ts';
import type { MakeVolatileStores } from './harness.ts';
import { describeInvalidationBus } from './invalidation-bus.ts';
import { describeLocks } from './locks.ts';
import { describeNewest } from './newest.ts';
import { describeOnce } from './once.ts';
import { describeReadThrough } from './read-through.ts';

/** All volatile stores but rate limits, which have a suite of their own (`describeRateLimits`). `make` gives empty ones. */
export function describeVolatileStores(make: MakeVolatileStores): void {
  describeReadThrough(make);
  describeLocks(make);
  describeOnce(make);
  describeNewest(make);
  describeAuditQueryCache(make);
  describeInvalidationBus(make);
}
